"""Steps that take content out of one holding and into another: move, merge, split, repoint, copy.

Each is planned as changes to single records, which wait for each other: what is saved elsewhere is
saved first, and only then taken away here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.change_patterns import transfer_pattern
from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.expressions.conditions import (
    bind_condition,
    condition_data,
    condition_text,
    holds,
)
from bulkrunner.domain.expressions.parsing import brief
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import bind, written
from bulkrunner.domain.identifiers import Identifier, identify
from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.operations import (
    Applied,
    build_create,
    check_expect,
    neutral_operation,
)
from bulkrunner.domain.plan import WRITING, Action, PlannedChange, copied_key
from bulkrunner.domain.records import Document, held_by, thing_part
from bulkrunner.domain.refusals import Refusal, Refused
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
from bulkrunner.domain.undo import changed_paths, restored
from bulkrunner.sentences import Sentence
from bulkrunner.services.planning.contexts import Contexts, admit, fitting, looked_up
from bulkrunner.services.planning.draft import (
    FAILED,
    LEFT_BEHIND,
    Creation,
    Draft,
    Edit,
    Known,
    PassedOver,
    Removal,
    Task,
    demand,
    fallen,
    library_said,
)
from bulkrunner.services.planning.earlier_runs import Moment, States
from bulkrunner.services.planning.plan_so_far import Look
from bulkrunner.services.planning.records import bib_unresolved
from bulkrunner.services.planning.resolver import Resolver


@dataclass(frozen=True, kw_only=True)
class Case:
    """One record of a step, and how it is planned."""

    entry: StepEntry
    task: Task
    look: Look

    def other(self, ref: str, **more: Any) -> Task:
        """Return the task of another record that the step writes for this one."""
        return replace(self.task, ref=ref, subject=False, **more)


class Saving:
    """Plans the holdings that take content in; thread safe, keeps nothing per record."""

    def __init__(self, resolver: Resolver, contexts: Contexts, states: States) -> None:
        """Act.

        Args:
            resolver: that reads and proves.
            contexts: of records, for conditions and values.
            states: finds earlier content.
        """
        self._resolver = resolver
        self._contexts = contexts
        self._states = states
        self._iris = contexts.iris

    def _admit(self, case: Case, known: Known, context: Context) -> None:
        """Go on where the step means the record and it is as expected.

        Raises:
            PassedOver, Refused: otherwise.
        """
        entry = case.entry
        if entry.query is not None and entry.step.concerns_selected and known.before is not None:
            fitting(known.before, entry.query)
        admit(entry.step, context)
        demand(check_expect(context.document, entry.step.expect, self._iris, context))

    def _save(
        self,
        case: Case,
        known: Known,
        sigel: str,
        bib: str,
        body: Mapping[str, Any],
        record: Mapping[str, Any],
        source: Mapping[str, Any],
    ) -> PlannedChange:
        """Return the creation of the holding that takes content in.

        The content is part of what is wished for: what an earlier run saved counts only as long as
        it is what would be saved now.

        Raises:
            Refused, PassedOver: it cannot be created; then nothing is taken away either.
        """
        content = digest([body, record])
        change = self._created(
            case.other(bib), case, known, sigel, body, record, source, {"content": content}
        )
        if change.action in (Action.REFUSED, Action.NOT_FOUND):
            raise Refused.of(Refusal(code=change.code, message=change.message))
        if change.code == "skipped_duplicate":
            known.notes = (*known.notes, LEFT_BEHIND)
            raise PassedOver(change.code, change.message)
        return change

    def _created(
        self,
        task: Task,
        case: Case,
        known: Known,
        sigel: str,
        body: Mapping[str, Any],
        record: Mapping[str, Any],
        source: Mapping[str, Any],
        wished: Mapping[str, Any] | None = None,
    ) -> PlannedChange:
        op = Create(
            source=case.entry.source,
            creates=Creates.HOLDING,
            sigel=sigel,
            of=task.ref,
            body=body,
            record=record,
        )
        bare = replace(op, body={}, record={})
        operation = neutral_operation(bare, self._iris) | dict(source)
        creation = Creation(
            sigel=sigel,
            operation=operation,
            wish=None if wished is None else operation | dict(wished),
            document=lambda iri: build_create(
                op, iris=self._iris, bib_thing_iri=iri, from_records=True
            ),
            pattern=transfer_pattern(_TRANSFERS[task.verb], Sentence("part_create_new")),
            origins=known.as_origins(),
        )
        change = self._resolver.hold(task, lambda _: creation, case.look)
        places = lost(known.now or {})
        if change.action is not Action.CREATE or not places:
            return change
        note = ("not_taken_along", Sentence("not_taken_along", places=", ".join(places)))
        return replace(change, notes=(*change.notes, note))

    def _where_to(
        self, action: StepCopy | StepSplit, known: Known, context: Context
    ) -> tuple[str, str]:
        """Return the library and the bib of a new holding; where not named, the old one's."""
        sigel = (
            known.sigel or ""
            if action.sigel is None
            else sigel_of(looked_up(action.sigel, context))
        )
        if action.of is None:
            return sigel, bib_of(known)
        return sigel, self._record(looked_up(action.of, context))

    def _record(self, value: Any) -> str:
        """Return the record that a value names."""
        text = value.get("@id") if isinstance(value, dict) else value
        if not isinstance(text, str) or not text.strip():
            raise Refused.of(
                Refusal(
                    code="unreadable_id",
                    message=Sentence("value_no_id"),
                    hint=Sentence("value_no_id_hint"),
                )
            )
        found = identify(text, self._iris)
        if isinstance(found, Refusal):
            raise Refused.of(Refusal(code=found.code, message=found.message, hint=found.hint))
        (record,) = self._resolver.named(found.text)
        return record

    def _named_record(self, value: Any, context: Context) -> Any:
        """Return what a value names, alike in every environment."""
        named = named_value(value, context)
        found = identify(named, self._iris) if isinstance(named, str) else None
        return found.text if isinstance(found, Identifier) else named


