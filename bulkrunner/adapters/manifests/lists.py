"""Input files that conditions and changes name: lists of values, tables of old and new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.adapters.manifests.faults import harmless, meant, shown
from bulkrunner.adapters.manifests.folder import FileRefused, JobFolder
from bulkrunner.adapters.manifests.inputs import Input, input_of
from bulkrunner.adapters.tables import Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import KNOWN, detect, text_lines
from bulkrunner.adapters.tables.faults import BadFile
from bulkrunner.adapters.tables.separated import SEPARATORS
from bulkrunner.adapters.tables.table import ABOVE, HIDDEN
from bulkrunner.domain.expressions.parsing import FormError, proposal

MAX_VALUES = 1_000_000
MAX_LINE = 10_000


@dataclass(frozen=True, kw_only=True)
class FolderLists:
    """Reads input files of a job folder, each once."""

    folder: JobFolder
    read: list[Input] = field(default_factory=list)
    """How each table was read."""

    _values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _tables: dict[str, dict[str, str]] = field(default_factory=dict)

    def values(self, file: str, /) -> Sequence[str]:
        """Return the lines of a file, blank ones left out.

        Raises:
            FormError: it cannot be read.
        """
        if file not in self._values:
            self._values[file] = self._read_values(file)
        return self._values[file]

    def table(self, declared: Mapping[str, Any], /) -> Mapping[str, str]:
        """Return a file with old and new values.

        Args:
            declared: ``file``, and perhaps how it is read and which columns are meant.

        Raises:
            FormError: it cannot be read, lacks a value, or has an old value twice.
        """
        key = repr(sorted(declared.items()))
        if key not in self._tables:
            self._tables[key] = self._read_table(declared)
        return self._tables[key]

    def _read_values(self, name: str) -> tuple[str, ...]:
        try:
            with self.folder.open(name) as file:
                return tuple(_lines_of(file, name))
        except BadFile as bad:
            raise _as_form_error(bad, name) from None
        except FileRefused as refused:
            raise FormError(refused.message, hint=refused.hint, code=refused.code) from None

    def _read_table(self, declared: Mapping[str, Any]) -> dict[str, str]:
        name = declared["file"]
        form = _form(declared)
        try:
            with self.folder.open(name) as file:
                table = open_table(file, form)
                self.read.append(input_of(name, table.facts))
                return _pairs(table, declared, self.read[-1])
        except BadFile as bad:
            raise _as_form_error(bad, name) from None
        except FileRefused as refused:
            raise FormError(refused.message, hint=refused.hint, code=refused.code) from None


def _form(declared: Mapping[str, Any]) -> Form:
    """Return how a table is to be read.

    Raises:
        FormError: a key has a value that it does not take.
    """
    header = declared.get("header", True)
    if not isinstance(header, int) or header < 0 or (header == 0 and header is not False):
        raise _unknown("header", header, "true, false or the number of a row")
    for key, known in (("encoding", KNOWN), ("separator", SEPARATORS), ("hidden", ("use", "skip"))):
        if key in declared and declared[key] not in known:
            raise _unknown(key, declared[key], f"one of {', '.join(map(repr, known))}")
    if not isinstance(declared.get("sheet", ""), str):
        raise _unknown("sheet", declared["sheet"], "the name of a sheet")
    return Form(
        encoding=declared.get("encoding"),
        separator=declared.get("separator"),
        header=header,
        sheet=declared.get("sheet"),
        hidden=declared.get("hidden"),
    )


def _unknown(key: str, value: Any, known: str) -> FormError:
    return FormError(f"{key}: {shown(value)} is not known", path=(key,), hint=f"write {known}")


def _lines_of(file: Any, name: str) -> Iterator[str]:
    count = 0
    for line in text_lines(file, detect(file), MAX_LINE):
        if not line.whole:
            raise _fault(name, line.number, f"the line is longer than {MAX_LINE:,} characters")
        if not line.text.strip():
            continue
        count += 1
        if count > MAX_VALUES:
            raise FormError(f"{shown(name)} holds more than {MAX_VALUES:,} values")
        yield line.text.strip()


def _pairs(table: Table, declared: Mapping[str, Any], read: Input) -> dict[str, str]:
    name = declared["file"]
    old, new = (_column(table, declared, key, number) for key, number in (("from", 0), ("to", 1)))
    pairs: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in table.rows():
        read.lines += 1
        if row.code in ("blank", HIDDEN, ABOVE):
            read.left_out[row.code] += 1
            continue
        one, other = _pair(row, old, new, name)
        if one in pairs and pairs[one] != other:
            raise _fault(
                name, row.line, f"{shown(one)} has another new value in line {lines[one]} already"
            )
        pairs[one] = other
        lines[one] = row.line
        if len(pairs) > MAX_VALUES:
            raise FormError(f"{shown(name)} holds more than {MAX_VALUES:,} rows")
    if not pairs:
        raise FormError(f"{shown(name)} holds no row")
    return pairs


def _column(table: Table, declared: Mapping[str, Any], key: str, number: int) -> str:
    columns = table.facts.columns or tuple(str(at) for at in range(1, 1001))
    if key in declared:
        wanted = str(declared[key])
        if wanted in columns:
            return wanted
        near = meant(wanted, table.facts.columns)
        named = [str(declared[name]) for name in ("from", "to") if name in declared]
        header = table.header_with(named) if table.facts.columns else 0
        hint = proposal(wanted, near) if near else f"its columns are: {', '.join(columns[:20])}"
        if header:
            hint = f"row {header} holds that name: write `header: {header}`"
        raise FormError(
            f"{shown(declared['file'])} has no column {shown(wanted)}",
            path=(key,),
            hint=harmless(hint[:400]),
            code="missing_column",
        )
    if number >= len(columns):
        raise FormError(
            f"{shown(declared['file'])} has one column only, not an old and a new value"
        )
    return columns[number]


def _pair(row: Row, old: str, new: str, name: str) -> tuple[str, str]:
    if row.code:
        raise _fault(name, row.line, row.message)
    one, other = row.cells.get(old, ""), row.cells.get(new, "")
    if not one or not other:
        raise _fault(name, row.line, f"the {'old' if not one else 'new'} value is missing")
    return one, other


def _fault(name: str, line: int, message: str) -> FormError:
    return FormError(f"{harmless(name)}, line {line}: {message}", code="bad_table")


def _as_form_error(bad: BadFile, name: str) -> FormError:
    where = f", line {bad.line}" if bad.line else ""
    return FormError(f"{harmless(name)}{where}: {bad.message}", hint=bad.hint, code=bad.code)
