"""What declares operations, streamed entry by entry: lists in the manifest and in a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, BinaryIO, Protocol

from bulkrunner.adapters.manifests.explicit import Referring, operation_faults, operation_of
from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.inputs import Input, Report
from bulkrunner.adapters.manifests.job_schema import OperationChecker
from bulkrunner.adapters.manifests.line_files import read_lines
from bulkrunner.adapters.manifests.problems import KeyPath, shown
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.expressions.expectations import expected_data
from bulkrunner.domain.manifest import Create, Declared, Delete, Undo, Unreadable, Update
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry as Streamed
from bulkrunner.domain.steps import InputLine, StepEntry, StepSelection
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


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

    @property
    def chooses(self) -> Any:
        """Which records are meant, as the manifest says it; None where the entries stand there."""

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order; faults go to ``report``, and their entries are left out."""

    def fault_of_total(self, total: int, readable: int, /) -> Fault | None:
        """Return a fault that only the whole shows."""

    @property
    def number(self) -> int:
        """The step's number, from 1; 0 of explicit operations."""

    @property
    def read_from(self) -> Input | None:
        """How its list or table was read, once it was; None where there is none."""


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
                "changes": [change.data() for change in declared.changes],
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


@dataclass(frozen=True, kw_only=True)
class InlineOperations:
    """Explicit operations in the manifest.

    Attributes:
        kinds: how many there are of each, by key.
    """

    operations: Sequence[Declared]
    kinds: Mapping[str, int]
    at: Source

    drops_repeats = False
    head = "operations"
    number = 0
    read_from = None
    chooses = None

    def entries(self, _report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order."""
        yield from map(explicit_entry, self.operations)

    def fault_of_total(self, _total: int, _readable: int, /) -> None:
        """Return nothing; the schema wants one operation at least."""


@dataclass(frozen=True, kw_only=True)
class FileOperations:
    """Explicit operations in a JSON Lines file; ``at`` is where the manifest names it."""

    name: str
    at: Source
    manifest: Manifest

    drops_repeats = False
    head = "operations"
    number = 0
    read_from = None

    @property
    def chooses(self) -> dict[str, Any]:
        """The file that holds them."""
        return {"operations": self.name}

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order, one line at a time."""
        read = partial(self._lines, report)
        yield from self.manifest.folder.each(self.name, self.at, report, read)

    def _lines(self, report: Report, file: BinaryIO) -> Iterator[Entry]:
        checker, referring = OperationChecker(), Referring()
        for number, value in read_lines(file):
            source = Source(file=self.name, line=number)
            faults = list(self._faults(value, checker, referring))
            for fault in faults:
                report(fault.but(source=replace(source, column=fault.source.column)))
            if not faults:
                yield explicit_entry(operation_of(value, source, self.manifest.iris))

    def _faults(
        self, value: Any, checker: OperationChecker, referring: Referring
    ) -> Iterator[Fault]:
        yield from referring.faults(value)
        if isinstance(value, Fault):
            yield value
        elif checker.fits(value):
            yield from operation_faults(value, covers_bibs=self.manifest.covers_bibs)
        else:
            for found in checker.violations(value):
                yield from tell(found, value)

    def fault_of_total(self, total: int, _readable: int, /) -> Fault | None:
        """Return the fault of an empty file."""
        if total:
            return None
        said = Sentence("operations_empty", file=shown(self.name))
        return Fault(said, code="empty", hint=Sentence("operations_empty_hint"))


def read_operations(
    given: Any, bad: Collection[KeyPath], manifest: Manifest
) -> InlineOperations | FileOperations:
    """Read the explicit operations of a manifest."""
    at = manifest.source(("operations", "file"))
    if isinstance(given, dict):
        return FileOperations(name=given["file"], at=at, manifest=manifest)
    referring = Referring()
    operations: list[Declared] = []
    for number, data in enumerate(given):
        path: KeyPath = ("operations", number)
        fine = manifest.note(referring.faults(data), path) and path not in bad
        if path not in bad:
            faults = operation_faults(data, covers_bibs=manifest.covers_bibs, prefix=path)
            fine = manifest.note(faults, path) and fine
        if fine:
            operations.append(operation_of(data, manifest.source(path), manifest.iris))
    kinds = Counter(
        next(kind for kind in ("create", "update", "delete") if kind in one)
        for number, one in enumerate(given)
        if ("operations", number) not in bad
    )
    return InlineOperations(operations=operations, kinds=kinds, at=at)
