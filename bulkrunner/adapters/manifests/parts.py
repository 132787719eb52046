"""The parts that declare operations: an explicit list, a JSON Lines file, steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bulkrunner.adapters.manifests.files import FileRefused, JobFolder
from bulkrunner.adapters.manifests.ids import BadLine, IdEntry, entry, read_ids
from bulkrunner.adapters.manifests.json_lines import Fault, read_lines
from bulkrunner.adapters.manifests.messages import tell
from bulkrunner.adapters.manifests.operations import key_of, meaning_of, operation_of, unreadable
from bulkrunner.adapters.manifests.problems import shown
from bulkrunner.adapters.manifests.rules import operation_faults
from bulkrunner.adapters.manifests.schema import Validator
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Declared, Problem, Source, Undo
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import Step as Does
from bulkrunner.domain.steps import StepEntry

Report = Callable[[Problem], None]
"""Takes a fault."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One declared operation.

    Attributes:
        key: what no two operations of the job may share, if anything.
        meaning: bytes that the digest is made of.
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

    def fault_of_total(self, total: int, readable: int, /) -> tuple[str, str] | None:
        """Return code and message of a fault that only the whole shows."""


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

    def fault_of_total(self, _total: int, _readable: int, /) -> tuple[str, str] | None:
        """Find nothing; the schema wants one operation at least."""
        return None


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
    validator: Validator
    covers_bibs: bool

    drops_repeats = False
    head = "operations"

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order, one line at a time."""
        try:
            with self.folder.open(self.name) as file:
                for number, value in read_lines(file):
                    source = Source(file=self.name, line=number)
                    if self._fits(value, source, report):
                        yield _explicit(operation_of(value, source, self.iris), source)
        except FileRefused as refused:
            report(
                Problem(
                    source=self.at, code=refused.code, message=refused.message, hint=refused.hint
                )
            )

    def fault_of_total(self, total: int, _readable: int, /) -> tuple[str, str] | None:
        """Find an empty file."""
        return None if total else ("empty", f"{shown(self.name)} holds no operation")

    def _fits(self, value: Any, source: Source, report: Report) -> bool:
        if isinstance(value, Fault):
            place = Source(file=source.file, line=source.line, column=value.column)
            report(Problem(source=place, code=value.code, message=value.message, hint=value.hint))
            return False
        if not self.validator.fits(value):
            for found in self.validator.violations(value)[0]:
                for told in tell(found, value):
                    report(
                        Problem(source=source, code=told.code, message=told.message, hint=told.hint)
                    )
            return False
        fine = True
        for told in operation_faults(value, covers_bibs=self.covers_bibs):
            report(Problem(source=source, code=told.code, message=told.message, hint=told.hint))
            fine = False
        return fine


class IdList(Protocol):
    """A list of ids."""

    def read(self, iris: IriMap, report: Report, /) -> Iterator[tuple[IdEntry, Source]]:
        """Yield every id with its place."""

    @property
    def called(self) -> str:
        """What messages call it."""


@dataclass(frozen=True, kw_only=True)
class IdFile:
    """A file with one id per line; ``at`` is where the manifest names it."""

    folder: JobFolder
    name: str
    at: Source

    @property
    def called(self) -> str:
        """What messages call it."""
        return shown(self.name)

    def read(self, iris: IriMap, report: Report, /) -> Iterator[tuple[IdEntry, Source]]:
        """Yield every id with its place."""
        try:
            with self.folder.open(self.name) as file:
                for found in read_ids(file, iris):
                    yield found, Source(file=self.name, line=found.line)
        except BadLine as bad:
            place = Source(file=self.name, line=bad.line, column=bad.column)
            report(Problem(source=place, code=bad.code, message=bad.message, hint=bad.hint))
        except FileRefused as refused:
            hint = refused.hint
            if iris.parse(self.name):
                hint = f"an id in the manifest itself is written as a list: ids: [{self.name}]"
            report(Problem(source=self.at, code=refused.code, message=refused.message, hint=hint))


@dataclass(frozen=True, kw_only=True)
class InlineIds:
    """Ids in the manifest, each with its place."""

    ids: Sequence[tuple[str, Source]]

    called = "the list"

    def read(self, iris: IriMap, _report: Report, /) -> Iterator[tuple[IdEntry, Source]]:
        """Yield every id with its place."""
        for text, source in self.ids:
            if text.strip():
                yield entry(source.line, text.strip(), iris), source


@dataclass(frozen=True, kw_only=True)
class Step:
    """A list of ids and what is done with every record of it.

    Attributes:
        head: what is done, as plain data. does: the same for planning.
    """

    ids: IdList
    head: Any
    does: Does
    iris: IriMap

    drops_repeats = True

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one entry per id, repeated ids included."""
        for found, source in self.ids.read(self.iris, report):
            if found.ref is None:
                declared: Declared = unreadable(found, source)
                yield Entry(source, declared, f"?{found.given}", b"?" + found.given.encode())
            else:
                one = StepEntry(source=source, step=self.does, given=found.given, ref=found.ref)
                key = f"{self.does.number}:{found.ref}"
                yield Entry(source, one, key, b"=" + found.ref.encode())

    def fault_of_total(self, total: int, readable: int, /) -> tuple[str, str] | None:
        """Find a list that names no record."""
        if readable:
            return None
        if total:
            return (
                "no_readable_id",
                f"no line of {self.ids.called} ({total:,} in all) names a record",
            )
        return "empty", f"{self.ids.called} holds no id"


@dataclass(frozen=True, kw_only=True)
class UndoStep:
    """What a job changed is to be restored; ``only`` bounds it to a list of records."""

    job: str
    effect_digest: str
    only: IdList | None
    at: Source
    iris: IriMap

    drops_repeats = True
    head = "undo"

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield one undo, after the texts of the list that name no record."""
        named: set[str] | None = None
        if self.only is not None:
            named = set()
            for found, source in self.only.read(self.iris, report):
                if found.ref is not None:
                    named.add(found.ref)
                else:
                    declared: Declared = unreadable(found, source)
                    yield Entry(source, declared, f"?{found.given}", b"?" + found.given.encode())
        undo = Undo(
            source=self.at,
            job=self.job,
            effect_digest=self.effect_digest,
            only=None if named is None else frozenset(named),
        )
        yield _explicit(undo, self.at)

    def fault_of_total(self, _total: int, _readable: int, /) -> tuple[str, str] | None:
        """Find nothing; an empty list undoes nothing."""
        return None


def _explicit(declared: Declared, source: Source) -> Entry:
    return Entry(source, declared, key_of(declared), meaning_of(declared))
