"""Records that a plan creates, holdings above all, and the room for them on a bib."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bulkrunner.domain.operations import created_number
from bulkrunner.domain.plan import (
    WRITING,
    Action,
    BibSummary,
    PlannedChange,
    holding_key,
    operation_digest,
    record_key,
)
from bulkrunner.domain.records import Document, item_of
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.bibs import BibFacts
from bulkrunner.services.planning.catalogue_reading import Reading
from bulkrunner.services.planning.draft import (
    CreateIntent,
    Drafter,
    Fields,
    PassedOver,
    Request,
    Target,
    demand,
    still_wanted,
    subject_part,
)
from bulkrunner.services.planning.earlier_runs import EarlierRuns
from bulkrunner.services.planning.existing import as_create, deleted_in_plan
from bulkrunner.services.planning.plan_so_far import NO_WAITS, Look, Waits


@dataclass(frozen=True, kw_only=True)
class Creations:
    """Plans holdings and bibs to be created, and where holdings may hang; thread safe."""

    reading: Reading
    earlier_runs: EarlierRuns
    drafter: Drafter

    # --- a holding to be created -------------------------------------------------------------

    def place(
        self, request: Request, target: Target, look: Look, waits: Waits = NO_WAITS
    ) -> BibFacts:
        """Return the bib that a holding is to be created on."""
        demand(self.reading.proofs.acting())
        bib = self.bib(request.ref, look, waits, target)
        target.bib = bib.summary
        target.record = request.ref if created_number(request.ref) else bib.summary.id
        return bib

    def settled(
        self,
        request: Request,
        target: Target,
        intent: CreateIntent,
        bib: BibFacts,
        look: Look,
        admit: Callable[[], None] | None = None,
    ) -> Fields | None:
        """Return what becomes of a holding without being created; None where it is to be created.

        ``admit`` raises ``PassedOver`` or ``Refused`` where the entry does not mean the bib.
        """
        target.intends(intent)
        self.reading.know_library(intent.sigel, target)
        target.target_key = holding_key(bib.summary.id, intent.sigel)
        demand(self.reading.proofs.sigel(intent.sigel))
        demand(self.reading.links_resolve(intent.sigel, bib.thing_iri, bib))
        if request.step is not None:
            self._refuse_taken(request, target, look)
        made = self.earlier_runs.made(target.wish)
        if (earlier := self.reading.created_earlier(target, made)) is not None:
            return earlier
        if admit is not None:
            with still_wanted(target):
                admit()
        existing = self._standing(bib, intent.sigel, target, look)
        if existing:
            raise _duplicate(
                request, Sentence("duplicate", sigel=intent.sigel, records=", ".join(existing))
            )
        target.origins = intent.origins
        return None

    def created(self, document: Document, pattern: Sentence) -> Fields:
        """Return the fields of a holding to be created."""
        demand(self.reading.may_become(document, "holding"))
        return as_create(document, pattern)

    def _refuse_taken(self, request: Request, target: Target, look: Look) -> None:
        """Refuse, or pass over, a holding where the plan has one already."""
        taken = look.at(target.target_key or "")
        if taken is None:
            return
        part = subject_part(taken, request.step)
        if request.subject and part is not None and part.wish == target.wish:
            raise PassedOver("repeated", Sentence("repeated", source=part.source.said))
        raise _duplicate(request, Sentence("duplicate_in_plan", number=taken.number))

    # --- a bib to be created -----------------------------------------------------------------

    def make_bib(
        self, request: Request, sigel: str, document: Document, pattern: Sentence, look: Look
    ) -> PlannedChange:
        """Return what becomes of a bib to be created; refusals are changes too."""
        target = Target.of(request)
        target.kind, target.sigel = "bib", sigel

        def attempt() -> Fields:
            fields = self.new_bib(target, sigel, document, pattern)
            key = fields.get("target_key")
            if request.step is not None and key and (taken := look.at(key)) is not None:
                raise Refused.of(_same_bib(taken.number))
            return fields

        return self.drafter.change(request, target, attempt)

    def new_bib(self, target: Target, sigel: str, document: Document, pattern: Sentence) -> Fields:
        """Return the fields of a bib to be created."""
        demand(self.reading.proofs.acting())
        self.reading.know_library(sigel, target)
        demand(self.reading.proofs.bib())
        demand(self.reading.proofs.sigel(sigel))
        made = self.earlier_runs.made(operation_digest(target.operation))
        if (earlier := self.reading.created_earlier(target, made)) is not None:
            return earlier
        demand(self.reading.may_become(document, "bib"))
        created = as_create(document, pattern)
        # Twice the same bib in one job could not be told apart after a lost answer.
        return {**created, "target_key": f"new:{created['after_fingerprint']}"}

    # --- a holding that goes over to a bib ---------------------------------------------------

    def hang(self, request: Request, bib: BibFacts, target: Target, look: Look) -> None:
        """Note that a holding is to hang on a bib; where it was on none, it is told with this one."""
        if bib.thing_iri == item_of(target.now or {}):
            raise PassedOver("already_there", Sentence("already_there", bib=bib.summary.id))
        self.make_room(request, bib, target, look)
        if target.bib is None and created_number(bib.summary.id) is None:
            target.bib = bib.summary

    def make_room(self, request: Request, bib: BibFacts, target: Target, look: Look) -> None:
        """Note that a holding goes over to a bib, where its library has none."""
        self._refuse_deleted(bib, look)
        sigel = target.sigel or ""
        key = holding_key(bib.summary.id, sigel)
        taken = look.at(key)
        if taken is not None and taken.record != target.record:
            raise _duplicate(
                request, Sentence("place_taken_in_plan", number=taken.number, sigel=sigel)
            )
        existing = [one for one in self._standing(bib, sigel, target, look) if one != target.record]
        if existing:
            raise _duplicate(
                request, Sentence("place_taken", sigel=sigel, records=", ".join(existing))
            )
        target.place = key

    def make_way(self, request: Request, after: Document, target: Target, look: Look) -> None:
        """Note that old content hangs a holding on another bib again, where its library has none."""
        iri = item_of(after)
        if target.kind != "holding" or iri == item_of(target.now or {}) or created_number(iri):
            return
        bib = self.reading.bibs.linked(iri) if iri else None
        demand(self.reading.links_resolve(target.sigel or "", iri, bib))
        if bib is not None:
            self.make_room(request, bib, target, look)

    # --- bibs, and what hangs on them --------------------------------------------------------

    def bib(
        self, ref: str, look: Look, waits: Waits = NO_WAITS, target: Target | None = None
    ) -> BibFacts:
        """Return a bib that is not going to be deleted, or one that the plan creates."""
        number = created_number(ref)
        if number is None or number in waits.records:
            name = waits.records.get(number or 0, ref)
            bib = self.reading.bib(name, target)
            self._refuse_deleted(bib, look)
            return bib
        create = waits.creates[number]
        if create.kind != "bib":
            raise Refused(
                "not_a_bib",
                Sentence("change_makes_no_bib", number=number),
                Sentence("change_makes_no_bib_hint"),
            )
        return BibFacts(summary=BibSummary(id=ref), thing_iri=f"{ref}#it", is_bib=True)

    def _refuse_deleted(self, bib: BibFacts, look: Look) -> None:
        gone = look.at(record_key(bib.summary.id))
        if gone is not None and gone.action is Action.DELETE:
            raise Refused.of(deleted_in_plan(gone.number))

    def standing_on(self, bib: str, sigel: str, look: Look) -> dict[str, Document]:
        """Return holdings on a bib as what precedes in the plan will have left them.

        Returns:
            Documents by record, or by the place of those that the plan creates.
        """
        facts = self.reading.bibs.find(bib)
        if facts is None or created_number(bib):
            return {}
        iri = facts.thing_iri
        there = (
            self.reading.reader.holdings_of(iri, sigel)
            if sigel
            else tuple(held.record for held in self.reading.reader.holdings_on(iri))
        )
        sigels = (sigel,) if sigel else self.reading.proofs.job.sigels
        places = [holding_key(bib, one) for one in sigels]
        planned = look.of([*map(record_key, there), *places])
        found: dict[str, Document | None] = {}
        for record in there:
            change = planned.get(record_key(record))
            if change is None or change.action not in WRITING:
                found[record] = self.reading.document(record)
            elif not _leaves(change, iri):
                found[record] = change.after
        for place in places:
            change = planned.get(place)
            if change is not None and change.action in (Action.CREATE, Action.UPDATE):
                found[place if change.action is Action.CREATE else change.record] = change.after
        return {name: document for name, document in found.items() if document is not None}

    def _standing(self, bib: BibFacts, sigel: str, target: Target, look: Look) -> tuple[str, ...]:
        """Return the library's holdings on a bib that this plan leaves there."""
        if created_number(bib.summary.id):
            return ()
        found = self.reading.reader.holdings_of(bib.thing_iri, sigel)
        changes = look.of([record_key(record) for record in found]) if found else {}
        left = []
        for record in found:
            change = changes.get(record_key(record))
            if change is not None and _leaves(change, bib.thing_iri):
                target.wait_for([change.number])
            else:
                left.append(record)
        return tuple(left)


def _leaves(change: PlannedChange, thing_iri: str) -> bool:
    """Return True if a change takes a holding off a bib."""
    if change.action is Action.DELETE:
        return True
    return change.action is Action.UPDATE and item_of(change.after or {}) != thing_iri


def _same_bib(number: int) -> Refusal:
    return Refusal(
        "duplicate_operation",
        Sentence("same_bib_in_plan", number=number),
        Sentence("same_bib_hint"),
    )


def _duplicate(request: Request, message: Sentence) -> Exception:
    if request.on_duplicate == "skip":
        return PassedOver("skipped_duplicate", message)
    return Refused("duplicate", message, Sentence("duplicate_hint"))
