"""What earlier runs did is found, and taken back change by change."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from bulkrunner.domain.catalogue import Found, Gone
from bulkrunner.domain.change_patterns import pattern_of
from bulkrunner.domain.fingerprints import before_fingerprint
from bulkrunner.domain.iris import IriMap, iter_ids, map_ids, without_own_iri
from bulkrunner.domain.ledger_port import Ledger
from bulkrunner.domain.manifest import Create, Creates, Undo, Unreadable
from bulkrunner.domain.new_records import PREFIX, created_number
from bulkrunner.domain.operations import TEMPID, build_create
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    AppliedChange,
    Plan,
    PlannedChange,
    operation_digest,
    record_key,
)
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import (
    Document,
    held_by,
    is_holding,
    item_of,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.run import Outcome, Run, RunState
from bulkrunner.domain.run_ledger import Ended
from bulkrunner.domain.settlement.attempts import Version
from bulkrunner.domain.undo import (
    Precedent,
    Restore,
    again_key,
    as_stored,
    changed_paths,
    restored,
)
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence
from bulkrunner.services.compact import refuse_compacted
from bulkrunner.services.planning.draft import (
    FAILED,
    Creation,
    Draft,
    Known,
    NotFound,
    Removal,
    Task,
    Waits,
    demand,
    made_earlier,
    waits,
)
from bulkrunner.services.planning.earlier_runs import Undone, changed_since
from bulkrunner.services.planning.edits import Fields
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.resolver import Resolver
from bulkrunner.services.running.lease import Drivers
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
        """Return what is created again, of all that a document links to.

        Raises:
            Refused: one of them cannot be created again.
        """
        linked = {record for iri in iter_ids(document) if (record := iris.short_id(iri))}
        keys = {again_key(record): record for record in linked}
        found = look.of(sorted(keys), sure=True)
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


class Restorer(Resolver):
    """Turns what a run did into planned changes that take it back."""

    def restore(self, wish: Restore, look: Look) -> list[Draft]:
        """Return the planned change, and those that it must precede.

        Where nothing can be restored the change says why.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=wish.record, kind=wish.change.kind, sigel=wish.change.sigel)
        known.bib, known.library = wish.change.bib, wish.change.library
        known.operation = wish.operation()
        task = Task(
            source=wish.source,
            given=wish.record,
            ref=wish.record,
            verb="undo",
            operation=known.operation,
        )

        if wish.change.action is Action.DELETE:
            known.place = again_key(wish.record)

        def attempt() -> Fields:
            demand(self._proofs.acting())
            made = self._earlier_runs.made(operation_digest(known.operation))
            planned = self._take_back(wish, task, known, made, look)
            if "pattern" in planned:
                planned["pattern"] = wish.kind_of_restoring()
            if planned["action"] in WRITING:
                known.waits = tuple(sorted({*known.waits, *_restored_first(wish, look)}))
            return planned

        change = self._entered(task, known, self._outcome(task, attempt))
        found = look.of(wish.ahead, sure=True) if wish.ahead else {}
        later = [Draft(change=one, needs=(0,)) for one in found.values()]
        return [Draft(change=change, alone=True), *later]

    def _take_back(
        self, wish: Restore, task: Task, known: Known, made: AppliedChange | None, look: Look
    ) -> Fields:
        match wish.change.action:
            case Action.UPDATE:
                return self._give_back(wish, task, known, made, look)
            case Action.CREATE:
                return self._remove(wish, known, made)
            case _:
                return self._create_again(wish, task, known, look)

    # --- an update ---------------------------------------------------------------------------

    def _give_back(
        self, wish: Restore, task: Task, known: Known, made: AppliedChange | None, look: Look
    ) -> Fields:
        found = self._read_target(wish.record, known)
        if made is not None and self._still_there(found, made):
            return made_earlier(known, made)
        now, before = found.document, wish.wanted()
        demand(_kept(before, wish))
        old = before or {}
        fingerprint = before_fingerprint(now)
        if not self._is_as_left(wish, found):
            if fingerprint == before_fingerprint(old):
                return _already(Sentence("restored_already"), fingerprint)
            raise Refused.of(self._changed_since(wish, found))
        again = Again.of(old, look, self._iris)
        known.waits = again.numbers
        after = restored(now, again.led(as_stored(old, wish.change.after, now)))
        demand(self._may_become(after, known.kind or ""))
        self.make_way(task, after, known, look)
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

    def _remove(self, wish: Restore, known: Known, made: AppliedChange | None) -> Fields:
        try:
            found = self._read_target(wish.record, known)
        except NotFound as missing:
            if missing.code != "gone":
                raise
            if made is not None:
                return made_earlier(known, made)
            who = by_a_later_run(self._earlier_runs.later_than(wish.run, wish.record), None)
            return _already(Sentence("creation_deleted", who=who), None)
        if not self._is_as_left(wish, found):
            raise Refused.of(self._changed_since(wish, found))
        return self._delete(known, Removal(operation=known.operation))

    # --- a delete ----------------------------------------------------------------------------

    def _create_again(self, wish: Restore, task: Task, known: Known, look: Look) -> Fields:
        wanted = wish.wanted()
        demand(_kept(wanted, wish))
        document = wanted or {}
        answer = self._reader.read(wish.record)
        if isinstance(answer, Found):
            there = before_fingerprint(answer.document)
            if there != before_fingerprint(document):
                raise Refused.of(self._changed_since(wish, answer))
            return _already(Sentence("brought_back"), there)
        if not isinstance(answer, Gone):
            raise NotFound("not_found", Sentence("not_found"))
        known.notes = (*_doubts(wish), *_losses(document))
        again = Again.of(document, look, self._iris)
        document = again.led(document)
        op = _creation(wish, document, sigel=self._proofs.job.active_sigel)
        known.waits = again.numbers
        if op.creates is Creates.BIB:
            known.kind, known.sigel, known.record = "bib", op.sigel, wish.record
            new = build_create(op, iris=self._iris, bib_thing_iri=None, from_records=True)
            return self._make_bib(known, op.sigel, new, pattern_of(op))
        creation = Creation(
            sigel=op.sigel,
            operation=known.operation,
            document=lambda iri: build_create(
                op, iris=self._iris, bib_thing_iri=iri, from_records=True
            ),
            pattern=pattern_of(op),
        )
        known.kind = "holding"
        iri = (item_of(document) or "").removesuffix("#it")
        bib = iri if created_number(iri) else self._iris.short_id(iri) or ""
        hung = replace(task, ref=bib)
        return self._hold(hung, lambda _: creation, known, look, again.waits)

    # --- as the run left it ------------------------------------------------------------------

    def _is_as_left(self, wish: Restore, found: Found) -> bool:
        newest = Version(document=found.document, etag=found.etag)
        return Search(self._reader).is_as_left(wish.record, wish.left(), newest)

    def _changed_since(self, wish: Restore, found: Found) -> Refusal:
        later = self._earlier_runs.later_than(wish.run, wish.record)
        return changed_since(wish.run, found, by_a_later_run(later, found.etag))


