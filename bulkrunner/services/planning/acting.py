"""Steps that are more than one plain operation: move, hang elsewhere, copy, merge, split, revert."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bulkrunner.domain.context import Context
from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.forms import brief
from bulkrunner.domain.operations import (
    Applied,
    Refusal,
)
from bulkrunner.domain.plan import Action, PlannedChange, copied_key
from bulkrunner.domain.records import Document, held_by
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
    content_for,
    lacking,
    repointed,
)
from bulkrunner.domain.undo import changed_paths, restored
from bulkrunner.services.planning.referring import looked_up
from bulkrunner.services.planning.refusing import FAILED, fallen
from bulkrunner.services.planning.saving import (
    Case,
    changed_before,
    named_value,
    sigel_of,
)
from bulkrunner.services.planning.states import Moment
from bulkrunner.services.planning.steps import (
    LEFT_BEHIND,
    Draft,
    Edit,
    Known,
    PassedOver,
    Refused,
    Task,
)
from bulkrunner.services.planning.taking import Taking
from bulkrunner.services.planning.view import Look


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
                pattern=("repoint itemOf",),
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
                raise Refused(content)
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
            raise Refused(fallen(copy))

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
            return Refusal(code="no_version", message="the record is yet to be created")
        old = self._earlier(action, known, self._contexts.of_record(case.entry, known, case.look))
        if isinstance(old, Refusal):
            return old
        if held_by(old) != held_by(now):
            return Refusal(
                code="other_owner",
                message=f"the holding belonged to {held_by(old) or 'no library'} then",
                hint="the server changes no holding's library; use move",
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


def _earlier_state(action: StepRevert, context: Context) -> tuple[Any, str]:
    """Return which state is meant, as plain data, and the pattern of giving it back."""
    if action.version is not None:
        return action.version, "revert to a version"
    if action.before is not None:
        return {"before": named_value(action.before, context)}, "revert to before a day"
    if action.edit_by is not None:
        values = {"before_edit_by": action.edit_by, "since": action.since}
        given = {key: value for key, value in values.items() if value is not None}
        named = {key: named_value(value, context) for key, value in given.items()}
        return named, "revert to before an edit"
    return {"job": action.job, "effect_digest": action.effect_digest}, "revert to before a job"


def _moment(value: Any) -> Moment:
    """Return a moment that a value names.

    Raises:
        Refused: it is none.
    """
    text = str(value).strip()
    span = parse_span(text)
    if span is None:
        raise Refused(
            Refusal(
                code="not_a_date",
                message=f"{brief(text)} is no date",
                hint="write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
            )
        )
    return Moment(text=text, span=span)
