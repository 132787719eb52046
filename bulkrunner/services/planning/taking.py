"""Steps that take content out of one holding and into another: move, merge, split.

Each is planned as changes to single records, which wait for each other: what is saved elsewhere is
saved first, and only then taken away here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.conditions import condition_data, condition_text, ground_condition, holds
from bulkrunner.domain.context import Context
from bulkrunner.domain.operations import (
    Refusal,
)
from bulkrunner.domain.places import PlaceRefused
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.domain.steps import (
    StepMerge,
    StepMove,
    StepSplit,
)
from bulkrunner.domain.transfers import (
    COMPONENTS,
    content_for,
    left_behind,
    merged,
    owned,
    parted,
    taken,
)
from bulkrunner.services.planning.referring import looked_up
from bulkrunner.services.planning.saving import (
    Case,
    Saving,
    bib_of,
    changed_before,
    named_value,
    sigel_of,
)
from bulkrunner.services.planning.steps import (
    Draft,
    Edit,
    Known,
    PassedOver,
    Refused,
    Removal,
)


class Taking(Saving):
    """Plans such steps record by record; thread safe, keeps nothing per record."""

    # --- to another library ------------------------------------------------------------------

    def move(self, case: Case, action: StepMove) -> list[Draft]:
        """Create the holding for another library, then delete it here."""
        saved: list[PlannedChange] = []

        def build(known: Known) -> Removal:
            context = self._contexts.of_record(case.entry, known, case.look)

            def first() -> None:
                to = sigel_of(looked_up(action.to, context))
                if to == known.sigel:
                    raise PassedOver("already_there", f"the holding belongs to {to} already")
                body, record = content_for(known.now or {}, to)
                source = {"from": known.name, **changed_before(known)}
                saved.append(self._save(case, known, to, bib_of(known), body, record, source))

            return Removal(
                operation={"delete": known.name, "moved_to": named_value(action.to, context)},
                admit=lambda: self._admit(case, known, context),
                first=first,
                pattern="move holding: delete the old one",
            )

        change = self._resolver.concern(case.task, build, case.look, kind="holding")
        return _after(saved, change)

    # --- into another holding ----------------------------------------------------------------

    def merge(self, case: Case, action: StepMerge) -> list[Draft]:
        """Add content to another holding, then delete the one that it is from."""
        saved: list[PlannedChange] = []

        def build(known: Known) -> Removal:
            context = self._contexts.of_record(case.entry, known, case.look)

            def first() -> None:
                into = self._target(action, known, context, case)
                target = self._added_to(case, into, known, action.take)
                saved.append(target)
                places = left_behind(known.now or {}, target.after or target.before or {})
                if places:
                    text = f"goes away with the merged holding: {', '.join(places)}"
                    known.notes = (*known.notes, ("not_taken_along", text))

            return Removal(
                operation={
                    "delete": known.name,
                    "merged_into": self._named_record(action.into, context)
                    if action.holding_of is None
                    else {"holding_of": named_value(action.holding_of, context)},
                    "take": list(action.take),
                },
                admit=lambda: self._admit(case, known, context),
                first=first,
                pattern="merge holding: delete the merged one",
            )

        change = self._resolver.concern(case.task, build, case.look, kind="holding")
        return _after(saved, change)

    def _target(self, action: StepMerge, known: Known, context: Context, case: Case) -> str:
        """Return the holding that is merged into, by its id or its place in the plan."""
        if action.holding_of is None:
            return self._record(looked_up(action.into, context))
        sigel = sigel_of(looked_up(action.holding_of, context))
        found = self._resolver.standing_on(bib_of(known), sigel, case.look)
        others = [name for name in found if name != known.name_in_plan]
        if found and not others and case.entry.step.holdings is not None:
            raise PassedOver("same_record", "the other holdings of the bib are merged into it")
        if len(others) == 1:
            return others[0]
        raise Refused(
            Refusal(
                code="no_target" if not others else "several_hits",
                message=f"{sigel} has {len(others) or 'no'} other holding{'s' * bool(others)} on "
                f"the bib{': ' * bool(others)}{', '.join(others[:3])}",
                hint="nothing is deleted; name the holding, or leave such bibs out with a condition",
            )
        )

    def _added_to(
        self, case: Case, into: str, source: Known, take: tuple[str, ...]
    ) -> PlannedChange:
        def build(target: Known) -> Edit:
            if target.record == source.record:
                raise Refused(_same_record())
            operation = {"update": target.name, "merge": source.name, "take": list(take)}
            operation |= changed_before(source)
            return Edit(
                operation=operation,
                wish=operation | {"content": digest(taken(source.now or {}, take))},
                change=lambda now: merged(now, source.now or {}, take, self._iris),
                pattern=tuple(f"merge {place}" for place in take),
                origins=source.as_origins(),
            )

        change = self._resolver.concern(case.other(into), build, case.look, kind="holding")
        if change.code == "same_record" and case.entry.step.holdings is not None:
            raise PassedOver("same_record", "the other holdings of the bib are merged into it")
        if change.code == "same_record":
            raise Refused(_same_record())
        if change.action in (Action.REFUSED, Action.NOT_FOUND):
            raise Refused(_no_target(into, change))
        return change

    # --- in two ------------------------------------------------------------------------------

    def split(self, case: Case, action: StepSplit) -> list[Draft]:
        """Create a holding of components, then take them out of the one that has them."""
        saved: list[PlannedChange] = []

        def build(known: Known) -> Edit:
            context = self._contexts.of_record(case.entry, known, case.look)

            condition = ground_condition(action.components, context)
            named = condition_data(condition, self._iris)

            def goes(component: Mapping[str, Any]) -> bool:
                try:
                    return holds(condition, context.at(component))
                except PlaceRefused as refused:
                    raise Refused(refused.refusal) from None

            def first() -> None:
                gone, rest = parted(known.now or {}, goes)
                if not gone:
                    what = f"no component meets the condition {condition_text(condition)}"
                    raise PassedOver("nothing_to_split", what)
                if COMPONENTS not in rest.document["@graph"][1]:
                    raise Refused(_all_components())
                sigel, bib = self._where_to(action, known, context)
                body = {COMPONENTS: owned(gone, known.sigel or "", sigel)}
                source = {"split_from": known.name, "components": named, **changed_before(known)}
                saved.append(self._save(case, known, sigel, bib, body, {}, source))

            return Edit(
                operation={"update": known.name, "split": named},
                change=lambda now: parted(now, goes)[1],
                pattern=("split components",),
                admit=lambda: self._admit(case, known, context),
                first=first,
            )

        change = self._resolver.concern(case.task, build, case.look, kind="holding")
        return _after(saved, change)


def _after(saved: list[PlannedChange], change: PlannedChange) -> list[Draft]:
    """Return a change after what saves the content; alone where it is not made."""
    if change.action not in WRITING and change.code != "created_and_deleted":
        return [Draft(change=change)]
    drafts = [Draft(change=one) for one in saved]
    return [*drafts, Draft(change=change, needs=tuple(range(len(drafts))))]


def _same_record() -> Refusal:
    return Refusal(
        code="same_record",
        message="the holding would be merged into itself",
        hint="name another holding as the target",
    )


def _no_target(into: str, change: PlannedChange) -> Refusal:
    if change.kind == "bib":
        return Refusal(
            code="no_target",
            message=f"{into} is a bib, and content is merged into a holding",
            hint="nothing is deleted; give the id of the library's holding on it",
        )
    return Refusal(
        code="no_target",
        message=f"it cannot be merged into {into}: {change.message or change.code}",
        hint="nothing is deleted; name a holding that the job may change",
    )


def _all_components() -> Refusal:
    return Refusal(
        code="all_components",
        message="every component meets the condition; nothing would be left",
        hint="move or copy the holding instead",
    )
