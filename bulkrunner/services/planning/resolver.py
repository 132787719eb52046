"""Everything that entries can want of single records: edits, deletions, holdings and bibs to be created."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bulkrunner.domain.catalogue import Found, Held, Moved
from bulkrunner.domain.identifiers import Number, identify, of_canonical
from bulkrunner.domain.new_records import created_number
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    BibSummary,
    PlannedChange,
    holding_key,
    operation_digest,
    record_key,
)
from bulkrunner.domain.records import Document, item_of, record_part
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.draft import (
    Creation,
    Known,
    NotFound,
    PassedOver,
    Task,
    Waits,
    demand,
    subject_part,
    wish_of,
)
from bulkrunner.services.planning.edits import (
    Editing,
    Fields,
    admit_wish,
    as_create,
    deleted_in_plan,
)
from bulkrunner.services.planning.plan_so_far import Look


class Resolver(Editing):
    """Turns wishes into planned changes; thread safe, keeps nothing per wish."""

    def hold(
        self,
        task: Task,
        build: Callable[[Known], Creation],
        look: Look,
        waits: Waits | None = None,
    ) -> PlannedChange:
        """Return what becomes of a holding to be created on a bib; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=task.ref, kind="holding", operation=task.operation)
        known.waits = waits.numbers if waits else ()
        planned = self._outcome(
            task, lambda: self._hold(task, build, known, look, waits or Waits())
        )
        return self._entered(task, known, planned)

    def make_bib(
        self, task: Task, sigel: str, document: Document, pattern: Sentence, look: Look
    ) -> PlannedChange:
        """Return what becomes of a bib to be created; refusals are changes too.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        known = Known(record=task.ref, kind="bib", sigel=sigel, operation=task.operation)

        def attempt() -> Fields:
            fields = self._make_bib(known, sigel, document, pattern)
            key = fields.get("target_key")
            if task.step is not None and key and (taken := look.at(key)) is not None:
                raise Refused.of(_same_bib(taken.number))
            return fields

        return self._entered(task, known, self._outcome(task, attempt))

    def hang(self, task: Task, bib: BibFacts, known: Known, look: Look) -> None:
        """Note that a holding is to hang on a bib; where it was on none, it is told with this one.

        Raises:
            Refused: its library has one there, or the bib goes away.
            PassedOver: so it is said of duplicates, or it is there already.
        """
        if bib.thing_iri == item_of(known.now or {}):
            raise PassedOver("already_there", Sentence("already_there", bib=bib.summary.id))
        self.make_room(task, bib, known, look)
        if known.bib is None and created_number(bib.summary.id) is None:
            known.bib = bib.summary

    def make_room(self, task: Task, bib: BibFacts, known: Known, look: Look) -> None:
        """Note that a holding goes over to a bib, where its library has none.

        Raises:
            Refused, PassedOver: it has one, or the bib goes away.
        """
        self._heed_deletion(bib, look)
        sigel = known.sigel or ""
        key = holding_key(bib.summary.id, sigel)
        taken = look.at(key)
        if taken is not None and taken.record != known.record:
            raise _duplicate(
                task, Sentence("place_taken_in_plan", number=taken.number, sigel=sigel)
            )
        existing = [one for one in self._standing(bib, sigel, known, look) if one != known.record]
        if existing:
            raise _duplicate(
                task, Sentence("place_taken", sigel=sigel, records=", ".join(existing))
            )
        known.place = key

    def make_way(self, task: Task, after: Document, known: Known, look: Look) -> None:
        """Note that old content hangs a holding on another bib again, where its library has none.

        Raises:
            Refused, PassedOver: it has one, or the bib is gone.
        """
        iri = item_of(after)
        if known.kind != "holding" or iri == item_of(known.now or {}) or created_number(iri):
            return
        bib = self._bibs.linked(iri) if iri else None
        demand(self._links_resolve(known.sigel or "", iri, bib))
        if bib is not None:
            self.make_room(task, bib, known, look)

    def bib(self, ref: str) -> BibFacts:
        """Return a bib.

        Raises:
            NotFound, Refused: there is none, or it is something else.
        """
        return self._bib_to_hold(ref, Known(record=ref))

    def bib_in_plan(self, ref: str, look: Look, waits: Waits) -> BibFacts:
        """Return a bib, or one that the plan creates.

        Raises:
            NotFound, Refused: there is none, or it is something else.
        """
        return self._bib_of(ref, Known(record=ref), look, waits)

    def bib_document(self, record: str) -> Document | None:
        """Return a bib as the catalogue has it, None where it does not resolve."""
        return self._bibs.document(record)

    def deleted_earlier(self, bib: str, sigel: str) -> str | None:
        """Return the library's holding on a bib that an earlier run of the job has deleted."""
        return self._earlier_runs.deleted(bib, sigel)

    def holdings(self, bib_iri: str, sigel: str) -> tuple[str, ...]:
        """Return a library's holdings on a bib, as the catalogue has them."""
        return self._reader.holdings_of(bib_iri, sigel)

    def document(self, named: str) -> Document | None:
        """Return a record, named in any way, as the catalogue has it; None where it is not there."""
        ref = self._iris.parse(named)
        answer = self._reader.read(ref.value) if ref is not None else None
        if isinstance(answer, Moved):
            answer = self._reader.read(self._iris.short_id(answer.target) or answer.target)
        return answer.document if isinstance(answer, Found) else None

    def bearing(self, text: str, meanings: Sequence[Number]) -> tuple[str, ...]:
        """Return the short ids of the records that bear a number, or that an id names.

        Raises:
            Refused: the text is neither, or so many may bear it that they are not looked through.
            CatalogueUnreachable: the environment does not answer; that is never none.
        """
        found = identify(text, self._iris, meanings)
        if isinstance(found, Refusal):
            raise Refused.of(Refusal(code=found.code, message=found.message, hint=found.hint))
        if of_canonical(found.text) is not None:
            return self._naming.bearing(found.text)
        document = self.document(found.text)
        record = self._iris.short_id(str(record_part(document or {}).get("@id")))
        return (record,) if record else ()

    def looked_up(self, text: str) -> Document | None:
        """Return the record that an id or a number names, None where it is not there.

        Raises:
            Refused: several records bear the number.
            CatalogueUnreachable: the environment does not answer; that is never none.
        """
        found = identify(text, self._iris)
        if isinstance(found, Refusal) or of_canonical(found.text) is None:
            return self.document(text)
        try:
            (record,) = self._naming.records(found.text)
        except NotFound:
            return None
        return self.document(record)

    def holdings_on(self, bib_iri: str) -> tuple[Held, ...]:
        """Return every library's holdings on a bib, as the catalogue has them."""
        return self._reader.holdings_on(bib_iri)

    def standing_on(self, bib: str, sigel: str, look: Look) -> dict[str, Document]:
        """Return holdings on a bib as what precedes in the plan will have left them.

        Args:
            bib: short id.
            sigel: of one library; empty: of all.
            look: at what precedes.

        Returns:
            Documents by record, or by the place of those that the plan creates.
        """
        facts = self._bibs.find(bib)
        if facts is None or created_number(bib):
            return {}
        iri = facts.thing_iri
        there = (
            self._reader.holdings_of(iri, sigel)
            if sigel
            else tuple(held.record for held in self._reader.holdings_on(iri))
        )
        places = [holding_key(bib, one) for one in ((sigel,) if sigel else self._proofs.job.sigels)]
        planned = look.of([*map(record_key, there), *places])
        found: dict[str, Document | None] = {}
        for record in there:
            change = planned.get(record_key(record))
            if change is None or change.action not in WRITING:
                found[record] = self.document(record)
            elif not _leaves(change, iri):
                found[record] = change.after
        for place in places:
            change = planned.get(place)
            if change is not None and change.action in (Action.CREATE, Action.UPDATE):
                found[place if change.action is Action.CREATE else change.record] = change.after
        return {name: document for name, document in found.items() if document is not None}

    # --- a holding to be created -------------------------------------------------------------

    def _hold(
        self,
        task: Task,
        build: Callable[[Known], Creation],
        known: Known,
        look: Look,
        waits: Waits,
    ) -> Fields:
        demand(self._proofs.acting())
        bib = self._bib_of(task.ref, known, look, waits)
        known.bib = bib.summary
        known.record = task.ref if created_number(task.ref) else bib.summary.id
        creation = build(known)
        known.operation, known.wish = creation.operation, wish_of(creation)
        self._know_library(creation.sigel, known)
        known.target_key = holding_key(bib.summary.id, creation.sigel)
        demand(self._proofs.sigel(creation.sigel))
        demand(self._links_resolve(creation.sigel, bib.thing_iri, bib))
        if task.step is not None:
            self._heed_place(task, known, look)
        made = self._earlier_runs.made(known.wish)
        if (earlier := self._created_earlier(known, made)) is not None:
            return earlier
        admit_wish(creation, known)
        existing = self._standing(bib, creation.sigel, known, look)
        if existing:
            raise _duplicate(
                task, Sentence("duplicate", sigel=creation.sigel, records=", ".join(existing))
            )
        known.origins = creation.origins
        document = creation.document(bib.thing_iri)
        demand(self._may_become(document, "holding"))
        return as_create(document, creation.pattern)

    def _make_bib(self, known: Known, sigel: str, document: Document, pattern: Sentence) -> Fields:
        demand(self._proofs.acting())
        self._know_library(sigel, known)
        demand(self._proofs.bib())
        demand(self._proofs.sigel(sigel))
        made = self._earlier_runs.made(operation_digest(known.operation))
        if (earlier := self._created_earlier(known, made)) is not None:
            return earlier
        demand(self._may_become(document, "bib"))
        created = as_create(document, pattern)
        # Twice the same bib in one job could not be told apart after a lost answer.
        return {**created, "target_key": f"new:{created['after_fingerprint']}"}

    def _bib_of(self, ref: str, known: Known, look: Look, waits: Waits) -> BibFacts:
        number = created_number(ref)
        if number is None or number in waits.records:
            bib = self._bib_to_hold(waits.records.get(number or 0, ref), known)
            self._heed_deletion(bib, look)
            return bib
        create = waits.creates[number]
        if create.kind != "bib":
            raise Refused.of(
                Refusal(
                    code="not_a_bib",
                    message=Sentence("change_makes_no_bib", number=number),
                    hint=Sentence("change_makes_no_bib_hint"),
                )
            )
        return BibFacts(summary=BibSummary(id=ref), thing_iri=f"{ref}#it", is_bib=True)

    def _heed_deletion(self, bib: BibFacts, look: Look) -> None:
        gone = look.at(record_key(bib.summary.id))
        if gone is not None and gone.action is Action.DELETE:
            raise Refused.of(deleted_in_plan(gone.number))

    def _heed_place(self, task: Task, known: Known, look: Look) -> None:
        """Refuse, or pass over, a holding where the plan has one already."""
        taken = look.at(known.target_key or "")
        if taken is None:
            return
        part = subject_part(taken, task.step)
        if task.subject and part is not None and part.wish == known.wish:
            raise PassedOver("repeated", Sentence("repeated", source=part.source.said))
        raise _duplicate(task, Sentence("duplicate_in_plan", number=taken.number))

    def _standing(self, bib: BibFacts, sigel: str, known: Known, look: Look) -> tuple[str, ...]:
        """Return the library's holdings on a bib that this plan leaves there."""
        if created_number(bib.summary.id):
            return ()
        found = self._reader.holdings_of(bib.thing_iri, sigel)
        changes = look.of([record_key(record) for record in found]) if found else {}
        left = []
        for record in found:
            change = changes.get(record_key(record))
            if change is not None and _leaves(change, bib.thing_iri):
                known.waits = tuple(sorted({*known.waits, change.number}))
            else:
                left.append(record)
        return tuple(left)


def _leaves(change: PlannedChange, thing_iri: str) -> bool:
    """Tell whether a change takes a holding off a bib."""
    if change.action is Action.DELETE:
        return True
    return change.action is Action.UPDATE and item_of(change.after or {}) != thing_iri


def _same_bib(number: int) -> Refusal:
    return Refusal(
        code="duplicate_operation",
        message=Sentence("same_bib_in_plan", number=number),
        hint=Sentence("same_bib_hint"),
    )


def _duplicate(task: Task, message: Sentence) -> Exception:
    if task.on_duplicate == "skip":
        return PassedOver("skipped_duplicate", message)
    return Refused.of(
        Refusal(
            code="duplicate",
            message=message,
            hint=Sentence("duplicate_hint"),
        )
    )
