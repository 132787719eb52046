"""What an operation has to wait for: records to be created, and changes that must end well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from bulkrunner.domain.created import PREFIX, place_in_answer
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.services.planning.steps import Refused

Earlier: TypeAlias = Callable[[int], PlannedChange | None]
"""Finds an earlier change by its number."""

NAME_LENGTH = 16
"""Characters of a digest that stand for a record to be created, alike in every environment."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Prerequisites of a change.

    Attributes:
        numbers: changes that must end well first.
        records: short ids of records that an earlier run created already, by number.
        names: what stands for a record to be created in an operation's neutral form, by number.
        creates: the changes that create the records referred to, by number.
    """

    numbers: tuple[int, ...] = ()
    records: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    creates: dict[int, PlannedChange] = field(default_factory=dict)


def waits(after: Iterable[int], references: Iterable[int], earlier: Earlier) -> Waits:
    """Return what an operation waits for.

    Args:
        after: numbers that the manifest names.
        references: numbers of those whose records the operation refers to.
        earlier: finds the change by its number.

    Raises:
        Refused: one of them is not carried out, or creates nothing.
    """
    found = Waits(numbers=_numbers(after, earlier))
    numbers = list(found.numbers)
    for number in sorted(references):
        change = _carried_out(number, earlier)
        created = change.action is Action.CREATE
        if not created and change.made is None:
            raise _unmet(number, "creates no record")
        found.creates[number] = change
        found.names[number] = PREFIX + change.wish_digest().removeprefix("sha256:")[:NAME_LENGTH]
        if created:
            numbers.append(number)
        elif change.made is not None:
            found.records[number] = change.made
    return Waits(
        numbers=tuple(sorted(set(numbers))),
        records=found.records,
        names=found.names,
        creates=found.creates,
    )


def _numbers(after: Iterable[int], earlier: Earlier) -> tuple[int, ...]:
    changes = {number: _carried_out(number, earlier) for number in after}
    return tuple(number for number, change in changes.items() if change.action in WRITING)


def _carried_out(number: int, earlier: Earlier) -> PlannedChange:
    change = earlier(number)
    if change is None:
        raise _unmet(number, "is not in the plan")
    if change.action in (Action.REFUSED, Action.NOT_FOUND):
        raise _unmet(number, f"is {change.action}: {change.code}")
    return change


def _named(number: int) -> str:
    place = place_in_answer(number)
    return f"change {number}" if place is None else f"operation {place} of the function"


def _unmet(number: int, why: str) -> Refused:
    return Refused(
        Refusal(
            code="prerequisite",
            message=f"it waits for {_named(number)}, which {why}",
            hint="put that one right first",
        )
    )
