"""The crash matrix as data: where a process can die, and in the course of what.

``docs/explanation/crash-matrix.md`` shows it; ``tests/project/docs/test_crash_matrix.py`` compares the two.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from bulkrunner.domain.manifest import Declared, Undo
from bulkrunner.domain.run import Outcome
from tests.support.executing import (
    Rig,
    creating_bib,
    creating_holding,
    deleting,
    next_isbn,
    setting,
)


class When(Enum):
    """How a process is stopped at exactly one place."""

    BEFORE = "just before a call"
    AFTER = "just after a call"
    IN_COMMIT = "the statements of a transaction are executed, its commit is not"
    AT_SERVER = "killed by the server, as it works on the write request"


class Doom(Enum):
    """What becomes of a request whose sender the server kills."""

    DROPPED = "never carried out"
    HELD = "carried out when the next owner has looked and sends its own"
    DONE = "carried out, never answered"


@dataclass(frozen=True, kw_only=True)
class Point:
    """A point at which the process that drives a run dies.

    Attributes:
        call: of the ledger, where that is the place; for IN_COMMIT within it, or the kind of the
            entry that the group writer commits.
        sent: the intent is on disk by then. written: the server stores what was sent.
        known: the ledger has the server's answer.
        earlier: the run was already taken up from a process that died there.
    """

    name: str
    when: When
    call: str = ""
    doom: Doom | None = None
    sent: bool = False
    written: bool = False
    known: bool = False
    earlier: Point | None = None


_INTENT = Point(name="intent", when=When.AFTER, call="runs.intend", sent=True)
_WROTE = Point(name="wrote", when=When.AT_SERVER, doom=Doom.DONE, sent=True, written=True)
_AFTER_ANSWER: dict[str, Any] = {"sent": True, "written": True, "known": True}

POINTS = (
    Point(name="started", when=When.AFTER, call="runs.start"),
    Point(name="looked", when=When.BEFORE, call="runs.intend"),
    Point(name="intent-commit", when=When.IN_COMMIT, call="intent"),
    _INTENT,
    Point(name="sent", when=When.AT_SERVER, doom=Doom.DROPPED, sent=True),
    Point(name="late", when=When.AT_SERVER, doom=Doom.HELD, sent=True, written=True),
    _WROTE,
    Point(name="answered", when=When.BEFORE, call="runs.answered", sent=True, written=True),
    Point(name="answer-commit", when=When.IN_COMMIT, call="answer", sent=True, written=True),
    Point(name="answer", when=When.AFTER, call="runs.answered", **_AFTER_ANSWER),
    Point(name="confirmed", when=When.BEFORE, call="runs.conclude", **_AFTER_ANSWER),
    Point(name="outcome-commit", when=When.IN_COMMIT, call="outcome", **_AFTER_ANSWER),
    Point(name="outcome", when=When.AFTER, call="runs.conclude", **_AFTER_ANSWER),
    Point(name="ended", when=When.AFTER, call="runs.move", **_AFTER_ANSWER),
    Point(name="taken-over", when=When.AFTER, call="leases.take", sent=True, earlier=_INTENT),
    Point(
        name="settled",
        when=When.BEFORE,
        call="runs.conclude",
        sent=True,
        written=True,
        earlier=_WROTE,
    ),
)

PLAN_POINTS = (
    Point(name="plan-begun", when=When.AFTER, call="plans.begin"),
    Point(name="plan-read", when=When.BEFORE, call="plans.add_changes"),
    Point(name="plan-commit", when=When.IN_COMMIT, call="plans.add_changes"),
    Point(name="plan-stored", when=When.AFTER, call="plans.add_changes"),
    Point(name="plan-whole", when=When.BEFORE, call="plans.finish"),
    Point(name="plan-finished", when=When.AFTER, call="plans.finish"),
)
"""The same of a process that plans."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operation on records of its own, ready to be planned.

    Attributes:
        record: whose history must grow by one version; None where a record is made.
    """

    declared: Declared
    record: str | None = None
    head: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A kind of change. ``prepare`` makes what it needs in the catalogue."""

    name: str
    prepare: Callable[[Rig], Case]


