"""What earlier runs did is found, and taken back change by change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.iris import IriMap, iter_ids, map_ids, without_own_iri
from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.operations import PREFIX, TEMPID, build_create, created_number
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    AppliedChange,
    operation_digest,
)
from bulkrunner.domain.prediction import before_fingerprint, predict_stored
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import pattern_of
from bulkrunner.domain.settlement.attempts import Version
from bulkrunner.domain.undo import (
    Restore,
    again_key,
    as_stored,
    changed_paths,
    restored,
)
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.draft import (
    FAILED,
    CreateIntent,
    DeleteIntent,
    Draft,
    Drafter,
    Fields,
    NotFound,
    Request,
    Target,
    demand,
    made_earlier,
)
from bulkrunner.services.planning.earlier_runs import EarlierRuns, changed_since
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Look, Waits, waits
from bulkrunner.services.verify import Search, by_a_later_run


@dataclass(frozen=True, kw_only=True)
class Again:
    """Deleted records that the plan creates again, for a document that links to them.

    Attributes:
        numbers_of: the change that creates it, by the old short id.
        waits: for these changes.
    """

    numbers_of: Mapping[str, int]
    waits: Waits
    iris: IriMap

    @classmethod
    def of(cls, document: Document, look: Look, iris: IriMap) -> Again:
        """Return what is created again, of all that a document links to."""
        linked = {record for iri in iter_ids(document) if (record := iris.short_id(iri))}
        keys = {again_key(record): record for record in linked}
        found = look.of(sorted(keys))
        numbers = {
            keys[key]: change.number
            for key, change in found.items()
            if change.action is not Action.UNCHANGED or change.made is not None
        }
        return cls(numbers_of=numbers, waits=waits((), numbers.values(), look.numbered), iris=iris)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Changes that must end well first."""
        return self.waits.numbers

    def led(self, document: Document) -> Document:
        """Return the document with these links led to the new records."""
        led: Document = map_ids(document, self._name) if self.numbers_of else document
        return led

    def _name(self, iri: str) -> str:
        old = self.iris.short_id(iri)
        number = self.numbers_of.get(old) if old else None
        if number is None:
            return iri
        record = self.waits.records.get(number)
        name = self.iris.record_iri(record) if record else f"{PREFIX}{number}"
        return name + ("#it" if iri.endswith("#it") else "")


@dataclass(frozen=True, kw_only=True)
class Restorer:
    """Turns what a run did into planned changes that take it back; thread safe."""

    reading: Reading
    existing: Existing
    creations: Creations
    drafter: Drafter
    earlier_runs: EarlierRuns
    iris: IriMap

    def request(self, wish: Restore) -> Request:
        """Return what is wanted of the record that a run changed."""
        return Request(
            source=wish.source,
            given=wish.record,
            ref=wish.record,
            verb="undo",
            operation=wish.operation(),
        )

    def restore(self, wish: Restore, request: Request, look: Look) -> list[Draft]:
        """Return the planned change, and those that it must precede.

        Where nothing can be restored the change says why.
        """
        look.expect([*_keys_behind(wish), *wish.ahead])
        target = Target.of(request)
        target.kind, target.sigel = wish.change.kind, wish.change.sigel
        target.bib, target.library = wish.change.bib, wish.change.library
        if wish.change.action is Action.DELETE:
            target.place = again_key(wish.record)

        def restored_now() -> Fields:
            demand(self.reading.proofs.acting())
            made = self.earlier_runs.made(operation_digest(target.operation))
            fields = self._taken_back(wish, request, target, made, look)
            if "pattern" in fields:
                fields["pattern"] = wish.kind_of_restoring()
            if fields["action"] in WRITING:
                target.wait_for(_restored_first(wish, look))
            return fields

        change = self.drafter.change(request, target, restored_now)
        found = look.of(wish.ahead) if wish.ahead else {}
        later = [Draft(change=one, needs=(0,)) for one in found.values()]
        return [Draft(change=change, alone=True), *later]

    def _taken_back(
        self,
        wish: Restore,
        request: Request,
        target: Target,
        made: AppliedChange | None,
        look: Look,
    ) -> Fields:
        match wish.change.action:
            case Action.UPDATE:
                return self._give_back(wish, request, target, made, look)
            case Action.CREATE:
                return self._remove(wish, target, made)
            case _:
                return self._create_again(wish, request, target, look)

    # --- an update ---------------------------------------------------------------------------

    def _give_back(
        self,
        wish: Restore,
        request: Request,
        target: Target,
        made: AppliedChange | None,
        look: Look,
    ) -> Fields:
        found = self.reading.read_target(wish.record, target)
        if made is not None and self.reading.still_there(target, made):
            return made_earlier(target, made)
        now, before = found.document, wish.wanted()
        demand(_kept(before, wish))
        old = before or {}
        fingerprint = before_fingerprint(now)
        if not self._is_as_left(wish, found):
            if fingerprint == before_fingerprint(old):
                return _already(Sentence("restored_already"), fingerprint)
            raise Refused.of(self._changed_since(wish, found))
        again = Again.of(old, look, self.iris)
        target.waits = again.numbers
        after = restored(now, again.led(as_stored(old, wish.change.after, now)))
        demand(self.reading.may_become(after, target.kind or ""))
        self.creations.make_way(request, after, target, look)
        prediction = predict_stored(after, declared=tuple(changed_paths(now, after)))
        wanted = before_fingerprint(prediction.document)
        if wanted == fingerprint:
            if fingerprint == before_fingerprint(old):
                return _already(Sentence("no_difference"), fingerprint)
            return _already(Sentence("no_difference_but_tidied"), fingerprint)
        return {
            "action": Action.UPDATE,
            "after": after,
            "predicted": prediction.document,
            "cleanups": prediction.cleanups,
            "before_fingerprint": fingerprint,
            "after_fingerprint": wanted,
            "pattern": "",
        }

    # --- a create ----------------------------------------------------------------------------

    def _remove(self, wish: Restore, target: Target, made: AppliedChange | None) -> Fields:
        try:
            found = self.reading.read_target(wish.record, target)
        except NotFound as missing:
            if missing.code != "gone":
                raise
            if made is not None:
                return made_earlier(target, made)
            who = by_a_later_run(self.earlier_runs.later_than(wish.run, wish.record), None)
            return _already(Sentence("creation_deleted", who=who), None)
        if not self._is_as_left(wish, found):
            raise Refused.of(self._changed_since(wish, found))
        return self.existing.deleted(target, DeleteIntent(operation=target.operation))

    # --- a delete ----------------------------------------------------------------------------

    def _create_again(self, wish: Restore, request: Request, target: Target, look: Look) -> Fields:
        wanted = wish.wanted()
        demand(_kept(wanted, wish))
        document = wanted or {}
        answer = self.reading.reader.read(wish.record)
        if isinstance(answer, Found):
            there = before_fingerprint(answer.document)
            if there != before_fingerprint(document):
                raise Refused.of(self._changed_since(wish, answer))
            return _already(Sentence("brought_back"), there)
        if not isinstance(answer, Gone):
            raise NotFound("not_found", Sentence("not_found"))
        target.notes = (*_doubts(wish), *_losses(document))
        again = Again.of(document, look, self.iris)
        document = again.led(document)
        op = _creation(wish, document, sigel=self.reading.proofs.job.active_sigel)
        target.waits = again.numbers
        if op.creates is Creates.BIB:
            target.kind, target.sigel, target.record = "bib", op.sigel, wish.record
            new = build_create(op, iris=self.iris, bib_thing_iri=None, from_records=True)
            return self.creations.new_bib(target, op.sigel, new, pattern_of(op))
        target.kind = "holding"
        iri = (item_of(document) or "").removesuffix("#it")
        bib = iri if created_number(iri) else self.iris.short_id(iri) or ""
        hung = replace(request, ref=bib)
        on = self.creations.place(hung, target, look, again.waits)
        intent = CreateIntent(sigel=op.sigel, operation=target.operation, pattern=pattern_of(op))
        settled = self.creations.settled(hung, target, intent, on, look)
        if settled is not None:
            return settled
        new = build_create(op, iris=self.iris, bib_thing_iri=on.thing_iri, from_records=True)
        return self.creations.created(new, intent.pattern)

    # --- as the run left it ------------------------------------------------------------------

    def _is_as_left(self, wish: Restore, found: Found) -> bool:
        newest = Version(document=found.document, etag=found.etag)
        return Search(self.reading.reader).is_as_left(wish.record, wish.left(), newest)

    def _changed_since(self, wish: Restore, found: Found) -> Refusal:
        later = self.earlier_runs.later_than(wish.run, wish.record)
        return changed_since(wish.run, found, by_a_later_run(later, found.etag))


