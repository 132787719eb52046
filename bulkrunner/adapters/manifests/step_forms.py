"""What a step says in conditions, values and changes, read once, with what these refer to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from bulkrunner.adapters.manifests.head import Manifest
from bulkrunner.adapters.manifests.problems import (
    KeyPath,
    bad_place,
    path_text,
    proposed,
    shown,
    with_path,
)
from bulkrunner.domain.changes.by_example import ExampleChange
from bulkrunner.domain.changes.change import Change, demand_kept_at
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.conditions import Condition, condition_references
from bulkrunner.domain.expressions.expectations import expected_references, parse_expected
from bulkrunner.domain.expressions.references import Origin, Reference
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import references_of
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

T = TypeVar("T")


class StepForms:
    """Reads the parts of one step; notes what is wrong with them, and their references.

    Paths begin at the step.
    """

    def __init__(self, manifest: Manifest, path: KeyPath) -> None:
        self._manifest = manifest
        self._path = path
        self._references: list[tuple[Reference, KeyPath]] = []

    def value(self, path: KeyPath, data: Any) -> Any:
        """Read a value."""
        return self._read(path, data, partial(parse_value, data), references_of)

    def condition(self, path: KeyPath, data: Any) -> Condition | None:
        """Read a condition."""
        read = partial(parse_condition, data, self._manifest.outside)
        return self._read(path, data, read, condition_references)

    def change(self, path: KeyPath, data: Any) -> Iterator[Change]:
        """Read a change; yield it where it can be read."""
        yield from self._change(path, data, partial(parse_change, data, self._manifest.outside))

    def example(self, path: KeyPath, data: Any) -> Iterator[Change]:
        """Read a change by example; yield it where it can be read."""
        yield from self._change(path, data, partial(ExampleChange.parse, data))

    def _change(self, path: KeyPath, data: Any, read: Callable[[], Change]) -> Iterator[Change]:
        change = self._read(path, data, read, Change.references)
        if change is not None:
            yield change

    def expected(self, path: KeyPath, data: Mapping[str, Any]) -> dict[str, Any]:
        """Read what is expected, place by place."""
        found: dict[str, Any] = {}
        for place, value in data.items():
            if self._fine(bad_place(place, (*path, place), self._path, is_key=True)):
                read = partial(parse_expected, value, self._manifest.outside)
                found[place] = self._read((*path, place), value, read, expected_references)
        return found

    def place(self, path: KeyPath, text: str) -> bool:
        """Return True if a text is a place."""
        return self._fine(bad_place(text, path))

    def _fine(self, fault: Fault | None) -> bool:
        if fault is not None:
            self.note(fault)
        return fault is None

    def content(self, path: KeyPath, prefix: str, content: Mapping[str, Any]) -> None:
        """Note constants in a template of which the server would keep nothing."""
        for key, value in content.items():
            try:
                demand_kept_at(f"{prefix}{key}", parse_value(value))
            except Fault as fault:
                if fault.code == "tidied_away":
                    self.bad(fault.below(*path, key))

    def _read(
        self,
        path: KeyPath,
        data: Any,
        read: Callable[[], T],
        references: Callable[[T], Iterator[Reference]],
    ) -> T | None:
        try:
            found = read()
        except Fault as fault:
            self.bad(fault.below(*path))
            return None
        for ref in references(found):
            self._references.append((ref, (*path, *(_where(data, ref.text) or ()))))
        return found

    def source(self, path: KeyPath) -> Source:
        """Return the place of a part."""
        return self._manifest.source((*self._path, *path))

    def note(self, fault: Fault) -> None:
        """Note a fault; its path begins at the step."""
        self._manifest.note([fault], self._path)

    def bad(self, fault: Fault) -> None:
        """Note a fault, its path in the words."""
        self.note(with_path(fault, self._path))

    def check_references(self, *, has_row: bool) -> None:
        """Note columns that the step has not, and parameters that nobody declared."""
        parameters = self._manifest.parameters
        for ref, path in dict.fromkeys(self._references):
            where = path_text((*self._path, *path))
            if ref.origin is Origin.ROW and not has_row:
                said = Sentence("step_without_rows", where=where, ref=shown(ref.text))
                hint = Sentence("step_without_rows_hint", form="rows: {file: …, key: …}")
                self.note(Fault(said, code="no_row", hint=hint, path=path))
            if ref.origin is Origin.PARAM and ref.name not in parameters:
                said = Sentence("step_parameter", where=where, ref=shown(ref.name))
                declare = Sentence("declare_parameter")
                near = proposed(ref.name, parameters, declare, prefix="@param.")
                self.note(Fault(said, code="unknown_parameter", hint=near, path=path))

    @property
    def columns(self) -> dict[str, Source]:
        """The columns of the row that are referred to, each with its first place."""
        found: dict[str, KeyPath] = {}
        for ref, path in self._references:
            if ref.origin is Origin.ROW:
                found.setdefault(ref.name, path)
        return {name: self.source(path) for name, path in found.items()}


def _where(data: Any, text: str) -> KeyPath | None:
    """Return the path of the first text, or key, in which a reference stands."""
    if isinstance(data, str):
        return () if text in data else None
    if isinstance(data, (dict, list)):
        for key, item in data.items() if isinstance(data, dict) else enumerate(data):
            if (found := _where(item, text)) is not None:
                return (key, *found)
            if key == text:
                return (key,)
    return None
