"""The parts that declare operations: an explicit list, a JSON Lines file, steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bulkrunner.adapters.manifests.explicit import key_of, meaning_of, operation_of, unreadable
from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.input import Report, Selected
from bulkrunner.adapters.manifests.inputs import ReportLines, Selection
from bulkrunner.adapters.manifests.job_schema import RowChecker
from bulkrunner.adapters.manifests.jsonl import read_lines
from bulkrunner.adapters.manifests.operation_references import Referring
from bulkrunner.adapters.manifests.problems import shown
from bulkrunner.adapters.manifests.rules import operation_faults
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.domain.canonical import canonical_bytes, digest_of_bytes
from bulkrunner.domain.identifiers import of_canonical
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Declared, Undo
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepSelection
from bulkrunner.domain.steps import Step as Does
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

FaultOfTotal = tuple[str, Sentence, Sentence]
"""Code, message and hint of a fault that only the whole of a list shows."""


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
    def drops_repeats(self) -> bool:
        """Whether the same record twice in this part is dropped; otherwise it is a fault."""

    @property
    def head(self) -> Any:
        """What the part means besides its entries, as plain data."""

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order; faults go to ``report``, and their entries are left out."""

    def fault_of_total(self, total: int, readable: int, /) -> FaultOfTotal | None:
        """Return code, message and hint of a fault that only the whole shows."""

    def input(self) -> Mapping[str, Any] | None:
        """Return how its file was read, once it was; None where there is none."""


