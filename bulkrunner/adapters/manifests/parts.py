"""What declares operations: streamed entry by entry, each with what it means and what it shares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from bulkrunner.adapters.manifests.inputs import Report
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.changes.change import written_change
from bulkrunner.domain.expressions.expectations import expected_data
from bulkrunner.domain.manifest import Create, Declared, Delete, Undo, Unreadable, Update
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepSelection
from bulkrunner.errors import Fault, Source


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared operation.

    Attributes:
        key: what no two operations of the job may share, if anything.
        meaning: bytes that the digest is made of; empty where nothing is meant.
    """

    source: Source
    declared: Streamed
    key: str | None
    meaning: bytes


class Part(Protocol):
    """Something that declares operations."""

    @property
    def at(self) -> Source:
        """Where its list, or the file that holds it, is named."""

    @property
    def drops_repeats(self) -> bool:
        """Whether the same record twice in this part is dropped; otherwise it is a fault."""

    @property
    def head(self) -> Any:
        """What the part means besides its entries, as plain data."""

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order; faults go to ``report``, and their entries are left out."""

    def fault_of_total(self, total: int, readable: int, /) -> Fault | None:
        """Return a fault that only the whole shows."""

    def input(self) -> Mapping[str, Any] | None:
        """Return how its file was read, once it was; None where there is none."""


def explicit_entry(declared: Declared) -> Entry:
    """Return the entry of what a manifest declares one by one."""
    return Entry(declared.source, declared, key_of(declared), meaning_of(declared))


def counted_as(declared: Streamed) -> str:
    """Return the word that the operation, or a step's entry, is counted under."""
    match declared:
        case InputLine(code=code):
            return code
        case StepSelection():
            return "selection"
        case StepEntry(refusal=Refusal()):
            return "unreadable"
        case StepEntry(step=step):
            return type(step.action).__name__.removeprefix("Step").lower()
        case Update():
            return "update"
        case Delete():
            return "delete"
        case Create():
            return "create"
        case Unreadable():
            return "unreadable"
        case Undo():
            return "undo"


def key_of(declared: Declared) -> str | None:
    """Return what no two operations of a job may share; None where nothing is shared."""
    match declared:
        case Update(target=target) | Delete(target=target):
            return f"record:{target}"
        case Create(of=str(bib), sigel=sigel):
            return f"holding:{bib}:{sigel}"
        case _:
            return None


def meaning_of(declared: Declared) -> bytes:
    """Return canonical bytes of what the operation means, without its place."""
    plain = _plain(declared)
    after = getattr(declared, "after", ())
    return canonical_bytes(plain | {"after": list(after)} if after else plain)


def _plain(declared: Declared) -> dict[str, Any]:
    match declared:
        case Update():
            return {
                "update": declared.target,
                "changes": [written_change(change) for change in declared.changes],
                "replace": declared.replace,
                "resave": declared.resave,
                "expect": _expected(declared.expect),
                **({} if declared.repoint is None else {"repoint": declared.repoint}),
            }
        case Delete():
            return {"delete": declared.target, "expect": _expected(declared.expect)}
        case Create():
            return {
                "create": declared.creates.value,
                "of": declared.of,
                "sigel": declared.sigel,
                "body": declared.body,
                "record": declared.record,
            }
        case Unreadable():
            return {"unreadable": declared.given}
        case Undo():
            only = None if declared.only is None else sorted(declared.only)
            return {"undo": declared.job, "effect": declared.effect_digest, "only": only}


def _expected(expect: Mapping[str, Any]) -> dict[str, Any]:
    return {place: expected_data(value) for place, value in expect.items()}
