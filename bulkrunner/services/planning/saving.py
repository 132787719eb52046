"""What steps that write several records share: the holding that takes content in is saved first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.context import Context
from bulkrunner.domain.identifiers import Identifier, NoIdentifier, identify
from bulkrunner.domain.job import Create, Creates
from bulkrunner.domain.operations import (
    Refusal,
    build_create,
    check_expect,
    neutral_operation,
)
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.records import thing_part
from bulkrunner.domain.steps import (
    StepCopy,
    StepEntry,
    StepSplit,
)
from bulkrunner.domain.transfers import (
    lost,
)
from bulkrunner.domain.values import ground, written
from bulkrunner.services.planning.reading import bib_unresolved
from bulkrunner.services.planning.referring import Contexts, admit, looked_up
from bulkrunner.services.planning.resolving import Resolver
from bulkrunner.services.planning.selecting import fitting
from bulkrunner.services.planning.states import States
from bulkrunner.services.planning.steps import (
    LEFT_BEHIND,
    Creation,
    Known,
    PassedOver,
    Refused,
    Task,
    demand,
)
from bulkrunner.services.planning.view import Look


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
            raise Refused(Refusal(code=change.code, message=change.message))
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
            pattern=f"{task.verb} holding: create the new one",
            origins=known.as_origins(),
        )
        change = self._resolver.hold(task, lambda _: creation, case.look)
        places = lost(known.now or {})
        if change.action is not Action.CREATE or not places:
            return change
        note = ("not_taken_along", f"not in the new holding: {', '.join(places)}")
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
            raise Refused(
                Refusal(
                    code="unreadable_id",
                    message="the value that the step takes a record from is no id",
                    hint="give the id as a text, or as a link with @id",
                )
            )
        found = identify(text, self._iris)
        if isinstance(found, NoIdentifier):
            raise Refused(Refusal(code=found.code, message=found.message, hint=found.hint))
        (record,) = self._resolver.named(found.text)
        return record

    def _named_record(self, value: Any, context: Context) -> Any:
        """Return what a value names, alike in every environment."""
        named = named_value(value, context)
        found = identify(named, self._iris) if isinstance(named, str) else None
        return found.text if isinstance(found, Identifier) else named


def named_value(value: Any, context: Context) -> Any:
    """Return a value with the row and parameters looked up, as plain data."""
    return written(ground(value, context))


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
        raise Refused(bib_unresolved(thing_part(known.now or {}).get("itemOf")))
    return known.on_bib


def sigel_of(value: Any) -> str:
    """Return a value that names a library.

    Raises:
        Refused: it is no text.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    raise Refused(
        Refusal(
            code="no_sigel",
            message="the value that the step takes the sigel from is no text",
            hint="give each row the library's sigel",
        )
    )
