"""Steps that take content out of one holding and into another: move, merge, split, repoint, copy.

Each is planned as changes to single records, which wait for each other: what is saved elsewhere is
saved first, and only then taken away here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.expressions.conditions import (
    bind_condition,
    condition_data,
    condition_text,
    holds,
)
from bulkrunner.domain.expressions.expectations import check_expect
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.identifiers import Identifier, identify
from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.operations import build_create, neutral_operation
from bulkrunner.domain.plan import WRITING, Action, PlannedChange, copied_key
from bulkrunner.domain.records import Document, thing_part
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.report_groups import transfer_pattern
from bulkrunner.domain.steps import (
    StepCopy,
    StepEntry,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepTransfer,
)
from bulkrunner.domain.transfers import (
    COMPONENTS,
    content_for,
    lacking,
    left_behind,
    lost,
    merged,
    owned,
    parted,
    repointed,
    taken,
)
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.catalogue_reading import Reading, bib_unresolved
from bulkrunner.services.planning.contexts import (
    Contexts,
    admit,
    fit,
    looked_up,
    named_value,
    sigel_of,
)
from bulkrunner.services.planning.draft import (
    FAILED,
    LEFT_BEHIND,
    CreateIntent,
    DeleteIntent,
    Draft,
    Drafter,
    Fields,
    PassedOver,
    Request,
    Target,
    UpdateIntent,
    demand,
    still_wanted,
)
from bulkrunner.services.planning.existing import Existing
from bulkrunner.services.planning.new_holdings import Creations
from bulkrunner.services.planning.plan_so_far import Look, fallen
from bulkrunner.services.planning.reverts import Reverts


@dataclass(frozen=True, kw_only=True)
class Case:
    """One record of a step, and how it is planned."""

    entry: StepEntry
    request: Request
    look: Look

    def other(self, ref: str) -> Request:
        """Return what is wanted of another record that the step writes for this one."""
        return replace(self.request, ref=ref, subject=False)


@dataclass(frozen=True, kw_only=True)
class TransferSteps:
    """Plans such steps record by record; thread safe, keeps nothing per record."""

    reading: Reading
    existing: Existing
    creations: Creations
    drafter: Drafter
    contexts: Contexts
    reverts: Reverts

    def act(
        self, entry: StepEntry, action: StepTransfer, request: Request, look: Look
    ) -> list[Draft]:
        """Return the changes that come of one record, at least one."""
        case = Case(entry=entry, request=request, look=look)
        target = Target.of(request)
        saved: list[PlannedChange] = []

        def plan() -> Fields:
            match action:
                case StepMove():
                    return self._moved(case, action, target, saved)
                case StepMerge():
                    return self._merged(case, action, target, saved)
                case StepSplit():
                    return self._split(case, action, target, saved)
                case StepRepoint():
                    return self._repointed(case, action, target)
                case StepRevert():
                    return self.reverts.reverted(entry, action, request, target, look)
            raise TypeError(f"{type(action).__name__} is planned otherwise")

        if isinstance(action, StepCopy):
            return self._copy(case, action, target)
        change = self.drafter.change(request, target, plan)
        return _after(saved, change)

    def _met(self, case: Case, target: Target) -> Context:
        """Know the holding that content is taken from; returns what the step's values refer to."""
        self.existing.meet(case.request, target, case.look, kind="holding")
        return self.contexts.of_record(case.entry, target, case.look)

    def _settled(
        self, case: Case, target: Target, context: Context, intent: UpdateIntent | DeleteIntent
    ) -> Fields | None:
        return self.existing.settled(
            case.request, target, intent, lambda: self._admit(case, target, context)
        )

    def _admit(self, case: Case, target: Target, context: Context) -> None:
        """Go on where the step means the record and it is as expected."""
        fit(case.entry, target)
        admit(case.entry.step, context)
        demand(check_expect(context.document, case.entry.step.expect, self.contexts.iris, context))

    # --- what takes content in ---------------------------------------------------------------

    def _saved(
        self,
        case: Case,
        target: Target,
        sigel: str,
        bib: str,
        content: tuple[Mapping[str, Any], Mapping[str, Any]],
        source: Mapping[str, Any],
    ) -> PlannedChange:
        """Return the creation of the holding that takes content in.

        The content is part of what is wished for: what an earlier run saved counts only as long as
        it is what would be saved now.
        """
        wished = {"content": digest([*content])}
        change = self._created(case.other(bib), case, target, sigel, content, source, wished)
        if change.action in FAILED:
            raise Refused(change.code, change.message)
        if change.code == "skipped_duplicate":
            target.notes = (*target.notes, LEFT_BEHIND)
            raise PassedOver(change.code, change.message)
        return change

    def _created(
        self,
        request: Request,
        case: Case,
        source: Target,
        sigel: str,
        content: tuple[Mapping[str, Any], Mapping[str, Any]],
        named: Mapping[str, Any],
        wished: Mapping[str, Any] | None = None,
    ) -> PlannedChange:
        body, record = content
        bare = Create(
            source=case.entry.source, creates=Creates.HOLDING, sigel=sigel, of=request.ref
        )
        operation = neutral_operation(bare, self.contexts.iris) | dict(named)
        intent = CreateIntent(
            sigel=sigel,
            operation=operation,
            wish=None if wished is None else operation | dict(wished),
            pattern=transfer_pattern(_TRANSFERS[request.verb], Sentence("part_create_new")),
            origins=source.as_origins(),
        )
        target = Target.of(request)
        target.kind = "holding"

        def create() -> Fields:
            bib = self.creations.place(request, target, case.look)
            settled = self.creations.settled(request, target, intent, bib, case.look)
            if settled is not None:
                return settled
            document = build_create(
                replace(bare, body=body, record=record),
                iris=self.contexts.iris,
                bib_thing_iri=bib.thing_iri,
                from_records=True,
            )
            return self.creations.created(document, intent.pattern)

        change = self.drafter.change(request, target, create)
        places = lost(source.now or {})
        if change.action is not Action.CREATE or not places:
            return change
        note = ("not_taken_along", Sentence("not_taken_along", places=", ".join(places)))
        return replace(change, notes=(*change.notes, note))

    def _where_to(
        self, action: StepCopy | StepSplit, target: Target, context: Context
    ) -> tuple[str, str]:
        """Return the library and the bib of a new holding; where not named, the old one's."""
        sigel = (
            target.sigel or ""
            if action.sigel is None
            else sigel_of(looked_up(action.sigel, context))
        )
        if action.of is None:
            return sigel, _bib_of(target)
        return sigel, self._record(looked_up(action.of, context))

    def _record(self, value: Any) -> str:
        """Return the record that a value names."""
        text = value.get("@id") if isinstance(value, dict) else value
        if not isinstance(text, str) or not text.strip():
            raise Refused("unreadable_id", Sentence("value_no_id"), Sentence("value_no_id_hint"))
        found = identify(text, self.contexts.iris)
        if isinstance(found, Refusal):
            raise Refused.of(found)
        (record,) = self.reading.named(found.text)
        return record

    def _named_record(self, value: Any, context: Context) -> Any:
        """Return what a value names, alike in every environment."""
        named = named_value(value, context)
        found = identify(named, self.contexts.iris) if isinstance(named, str) else None
        return found.text if isinstance(found, Identifier) else named

    # --- to another library ------------------------------------------------------------------

    def _moved(
        self, case: Case, action: StepMove, target: Target, saved: list[PlannedChange]
    ) -> Fields:
        """Create the holding for another library, then delete it here."""
        context = self._met(case, target)
        intent = DeleteIntent(
            operation={"delete": target.name, "moved_to": named_value(action.to, context)},
            pattern=transfer_pattern(_TRANSFERS["move"], Sentence("part_delete_old")),
        )
        if (settled := self._settled(case, target, context, intent)) is not None:
            return settled
        with still_wanted(target):
            to = sigel_of(looked_up(action.to, context))
            if to == target.sigel:
                raise PassedOver("already_there", Sentence("holder_already", sigel=to))
            content = content_for(target.now or {}, to)
            source = {"from": target.name, **_changed_before(target)}
            saved.append(self._saved(case, target, to, _bib_of(target), content, source))
        return self.existing.deleted(target, intent)

    # --- into another holding ----------------------------------------------------------------

    def _merged(
        self, case: Case, action: StepMerge, target: Target, saved: list[PlannedChange]
    ) -> Fields:
        """Add content to another holding, then delete the one that it is from."""
        context = self._met(case, target)
        intent = DeleteIntent(
            operation={
                "delete": target.name,
                "merged_into": self._named_record(action.into, context)
                if action.holding_of is None
                else {"holding_of": named_value(action.holding_of, context)},
                "take": list(action.take),
            },
            pattern=transfer_pattern(_TRANSFERS["merge"], Sentence("part_delete_merged")),
        )
        if (settled := self._settled(case, target, context, intent)) is not None:
            return settled
        with still_wanted(target):
            into = self._merge_target(action, target, context, case)
            change = self._added_to(case, into, target, action.take)
            saved.append(change)
            places = left_behind(target.now or {}, change.after or change.before or {})
            if places:
                text = Sentence("goes_with_merged", places=", ".join(places))
                target.notes = (*target.notes, ("not_taken_along", text))
        return self.existing.deleted(target, intent)

    def _merge_target(self, action: StepMerge, target: Target, context: Context, case: Case) -> str:
        """Return the holding that is merged into, by its id or its place in the plan."""
        if action.holding_of is None:
            return self._record(looked_up(action.into, context))
        sigel = sigel_of(looked_up(action.holding_of, context))
        found = self.creations.standing_on(_bib_of(target), sigel, case.look)
        others = [name for name in found if name != target.name_in_plan]
        if found and not others and case.entry.step.holdings is not None:
            raise PassedOver("same_record", Sentence("merge_target_itself"))
        if len(others) == 1:
            return others[0]
        raise Refused(
            "no_target" if not others else "several_hits",
            Sentence("several_targets", sigel=sigel, count=len(others), shown=", ".join(others[:3]))
            if others
            else Sentence("no_other_target", sigel=sigel),
            Sentence("targets_hint"),
        )

    def _added_to(
        self, case: Case, into: str, source: Target, take: tuple[str, ...]
    ) -> PlannedChange:
        request = case.other(into)
        target = Target.of(request)

        def add() -> Fields:
            self.existing.meet(request, target, case.look, kind="holding")
            if target.record == source.record:
                raise Refused.of(_same_record())
            operation = {"update": target.name, "merge": source.name, "take": list(take)}
            operation |= _changed_before(source)
            intent = UpdateIntent(
                operation=operation,
                wish=operation | {"content": digest(taken(source.now or {}, take))},
                pattern=tuple(Sentence("part_merge", at=place) for place in take),
                origins=source.as_origins(),
            )
            if (settled := self.existing.settled(request, target, intent)) is not None:
                return settled
            result = merged(target.now or {}, source.now or {}, take, self.contexts.iris)
            return self.existing.updated(target, intent, result)

        change = self.drafter.change(request, target, add)
        if change.code == "same_record" and case.entry.step.holdings is not None:
            raise PassedOver("same_record", Sentence("merge_target_itself"))
        if change.code == "same_record":
            raise Refused.of(_same_record())
        if change.action in FAILED:
            raise Refused.of(_no_target(into, change))
        return change

    # --- in two ------------------------------------------------------------------------------

    def _split(
        self, case: Case, action: StepSplit, target: Target, saved: list[PlannedChange]
    ) -> Fields:
        """Create a holding of components, then take them out of the one that has them."""
        context = self._met(case, target)
        condition = bind_condition(action.components, context)
        named = condition_data(condition, self.contexts.iris)
        intent = UpdateIntent(
            operation={"update": target.name, "split": named}, pattern=(Sentence("part_split"),)
        )
        if (settled := self._settled(case, target, context, intent)) is not None:
            return settled
        with still_wanted(target):
            gone, rest = parted(
                target.now or {}, lambda component: holds(condition, context.at(component))
            )
            if not gone:
                said = Sentence("nothing_to_split", condition=condition_text(condition))
                raise PassedOver("nothing_to_split", said)
            if COMPONENTS not in rest.document["@graph"][1]:
                raise Refused.of(_all_components())
            sigel, bib = self._where_to(action, target, context)
            body = {COMPONENTS: owned(gone, target.sigel or "", sigel)}
            source = {"split_from": target.name, "components": named, **_changed_before(target)}
            saved.append(self._saved(case, target, sigel, bib, (body, {}), source))
        return self.existing.updated(target, intent, rest)

    # --- on another bib ----------------------------------------------------------------------

    def _repointed(self, case: Case, action: StepRepoint, target: Target) -> Fields:
        context = self._met(case, target)
        intent = UpdateIntent(
            operation={"update": target.name, "repoint": self._named_record(action.to, context)},
            pattern=(Sentence("part_repoint"),),
        )
        if (settled := self._settled(case, target, context, intent)) is not None:
            return settled
        with still_wanted(target):
            bib = self.reading.bib(self._record(looked_up(action.to, context)))
            try:
                self.creations.hang(case.request, bib, target, case.look)
            except PassedOver as passed:
                if passed.code != "already_there":
                    target.notes = (*target.notes, LEFT_BEHIND)
                raise
        return self.existing.updated(target, intent, repointed(target.now or {}, bib.thing_iri))

    # --- a copy ------------------------------------------------------------------------------

    def _copy(self, case: Case, action: StepCopy, target: Target) -> list[Draft]:
        def examine() -> tuple[Document, str, str]:
            self.existing.know(case.request, target, case.look, kind="holding")
            context = self.contexts.of_record(case.entry, target, case.look)
            self._admit(case, target, context)
            content = lacking(target.now or {}, action.without, self.contexts.iris)
            if isinstance(content, Refusal):
                raise Refused.of(content)
            return content, *self._where_to(action, target, context)

        examined = self.drafter.attempt(case.request, examine, target)
        if isinstance(examined, PlannedChange):
            return [Draft(change=examined)]
        document, sigel, bib = examined
        source = {"copy_of": target.name, **_changed_before(target)}
        change = self._created(
            replace(case.request, ref=bib),
            case,
            target,
            sigel,
            content_for(document, sigel),
            source,
        )
        if change.action is not Action.UNCHANGED or change.made is not None:
            change = replace(change, place=copied_key(target.target_key or ""))
        drafts = [Draft(change=change)]
        if change.action in FAILED and target.earlier is not None:
            # What earlier steps do to the record whose copy is refused falls with that.
            original = self.existing.refuse(case.request, fallen(change), case.look, kind="holding")
            drafts.append(Draft(change=original))
        return drafts


