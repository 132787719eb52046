"""Input files that conditions and changes name: lists of values, tables of old and new ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.adapters.files import BadFile
from bulkrunner.adapters.manifests.faults import meant, shown
from bulkrunner.adapters.manifests.folder import FileRefused, JobFolder
from bulkrunner.adapters.manifests.input import Input
from bulkrunner.adapters.manifests.inputs import input_of
from bulkrunner.adapters.tables import Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import KNOWN, detect, text_lines
from bulkrunner.adapters.tables.separated import SEPARATORS
from bulkrunner.adapters.tables.table import ABOVE, HIDDEN
from bulkrunner.domain.expressions.parsing import FormError, proposal
from bulkrunner.domain.text import harmless
from bulkrunner.sentences import Sentence, as_sentence

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
        raise _unknown("header", header, Sentence("option_header"))
    for key, known in (("encoding", KNOWN), ("separator", SEPARATORS), ("hidden", ("use", "skip"))):
        if key in declared and declared[key] not in known:
            raise _unknown(
                key, declared[key], Sentence("option_one_of", known=", ".join(map(repr, known)))
            )
    if not isinstance(declared.get("sheet", ""), str):
        raise _unknown("sheet", declared["sheet"], Sentence("option_sheet"))
    return Form(
        encoding=declared.get("encoding"),
        separator=declared.get("separator"),
        header=header,
        sheet=declared.get("sheet"),
        hidden=declared.get("hidden"),
    )


def _unknown(key: str, value: Any, known: Sentence) -> FormError:
    return FormError(
        Sentence("option_unknown", name=key, value=shown(value)),
        path=(key,),
        hint=Sentence("option_hint", known=known),
    )


def _lines_of(file: Any, name: str) -> Iterator[str]:
    count = 0
    for line in text_lines(file, detect(file), MAX_LINE):
        if not line.whole:
            raise _fault(name, line.number, Sentence("values_line_too_long", most=MAX_LINE))
        if not line.text.strip():
            continue
        count += 1
        if count > MAX_VALUES:
            raise FormError(Sentence("values_many", name=shown(name), most=MAX_VALUES))
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
                name, row.line, Sentence("pairs_contradict", one=shown(one), lines=lines[one])
            )
        pairs[one] = other
        lines[one] = row.line
        if len(pairs) > MAX_VALUES:
            raise FormError(Sentence("pairs_many", name=shown(name), most=MAX_VALUES))
    if not pairs:
        raise FormError(Sentence("pairs_empty", name=shown(name)))
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
        hint = (
            proposal(wanted, near)
            if near
            else Sentence("columns_are", columns=", ".join(columns[:20])[:360])
        )
        if header:
            hint = Sentence("column_in_other_row", header=header)
        raise FormError(
            Sentence("pairs_column_missing", file=shown(declared["file"]), wanted=shown(wanted)),
            path=(key,),
            hint=harmless(hint),
            code="missing_column",
        )
    if number >= len(columns):
        raise FormError(Sentence("pairs_one_column", file=shown(declared["file"])))
    return columns[number]


def _pair(row: Row, old: str, new: str, name: str) -> tuple[str, str]:
    if row.code:
        raise _fault(name, row.line, as_sentence(row.message))
    one, other = row.cells.get(old, ""), row.cells.get(new, "")
    if not one or not other:
        raise _fault(name, row.line, Sentence("pairs_new_missing" if one else "pairs_old_missing"))
    return one, other


def _fault(name: str, line: int, message: Sentence) -> FormError:
    return FormError(
        Sentence("pairs_line", name=harmless(name), line=line, message=message), code="bad_table"
    )


def _as_form_error(bad: BadFile, name: str) -> FormError:
    if bad.line:
        said = Sentence("pairs_line", name=harmless(name), line=bad.line, message=bad.message)
    else:
        said = Sentence("at_path", path=harmless(name), message=bad.message)
    return FormError(said, hint=bad.hint, code=bad.code)