def named_value(value: Any, context: Context) -> Any:
    """Return a value with the row and parameters looked up, as plain data."""
    return written(bind(value, context))


def changed_before(known: Known) -> dict[str, Any]:
    """Return what the plan does to a record before its content is taken elsewhere."""
    earlier = known.earlier
    return {"changed": earlier.wish_digest()} if earlier is not None and earlier.operation else {}


def bib_of(known: Known) -> str:
    """Return the bib that a holding is on.

    Raises:
        Refused: it is on none that is known here.
    """
    if not known.on_bib:
        raise Refused.of(bib_unresolved(thing_part(known.now or {}).get("itemOf")))
    return known.on_bib


def sigel_of(value: Any) -> str:
    """Return a value that names a library.

    Raises:
        Refused: it is no text.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Refused.of(
        Refusal(
            code="no_sigel",
            message=Sentence("sigel_no_text"),
            hint=Sentence("sigel_no_text_hint"),
        )
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
                    raise PassedOver("already_there", Sentence("holder_already", sigel=to))
                body, record = content_for(known.now or {}, to)
                source = {"from": known.name, **changed_before(known)}
                saved.append(self._save(case, known, to, bib_of(known), body, record, source))

            return Removal(
                operation={"delete": known.name, "moved_to": named_value(action.to, context)},
                admit=lambda: self._admit(case, known, context),
                first=first,
                pattern=transfer_pattern(_TRANSFERS["move"], Sentence("part_delete_old")),
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
                    text = Sentence("goes_with_merged", places=", ".join(places))
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
                pattern=transfer_pattern(_TRANSFERS["merge"], Sentence("part_delete_merged")),
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
            raise PassedOver("same_record", Sentence("merge_target_itself"))
        if len(others) == 1:
            return others[0]
        raise Refused.of(
            Refusal(
                code="no_target" if not others else "several_hits",
                message=Sentence(
                    "several_targets", sigel=sigel, count=len(others), shown=", ".join(others[:3])
                )
                if others
                else Sentence("no_other_target", sigel=sigel),
                hint=Sentence("targets_hint"),
            )
        )

    def _added_to(
        self, case: Case, into: str, source: Known, take: tuple[str, ...]
    ) -> PlannedChange:
        def build(target: Known) -> Edit:
            if target.record == source.record:
                raise Refused.of(_same_record())
            operation = {"update": target.name, "merge": source.name, "take": list(take)}
            operation |= changed_before(source)
            return Edit(
                operation=operation,
                wish=operation | {"content": digest(taken(source.now or {}, take))},
                change=lambda now: merged(now, source.now or {}, take, self._iris),
                pattern=tuple(Sentence("part_merge", at=place) for place in take),
                origins=source.as_origins(),
            )

        change = self._resolver.concern(case.other(into), build, case.look, kind="holding")
        if change.code == "same_record" and case.entry.step.holdings is not None:
            raise PassedOver("same_record", Sentence("merge_target_itself"))
        if change.code == "same_record":
            raise Refused.of(_same_record())
        if change.action in (Action.REFUSED, Action.NOT_FOUND):
            raise Refused.of(_no_target(into, change))
        return change

    # --- in two ------------------------------------------------------------------------------

    def split(self, case: Case, action: StepSplit) -> list[Draft]:
        """Create a holding of components, then take them out of the one that has them."""
        saved: list[PlannedChange] = []

        def build(known: Known) -> Edit:
            context = self._contexts.of_record(case.entry, known, case.look)

            condition = bind_condition(action.components, context)
            named = condition_data(condition, self._iris)

            def goes(component: Mapping[str, Any]) -> bool:
                return holds(condition, context.at(component))

            def first() -> None:
                gone, rest = parted(known.now or {}, goes)
                if not gone:
                    said = Sentence("nothing_to_split", condition=condition_text(condition))
                    raise PassedOver("nothing_to_split", said)
                if COMPONENTS not in rest.document["@graph"][1]:
                    raise Refused.of(_all_components())
                sigel, bib = self._where_to(action, known, context)
                body = {COMPONENTS: owned(gone, known.sigel or "", sigel)}
                source = {"split_from": known.name, "components": named, **changed_before(known)}
                saved.append(self._save(case, known, sigel, bib, body, {}, source))

            return Edit(
                operation={"update": known.name, "split": named},
                change=lambda now: parted(now, goes)[1],
                pattern=(Sentence("part_split"),),
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
        message=Sentence("same_record"),
        hint=Sentence("same_record_hint"),
    )


def _no_target(into: str, change: PlannedChange) -> Refusal:
    if change.kind == "bib":
        return Refusal(
            code="no_target",
            message=Sentence("target_is_bib", into=into),
            hint=Sentence("target_is_bib_hint"),
        )
    return Refusal(
        code="no_target",
        message=Sentence("no_target", into=into, why=change.message or change.code),
        hint=Sentence("no_target_hint"),
    )


def _all_components() -> Refusal:
    return Refusal(
        code="all_components",
        message=Sentence("all_components"),
        hint=Sentence("all_components_hint"),
    )


class Acting(Taking):
    """Plans such steps record by record; thread safe, keeps nothing per record."""

    def act(self, entry: StepEntry, action: StepTransfer, task: Task, look: Look) -> list[Draft]:
        """Return the changes that come of one record, at least one.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        case = Case(entry=entry, task=task, look=look)
        match action:
            case StepMove():
                return self.move(case, action)
            case StepRepoint():
                return self._repoint(case, action)
            case StepCopy():
                return self._copy(case, action)
            case StepMerge():
                return self.merge(case, action)
            case StepSplit():
                return self.split(case, action)
            case StepRevert():
                return self._revert(case, action)

    # --- on another bib ----------------------------------------------------------------------

    def _repoint(self, case: Case, action: StepRepoint) -> list[Draft]:
        def build(known: Known) -> Edit:
            context = self._contexts.of_record(case.entry, known, case.look)
            target: list[str] = []

            def first() -> None:
                bib = self._resolver.bib(self._record(looked_up(action.to, context)))
                try:
                    self._resolver.hang(case.task, bib, known, case.look)
                except PassedOver as passed:
                    if passed.code != "already_there":
                        known.notes = (*known.notes, LEFT_BEHIND)
                    raise
                target.append(bib.thing_iri)

            return Edit(
                operation={
                    "update": known.name,
                    "repoint": self._named_record(action.to, context),
                },
                change=lambda now: repointed(now, target[0]),
                pattern=(Sentence("part_repoint"),),
                admit=lambda: self._admit(case, known, context),
                first=first,
            )

        return [Draft(change=self._resolver.concern(case.task, build, case.look, kind="holding"))]

    # --- a copy ------------------------------------------------------------------------------

    def _copy(self, case: Case, action: StepCopy) -> list[Draft]:
        known = Known(record=case.task.ref)

        def examine() -> tuple[Document, str, str]:
            self._resolver.know(case.task, case.look, known, kind="holding")
            context = self._contexts.of_record(case.entry, known, case.look)
            self._admit(case, known, context)
            content = lacking(known.now or {}, action.without, self._iris)
            if isinstance(content, Refusal):
                raise Refused.of(content)
            return content, *self._where_to(action, known, context)

        examined = self._resolver.attempt(case.task, examine, known)
        if isinstance(examined, PlannedChange):
            return [Draft(change=examined)]
        content, sigel, bib = examined
        body, record = content_for(content, sigel)
        source = {"copy_of": known.name, **changed_before(known)}
        change = self._created(
            replace(case.task, ref=bib), case, known, sigel, body, record, source
        )
        if change.action is not Action.UNCHANGED or change.made is not None:
            change = replace(change, place=copied_key(known.target_key or ""))
        drafts = [Draft(change=change)]
        if change.action in FAILED and known.earlier is not None:
            drafts.append(self._original(case, change))
        return drafts

    def _original(self, case: Case, copy: PlannedChange) -> Draft:
        """Return the record whose copy is refused: what earlier steps do to it falls with that."""

        def build(_: Known) -> Edit:
            raise Refused.of(fallen(copy))

        return Draft(change=self._resolver.concern(case.task, build, case.look, kind="holding"))

    # --- back --------------------------------------------------------------------------------

    def _revert(self, case: Case, action: StepRevert) -> list[Draft]:
        def build(known: Known) -> Edit:
            context = self._contexts.of_record(case.entry, known, case.look)
            to, pattern = _earlier_state(action, context)
            return Edit(
                operation={"update": known.name, "revert": to},
                change=lambda now: self._reverted(now, action, known, case),
                pattern=(pattern,),
                admit=lambda: self._admit(case, known, context),
            )

        return [Draft(change=self._resolver.concern(case.task, build, case.look))]

    def _reverted(
        self, now: Document, action: StepRevert, known: Known, case: Case
    ) -> Applied | Refusal:
        if known.before is None:
            return Refusal(code="no_version", message=Sentence("not_yet_created"))
        old = self._earlier(action, known, self._contexts.of_record(case.entry, known, case.look))
        if isinstance(old, Refusal):
            return old
        if held_by(old) != held_by(now):
            return Refusal(
                code="other_owner",
                message=Sentence("other_owner", sigel=library_said(held_by(old))),
                hint=Sentence("other_owner_hint"),
            )
        after = restored(now, old)
        self._resolver.make_way(case.task, after, known, case.look)
        return Applied(document=after, declared=tuple(changed_paths(now, after)))

    def _earlier(self, action: StepRevert, known: Known, context: Context) -> Document | Refusal:
        """Return the content that is to come back, or why there is none."""
        if action.version is not None:
            return self._states.version(known.record, action.version)
        if action.before is not None:
            return self._states.at(known, _moment(looked_up(action.before, context)))
        if action.edit_by is not None:
            since = None if action.since is None else _moment(looked_up(action.since, context))
            by = sigel_of(looked_up(action.edit_by, context))
            return self._states.before_edit_by(known, by, since)
        return self._states.before(known, action.job, action.effect_digest)