def _changed_before(target: Target) -> dict[str, Any]:
    """Return what the plan does to a record before its content is taken elsewhere."""
    earlier = target.earlier
    return {"changed": earlier.wish_digest()} if earlier is not None and earlier.operation else {}


def _bib_of(target: Target) -> str:
    """Return the bib that a holding is on."""
    if not target.on_bib:
        raise Refused.of(bib_unresolved(thing_part(target.now or {}).get("itemOf")))
    return target.on_bib


def _after(saved: list[PlannedChange], change: PlannedChange) -> list[Draft]:
    """Return a change after what saves the content; alone where it is not made."""
    if change.action not in WRITING and change.code != "created_and_deleted":
        return [Draft(change=change)]
    drafts = [Draft(change=one) for one in saved]
    return [*drafts, Draft(change=change, needs=tuple(range(len(drafts))))]


def _same_record() -> Refusal:
    return Refusal("same_record", Sentence("same_record"), Sentence("same_record_hint"))


def _no_target(into: str, change: PlannedChange) -> Refusal:
    if change.kind == "bib":
        return Refusal(
            "no_target", Sentence("target_is_bib", into=into), Sentence("target_is_bib_hint")
        )
    return Refusal(
        "no_target",
        Sentence("no_target", into=into, why=change.message or change.code),
        Sentence("no_target_hint"),
    )


def _all_components() -> Refusal:
    return Refusal("all_components", Sentence("all_components"), Sentence("all_components_hint"))


_TRANSFERS = {
    "move": Sentence("pattern_move"),
    "copy": Sentence("pattern_copy"),
    "split": Sentence("pattern_split"),
    "merge": Sentence("pattern_merge"),
}