def _update(rig: Rig) -> Case:
    record = rig.made_holding(rig.made_bib(), shelfMark={"@type": "ShelfMark", "label": "Hc"})
    return Case(declared=setting(record, "Hce"), record=record)


def _delete(rig: Rig) -> Case:
    record = rig.made_holding(rig.made_bib())
    return Case(declared=deleting(record), record=record)


def _create(rig: Rig) -> Case:
    return Case(declared=creating_holding(rig.made_bib(), physicalLocation=["MAG"]))


def _update_bib(rig: Rig) -> Case:
    record = rig.made_bib()
    return Case(declared=setting(record, "x", at="responsibilityStatement"), record=record)


def _delete_bib(rig: Rig) -> Case:
    record = rig.made_bib()
    return Case(declared=deleting(record), record=record)


def _create_bib(_rig: Rig) -> Case:
    return Case(declared=creating_bib("En bok"))


def _create_bib_isbn(_rig: Rig) -> Case:
    isbn = {"@type": "ISBN", "value": next_isbn()}
    return Case(declared=creating_bib("En bok", identifiedBy=[isbn]))


def _undo(prepare: Callable[[Rig], Case]) -> Callable[[Rig], Case]:
    """Carry an operation out and return what takes it back."""

    def prepared(rig: Rig) -> Case:
        case = prepare(rig)
        plan = rig.plan(case.declared)
        run = rig.run(plan)
        (ended,) = rig.ended(run)
        undo = {"job": plan.job, "effect_digest": plan.effect_digest}
        declared = Undo(source=case.declared.source, **undo)
        recreated = prepare is _delete
        return Case(
            declared=declared,
            record=None if recreated else ended.result.record,
            head={"undo": undo},
        )

    return prepared


OPERATIONS = (
    Operation(name="update", prepare=_update),
    Operation(name="delete", prepare=_delete),
    Operation(name="create", prepare=_create),
    Operation(name="update-bib", prepare=_update_bib),
    Operation(name="delete-bib", prepare=_delete_bib),
    Operation(name="create-bib", prepare=_create_bib),
    Operation(name="create-bib-isbn", prepare=_create_bib_isbn),
    Operation(name="undo-update", prepare=_undo(_update)),
    Operation(name="undo-delete", prepare=_undo(_delete)),
    Operation(name="undo-create", prepare=_undo(_create)),
)

DELETES = frozenset({"delete", "delete-bib", "undo-create"})
BIB_CREATES = frozenset({"create-bib", "create-bib-isbn"})


@dataclass(frozen=True, kw_only=True)
class Cell:
    """What must come of one operation whose process dies at one point."""

    point: Point
    operation: Operation

    @property
    def id(self) -> str:
        return f"{self.operation.name}-at-{self.point.name}"

    @property
    def outcome(self) -> Outcome:
        """Of the change, after the run was taken up."""
        if self.operation.name not in BIB_CREATES or self.point.known or not self.point.sent:
            return Outcome.APPLIED
        # The server has no test for duplicates of bibs: without proof nothing is sent again.
        found = self.point.written and self.point.doom is not Doom.HELD
        provable = self.operation.name == "create-bib-isbn"
        return Outcome.APPLIED if found and provable else Outcome.UNKNOWN

    @property
    def code(self) -> str:
        if self.outcome is Outcome.UNKNOWN:
            return "bib_create_unproven"
        # Without an answer on disk nobody can prove whose deletion it was.
        unproven = self.point.written and not self.point.known
        return "author_unproven" if unproven and self.operation.name in DELETES else ""

    @property
    def stored(self) -> int:
        """Versions that the server has stored in the end."""
        return int(self.outcome is Outcome.APPLIED or self.point.written)


CELLS = tuple(
    Cell(point=point, operation=operation) for point in POINTS for operation in OPERATIONS
)
PLAN_CELLS = tuple(
    Cell(point=point, operation=operation) for point in PLAN_POINTS for operation in OPERATIONS
)