_TRANSFERS = {
    "move": Sentence("pattern_move"),
    "copy": Sentence("pattern_copy"),
    "split": Sentence("pattern_split"),
    "merge": Sentence("pattern_merge"),
}


def _earlier_state(action: StepRevert, context: Context) -> tuple[Any, Sentence]:
    """Return which state is meant, as plain data, and the pattern of giving it back."""
    if action.version is not None:
        return action.version, Sentence("part_revert_to_version")
    if action.before is not None:
        return {"before": named_value(action.before, context)}, Sentence("part_revert_to_day")
    if action.edit_by is not None:
        values = {"before_edit_by": action.edit_by, "since": action.since}
        given = {key: value for key, value in values.items() if value is not None}
        named = {key: named_value(value, context) for key, value in given.items()}
        return named, Sentence("part_revert_to_edit")
    return {"job": action.job, "effect_digest": action.effect_digest}, Sentence(
        "part_revert_to_job"
    )


def _moment(value: Any) -> Moment:
    """Return a moment that a value names.

    Raises:
        Refused: it is none.
    """
    text = str(value).strip()
    span = parse_span(text)
    if span is None:
        raise Refused.of(
            Refusal(
                code="not_a_date",
                message=Sentence("not_a_date", text=brief(text)),
                hint=Sentence("not_a_date_hint"),
            )
        )
    return Moment(text=text, span=span)