def _keys_behind(wish: Restore) -> list[str]:
    return [one.key for one in wish.behind if one.key is not None]


def _restored_first(wish: Restore, look: Look) -> tuple[int, ...]:
    """Return the numbers of what must be restored before; all of it is."""
    found = look.of(_keys_behind(wish))
    for one in wish.behind:
        change = found.get(one.key or "")
        if change is None or change.action in FAILED:
            why = (
                Sentence("is_not_restored")
                if change is None
                else Sentence("cannot_be_restored", code=change.code)
            )
            raise Refused(
                "prerequisite",
                Sentence("restored_only_after", what=one.what, why=why),
                Sentence("restored_only_after_hint"),
            )
    return tuple(change.number for change in found.values())


def _creation(wish: Restore, document: Document, *, sigel: str) -> Create:
    own = str(record_part(document).get("@id") or "")
    return Create(
        source=wish.source,
        creates=Creates.HOLDING if is_holding(document) else Creates.BIB,
        sigel=held_by(document) or sigel,
        of=None,
        body=without_own_iri(thing_part(document), own, TEMPID),
        record=without_own_iri(record_part(document), own, TEMPID),
    )


def _doubts(wish: Restore) -> list[tuple[str, str]]:
    """Return what is to be known of a record that is created again."""
    notes: list[tuple[str, str]] = [("new_id", Sentence("new_id", record=wish.record))]
    if wish.result.detail.get("author_unproven"):
        said = Sentence("author_unproven", run=wish.run, record=wish.record)
        notes.append(("author_unproven", said))
    return notes


def _losses(document: Document) -> list[tuple[str, str]]:
    """Return what a new record does not get back, besides its id."""
    lost: list[str] = ["@record.sameAs"] if "sameAs" in record_part(document) else []
    if is_holding(document) and "sameAs" in thing_part(document):
        lost.append("sameAs")
    if thing_part(document).get("@type") == "SingleItem":
        lost.append("@type SingleItem")
    return [("not_restored", Sentence("not_restored", places=", ".join(lost)))] if lost else []


def _kept(document: Document | None, wish: Restore) -> Refusal | None:
    if document is not None:
        return None
    return Refusal(
        "no_document",
        Sentence("no_document_of", record=wish.record, run=wish.run),
        Sentence("restore_by_hand"),
    )


def _already(message: Sentence, fingerprint: str | None) -> Fields:
    return {
        "action": Action.UNCHANGED,
        "code": "restored_already",
        "message": message,
        "before_fingerprint": fingerprint,
    }