def _restored_first(wish: Restore, look: Look) -> tuple[int, ...]:
    """Return the numbers of what must be restored before; all of it is.

    Raises:
        Refused: it is not, and what took its content in must stay.
    """
    keys = [one.key for one in wish.behind if one.key is not None]
    found = look.of(keys, sure=True) if keys else {}
    for one in wish.behind:
        change = found.get(one.key or "")
        if change is None or change.action in FAILED:
            why = (
                Sentence("is_not_restored")
                if change is None
                else Sentence("cannot_be_restored", code=change.code)
            )
            raise Refused.of(
                Refusal(
                    code="prerequisite",
                    message=Sentence("restored_only_after", what=one.what, why=why),
                    hint=Sentence("restored_only_after_hint"),
                )
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
        code="no_document",
        message=Sentence("no_document_of", record=wish.record, run=wish.run),
        hint=Sentence("restore_by_hand"),
    )


def _already(message: Sentence, fingerprint: str | None) -> Fields:
    return {
        "action": Action.UNCHANGED,
        "code": "restored_already",
        "message": message,
        "before_fingerprint": fingerprint,
    }


BATCH = 200

_CONCERNED = (Outcome.APPLIED, Outcome.UNKNOWN, Outcome.PENDING)


class Undoing:
    """Resolves an undo to the changes of the environment's own runs, the last one first.

    What was done later may stand on what was done before: a new holding on a new bib.
    """

    def __init__(self, ledger: Ledger, drivers: Drivers, plan: Plan) -> None:
        self._ledger = ledger
        self._drivers = drivers
        self._plan = plan
        self._undone = Undone(ledger, plan, others_before=True)

    def resolve(self, undo: Undo) -> Iterator[Restore | Unreadable]:
        """Yield what is to be restored, the same sequence each time, whatever runs begin later.

        Raises:
            UsageError: the environment has no such run, or one of them is still going on.
        """
        plans = self._plans(undo)
        runs = self._runs(undo, plans)
        for run in runs:
            refuse_compacted(self._ledger, run.plan, Sentence("run_not_undone", run=run.id))
        self._close(undo, runs)
        elsewhere = self._elsewhere(undo)
        missing = set(undo.only or ())
        order = Order(self._ledger)
        for run in runs:
            for ended in self._newest(run, sorted({one.plan for one in runs})):
                named = _names(ended) | elsewhere.get(ended.change.wish_digest(), set())
                wanted = undo.only is None or bool(named & undo.only)
                missing -= named if wanted else set()
                restore = order.placed(
                    _restore(undo, run, ended, plans[run.plan].active_sigel),
                    run,
                    ended,
                    wanted=wanted,
                )
                if wanted:
                    yield restore
        for record in sorted(missing):
            yield Unreadable(
                source=undo.source,
                given=record,
                code="not_changed",
                message=Sentence("not_changed", job=undo.job),
            )

    def count(self, undo: Undo) -> Counter[str]:
        """Count by action what an undo would take back, and what may be made before it is planned."""
        found: Counter[str] = Counter()
        runs = self._runs(undo, self._plans(undo))
        plans = sorted({one.plan for one in runs})
        elsewhere = self._elsewhere(undo)
        for run in runs:
            for ended in self._newest(run, plans, unsent=run.state is not RunState.COMPLETED):
                named = _names(ended) | elsewhere.get(ended.change.wish_digest(), set())
                if undo.only is None or named & undo.only:
                    found[ended.change.action] += 1
        return found

    def _plans(self, undo: Undo) -> dict[str, Plan]:
        return {
            other.id: other
            for other in self._ledger.plans.all(job=undo.job, environment=self._plan.environment)
            if other.effect_digest == undo.effect_digest and other.addresses == self._plan.addresses
        }

    def _runs(self, undo: Undo, plans: Collection[str]) -> list[Run]:
        return [
            run
            for run in self._ledger.runs.all(job=undo.job)
            if run.plan in plans and run.started_at <= self._plan.created_at
        ]

    def _elsewhere(self, undo: Undo) -> dict[str, set[str]]:
        """Return by wish digest the chosen ids that runs in other environments gave new records.

        What a job creates has another id in each environment, and a list is of one of them.
        """
        found: defaultdict[str, set[str]] = defaultdict(set)
        if undo.only is None:
            return found
        others = {
            plan.id
            for plan in self._ledger.plans.all(job=undo.job)
            if plan.effect_digest == undo.effect_digest
            and plan.environment != self._plan.environment
        }
        for run in self._ledger.runs.all(job=undo.job):
            if run.plan not in others or run.started_at > self._plan.created_at:
                continue
            for ended in self._ledger.runs.ended_backwards(run.id, outcomes=(Outcome.APPLIED,)):
                made = ended.result.record
                if made and made != ended.change.record and made in undo.only:
                    found[ended.change.wish_digest()].add(made)
        return found

    def _close(self, undo: Undo, runs: list[Run]) -> None:
        """End runs that lie still: a plan that undoes them must find the same changes later."""
        if not runs:
            raise UsageError(
                Sentence(
                    "nothing_to_undo",
                    environment=self._plan.environment,
                    job=undo.job,
                    digest=undo.effect_digest,
                ),
                hint=Sentence("nothing_to_undo_hint"),
                code="nothing_to_undo",
            )
        for run in runs:
            if run.state is RunState.RUNNING and not (held := self._drivers.of(run)).is_free:
                why, todo = held.held()
                raise UsageError(
                    Sentence("undone_at_its_end", run=run.id, why=why),
                    hint=todo,
                    code="still_running",
                )
        for run in runs:
            if run.state is not RunState.COMPLETED:
                reason = Sentence("closed_by_undo", plan=self._plan.id)
                self._drivers.end(run, RunState.COMPLETED, reason=reason)

    def _newest(self, run: Run, plans: list[str], *, unsent: bool = False) -> Iterator[Ended]:
        """Yield what the run did and no later run of the same operation did again.

        ``unsent``: what it has not sent yet too.
        """
        stream = self._ledger.runs.ended_backwards(run.id, outcomes=_CONCERNED)
        while batch := list(islice(stream, BATCH)):
            made = self._ledger.plans.made(plans, [one.change.wish_digest() for one in batch])
            undone = self._undone.among(made)
            for ended in batch:
                digest = ended.change.wish_digest()
                if ended.result.outcome is not Outcome.APPLIED:
                    if ended.attempts or unsent:
                        yield ended
                elif made[digest].run == run.id and digest not in undone:
                    yield ended


