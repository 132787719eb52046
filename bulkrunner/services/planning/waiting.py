"""What an operation has to wait for: records to be created, and changes that must end well."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from bulkrunner.domain.created import PREFIX
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import WRITING, Action, PlannedChange
from bulkrunner.services.planning.steps import Refused
from bulkrunner.services.planning.view import Look

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


def waits(after: Iterable[int], references: Iterable[int], look: Look) -> Waits:
    """Return what an operation waits for.

    Args:
        after: numbers of the changes that the manifest names.
        references: numbers of the changes whose records the operation refers to.
        look: at the plan so far.

    Raises:
        Refused: one of them is not carried out, or creates nothing.
    """
    found = Waits(numbers=_numbers(after, look))
    numbers = list(found.numbers)
    for number in sorted(references):
        change = _carried_out(number, look)
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


def _numbers(after: Iterable[int], look: Look) -> tuple[int, ...]:
    changes = [_carried_out(number, look) for number in after]
    return tuple(change.number for change in changes if change.action in WRITING)


def _carried_out(number: int, look: Look) -> PlannedChange:
    change = look.numbered(number)
    if change is None:
        raise _unmet(number, "is not in the plan")
    if change.action in (Action.REFUSED, Action.NOT_FOUND):
        raise _unmet(number, f"is {change.action}: {change.code}")
    return change


def _unmet(number: int, why: str) -> Refused:
    return Refused(
        Refusal(
            code="prerequisite",
            message=f"it waits for change {number}, which {why}",
            hint="put that one right first",
        )
    )
