"""Lists of explicit operations: in the manifest, or in a file of JSON Lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bulkrunner.adapters.manifests.explicit import operation_faults, operation_of
from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.inputs import Report
from bulkrunner.adapters.manifests.job_schema import RowChecker
from bulkrunner.adapters.manifests.jsonl import read_lines
from bulkrunner.adapters.manifests.operation_references import Referring
from bulkrunner.adapters.manifests.parts import Entry, explicit_entry
from bulkrunner.adapters.manifests.problems import PathKey, shown
from bulkrunner.adapters.manifests.violations import tell
from bulkrunner.domain.manifest import Declared
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


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

    def entries(self, _report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order."""
        yield from map(explicit_entry, self.operations)

    def fault_of_total(self, _total: int, _readable: int, /) -> None:
        """Return nothing; the schema wants one operation at least."""

    def input(self) -> None:
        """Return nothing: there is no list or table."""


@dataclass(frozen=True, kw_only=True)
class FileOperations:
    """Explicit operations in a JSON Lines file; ``at`` is where the manifest names it."""

    name: str
    at: Source
    manifest: Manifest

    drops_repeats = False
    head = "operations"

    def entries(self, report: Report, /) -> Iterator[Entry]:
        """Yield the operations in order, one line at a time."""
        checker, referring = RowChecker("operation"), Referring()
        try:
            with self.manifest.folder.reading(self.name) as file:
                for number, value in read_lines(file):
                    source = Source(file=self.name, line=number)
                    faults = list(self._faults(value, checker, referring))
                    for fault in faults:
                        report(fault.but(source=replace(source, column=fault.source.column)))
                    if not faults:
                        yield explicit_entry(operation_of(value, source, self.manifest.iris))
        except Fault as fault:
            report(fault.at(self.at))

    def _faults(self, value: Any, checker: RowChecker, referring: Referring) -> Iterator[Fault]:
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

    def input(self) -> None:
        """Return nothing: there is no list or table."""


def read_operations(
    given: Any, bad: Collection[tuple[PathKey, ...]], manifest: Manifest
) -> InlineOperations | FileOperations:
    """Read the explicit operations of a manifest.

    Args:
        given: as written; fits the schema but for single operations.
        bad: paths of those.
        manifest: gets every fault.
    """
    at = manifest.source(("operations", "file"))
    if isinstance(given, dict):
        return FileOperations(name=given["file"], at=at, manifest=manifest)
    referring = Referring()
    operations: list[Declared] = []
    for number, data in enumerate(given):
        path: tuple[PathKey, ...] = ("operations", number)
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
