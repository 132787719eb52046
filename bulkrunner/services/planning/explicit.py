"""Explicit operations: each is one planned change, whose number is its place in the list."""

from __future__ import annotations

from dataclasses import replace

from bulkrunner.domain.created import PREFIX
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Operation, Unreadable
from bulkrunner.domain.operations import neutral_operation
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.services.planning.operating import Operating
from bulkrunner.services.planning.steps import Draft, Refused, Task
from bulkrunner.services.planning.view import Look


class Explicit:
    """Turns explicit operations into planned changes."""

    def __init__(self, operating: Operating, iris: IriMap) -> None:
        self._operating = operating
        self._iris = iris

    def resolve(self, number: int, declared: Operation | Unreadable, look: Look) -> Draft:
        """Return the planned change of one operation; refusals are changes too.

        Args:
            number: place in the list.
            declared: the operation.
            look: at what precedes in the plan.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        if isinstance(declared, Unreadable):
            return Draft(change=_unreadable(declared), alone=True)
        named = _named(declared, number)
        task = Task(
            source=declared.source,
            given=named,
            ref=named,
            verb=type(declared).__name__.lower(),
            operation=neutral_operation(declared, self._iris),
        )
        try:
            found = self._operating.waits(declared, look.numbered)
        except Refused as refused:
            change = self._operating.refused(declared, task, refused.refusal, look)
            return Draft(change=change, alone=True)
        change = self._operating.planned(declared, task, found, look)
        numbers = tuple(sorted({*change.prerequisites, *found.numbers}))
        return Draft(change=replace(change, prerequisites=numbers), alone=True)


def _named(declared: Operation, number: int) -> str:
    if isinstance(declared, Create):
        return declared.of if declared.of is not None else f"{PREFIX}{number}"
    return declared.target


def _unreadable(declared: Unreadable) -> PlannedChange:
    return PlannedChange(
        number=0,
        action=Action.NOT_FOUND if declared.on_missing == "report" else Action.REFUSED,
        record=declared.given,
        given=declared.given,
        source=declared.source,
        operation={},
        code=declared.code,
        message=declared.message,
    )