def _names(ended: Ended) -> set[str]:
    return {name for name in (ended.result.record, ended.change.record) if name}


def _restore(undo: Undo, run: Run, ended: Ended, sigel: str) -> Restore | Unreadable:
    change, result = ended.change, ended.result
    if result.outcome is Outcome.APPLIED:
        return Restore(source=undo.source, run=run.id, change=change, result=result, sigel=sigel)
    existing = result.detail.get("existing")
    looked_at = ", ".join(existing) if isinstance(existing, list) else Sentence("the_record")
    return Unreadable(
        source=undo.source,
        given=result.record or change.record,
        code="outcome_unknown",
        message=Sentence(
            "carried_out_unknown",
            run=run.id,
            number=change.number,
            verb=_verb(change.action),
            looked_at=looked_at,
        ),
    )


class Order:
    """Tells in which order changes are taken back: what waited for another goes back before it.

    Of a move the old holding is created again, and only then the new one deleted. Changes are
    handed in newest first; what is remembered are those whose prerequisites have not come yet.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._behind: defaultdict[str, list[Precedent]] = defaultdict(list)

    def placed(
        self, restore: Restore | Unreadable, run: Run, ended: Ended, *, wanted: bool
    ) -> Restore | Unreadable:
        """Return a restoration with what must precede it.

        Args:
            restore: or why there is none.
            run: whose change it is.
            ended: that change.
            wanted: it is going to be planned.
        """
        planned = wanted and isinstance(restore, Restore)
        ahead = self._note(run, ended, key=_key(ended) if planned else None)
        if not isinstance(restore, Restore):
            return restore
        behind = tuple(self._behind.pop(restore.record, ()))
        return replace(restore, behind=behind, ahead=ahead)

    def _note(self, run: Run, ended: Ended, *, key: str | None) -> tuple[str, ...]:
        """Remember what a change waited for; returns the keys of what has come already."""
        numbers = ended.change.prerequisites
        if not numbers:
            return ()
        what = Sentence(
            "change_of_run",
            number=ended.change.number,
            run=run.id,
            verb=_verb(ended.change.action),
        )
        results = self._ledger.runs.ended_as(run.id, numbers)
        ahead = []
        for change in self._ledger.plans.changes(run.plan, numbers=numbers, documents=False):
            result = results.get(change.number)
            record = (result.record if result else None) or change.made or change.record
            if change.action in WRITING and change.number > ended.change.number:
                ahead.append(_key_of(change, record))
            else:
                self._behind[record].append(Precedent(key=key, what=what))
        return tuple(ahead)


def _key(ended: Ended) -> str:
    return _key_of(ended.change, ended.result.record or ended.change.record)


def _key_of(change: PlannedChange, record: str) -> str:
    """Return by what the restoration of a change is found in the plan."""
    return again_key(change.record) if change.action is Action.DELETE else record_key(record)


def _verb(action: Action) -> Sentence:
    match action:
        case Action.CREATE:
            return Sentence("verb_create")
        case Action.DELETE:
            return Sentence("verb_delete")
    return Sentence("verb_update")