@dataclass(frozen=True, kw_only=True)
class InlineOperations:
    """Explicit operations in the manifest, checked already."""

    operations: Sequence[tuple[Mapping[str, Any], Source]]
    iris: IriMap

    drops_repeats = False
    head = "operations"

    def entries(self, _report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order."""
        for data, source in self.operations:
            yield _explicit(operation_of(data, source, self.iris), source)

    def fault_of_total(self, _total: int, _readable: int, /) -> FaultOfTotal | None:
        """Find nothing; the schema wants one operation at least."""
        return None

    def input(self) -> None:
        """Return nothing: there is no list or table."""


@dataclass(frozen=True, kw_only=True)
class FileOperations:
    """Explicit operations in a JSON Lines file.

    Attributes:
        at: where the manifest names the file.
    """

    folder: JobFolder
    name: str
    at: Source
    iris: IriMap
    checker: RowChecker
    covers_bibs: bool

    drops_repeats = False
    head = "operations"

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order, one line at a time."""
        referring = Referring()
        try:
            with self.folder.reading(self.name) as file:
                for number, value in read_lines(file):
                    source = Source(file=self.name, line=number)
                    faults = list(self._faults(value, referring))
                    for fault in faults:
                        report(fault.but(source=replace(source, column=fault.source.column)))
                    if not faults:
                        yield _explicit(operation_of(value, source, self.iris), source)
        except Fault as fault:
            report(fault.at(self.at))

    def fault_of_total(self, total: int, _readable: int, /) -> FaultOfTotal | None:
        """Find an empty file."""
        if total:
            return None
        return (
            "empty",
            Sentence("operations_empty", file=shown(self.name)),
            Sentence("operations_empty_hint"),
        )

    def input(self) -> None:
        """Return nothing: there is no list or table."""

    def _faults(self, value: Any, referring: Referring) -> Iterator[Fault]:
        yield from referring.faults(value)
        if isinstance(value, Fault):
            yield value
        elif self.checker.fits(value):
            yield from operation_faults(value, covers_bibs=self.covers_bibs)
        else:
            for found in self.checker.violations(value):
                yield from tell(found, value)


@dataclass(frozen=True, kw_only=True)
class Step:
    """Records named in the job folder, and what is done with every one of them.

    Attributes:
        head: what is done, as plain data. does: the same for planning.
    """

    selection: Selection
    head: Any
    does: Does
    iris: IriMap

    drops_repeats = True

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one entry for each line, row or id, repeated ones included."""
        for found in self.selection.read(self.iris, report):
            if found.entry.is_left_out:
                yield _left_out(found)
            elif found.entry.ref is None:
                yield _unreadable(found, self.does.number)
            elif found.entry.code:
                yield self._refused(found, found.entry.ref)
            else:
                yield self._entry(found, found.entry.ref)

    def _refused(self, found: Selected, ref: str) -> Entry:
        """Return a row that cannot be used: it refuses the record that it names."""
        given = found.entry.given
        refusal = Refusal(code=found.entry.code, message=found.entry.message)
        one = StepEntry(source=found.source, step=self.does, given=given, ref=ref, refusal=refusal)
        return Entry(found.source, one, None, b"?" + given.encode())

    def _entry(self, found: Selected, ref: str) -> Entry:
        one = StepEntry(
            source=found.source, step=self.does, given=found.entry.given, ref=ref, row=found.row
        )
        meaning, key = b"=" + ref.encode(), f"{self.does.number}:{ref}"
        if found.row is not None:
            row = canonical_bytes(dict(found.row))
            meaning += b"\0" + row
            # Two rows that say different things about a record are left to the planner.
            key += ":" + digest_of_bytes(row)
        return Entry(found.source, one, key, meaning)

    def fault_of_total(self, total: int, readable: int, /) -> FaultOfTotal | None:
        """Find a list that names no record."""
        if readable:
            return None
        if total:
            return (
                "no_readable_id",
                Sentence("list_unreadable", called=self.selection.called, total=total),
                Sentence("list_unreadable_hint"),
            )
        if isinstance(self.selection, ReportLines):
            return "empty", *self.selection.fault_of_none()
        hint = Sentence("list_without_id_hint")
        return "empty", Sentence("list_without_id", called=self.selection.called), hint

    def input(self) -> Mapping[str, Any] | None:
        """Return how the list or table was read."""
        read = self.selection.input
        return None if read is None else {"step": self.does.number, **read.as_dict()}


@dataclass(frozen=True, kw_only=True)
class EnvironmentStep:
    """Records that only an environment can name, and what is done with every one of them.

    Attributes:
        selects: ``{"find": …}`` or ``{"library": …}``, as declared.
    """

    selects: Mapping[str, Any]
    head: Any
    does: Does
    at: Source

    drops_repeats = False

    def entries(self, _report: Report, /) -> Iterator[Entry]:
        """Yield the selection, to be answered for each plan."""
        one = StepSelection(source=self.at, step=self.does, selects=self.selects)
        yield Entry(self.at, one, None, canonical_bytes(dict(self.selects)))

    def fault_of_total(self, _total: int, _readable: int, /) -> FaultOfTotal | None:
        """Find nothing; what a selection holds is known when a plan is made."""
        return None

    def input(self) -> None:
        """Return nothing: there is no list or table."""


@dataclass(frozen=True, kw_only=True)
class UndoStep:
    """What a job changed is to be restored; ``only`` bounds it to a list of records."""

    job: str
    effect_digest: str
    only: Selection | None
    at: Source
    iris: IriMap

    drops_repeats = True
    head = "undo"

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one undo, after the texts of the list that name no record."""
        named: set[str] | None = None
        if self.only is not None:
            named = set()
            for found in self.only.read(self.iris, report):
                ref = found.entry.ref
                if found.entry.is_left_out:
                    yield _left_out(found)
                elif ref is not None and of_canonical(ref) is None:
                    named.add(ref)
                else:
                    yield _unreadable(found, 0)
        undo = Undo(
            source=self.at,
            job=self.job,
            effect_digest=self.effect_digest,
            only=None if named is None else frozenset(named),
        )
        yield _explicit(undo, self.at)

    def fault_of_total(self, _total: int, _readable: int, /) -> FaultOfTotal | None:
        """Find nothing; an empty list undoes nothing."""
        return None

    def input(self) -> Mapping[str, Any] | None:
        """Return how the list that bounds the undo was read."""
        read = self.only.input if self.only is not None else None
        return None if read is None else {"step": 1, **read.as_dict()}


def _explicit(declared: Declared, source: Source) -> Entry:
    return Entry(source, declared, key_of(declared), meaning_of(declared))


def _left_out(found: Selected) -> Entry:
    line = InputLine(
        source=found.source,
        code=found.entry.code,
        given=found.entry.given,
        message=found.entry.message,
    )
    return Entry(found.source, line, None, b"")


def _unreadable(found: Selected, step: int) -> Entry:
    declared: Declared = unreadable(found.entry, found.source)
    given = found.entry.given
    # Rows without a key have nothing in common; the same line twice in a list has.
    key = f"{step}?{given}" if found.row is None else None
    return Entry(found.source, declared, key, b"?" + given.encode())
