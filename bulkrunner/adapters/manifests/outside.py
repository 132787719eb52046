"""What conditions and changes need from outside: expressions by RE2, values and tables in files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import re2

from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.inputs import Input
from bulkrunner.adapters.manifests.problems import proposed, shown
from bulkrunner.adapters.tables import Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import KNOWN, detect, text_lines
from bulkrunner.adapters.tables.separated import SEPARATORS
from bulkrunner.domain.expressions import Pattern, brief
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_PATTERN = 1000
# Bytes that one compiled expression may take.
MAX_MEMORY = 4_000_000

# Characters of a text that is replaced in; real ones have a few hundred.
MAX_TEXT = 100_000

# Matches replaced in one text. Each begins a search of its own, so that both bounds count.
MAX_MATCHES = 1000


class Re2Engine:
    """Compiles regular expressions in RE2's syntax: every search takes time linear in the text."""

    def compile(self, text: str, /) -> Pattern:
        """Return the compiled expression. Fault: malformed, or too large."""
        if len(text) > MAX_PATTERN:
            raise Fault(Sentence("pattern_too_long", most=MAX_PATTERN))
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY
        try:
            compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            raise Fault(
                Sentence("pattern_bad", text=brief(text), error=_reason(error)),
                hint=Sentence("pattern_bad_hint"),
                code="bad_pattern",
            ) from None
        return _Compiled(text=text, regexp=compiled)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return text if isinstance(error, re2.error) else Sentence("half_character_in_it")


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    text: str
    regexp: Any = field(compare=False, repr=False)

    @property
    def groups(self) -> int:
        return int(self.regexp.groups)

    def found_in(self, text: str, /) -> bool:
        # One search is linear, however long the text; it needs no bound.
        try:
            return self.regexp.search(text) is not None
        except UnicodeEncodeError:
            return False

    def replaced(self, text: str, template: Sequence[str | int], /) -> str | None:
        if len(text) > MAX_TEXT:
            return None
        pieces: list[str] = []
        at = count = 0
        try:
            for match in self.regexp.finditer(text):
                count += 1
                if count > MAX_MATCHES:
                    return None
                pieces.append(text[at : match.start()])
                pieces += [
                    part if isinstance(part, str) else (match.group(part) or "")
                    for part in template
                ]
                at = match.end()
        except UnicodeEncodeError:
            return text
        return "".join([*pieces, text[at:]])


MAX_VALUES = 1_000_000
MAX_LINE = 10_000

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class FolderLists:
    """Reads input files of a job folder, each once."""

    folder: JobFolder
    read: list[Input] = field(default_factory=list)
    """How each table was read."""

    _values: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _tables: dict[str, dict[str, str]] = field(default_factory=dict)

    def values(self, file: str, /) -> Sequence[str]:
        """Return the lines of a file, blank ones left out; Fault: it cannot be read."""
        if file not in self._values:
            self._values[file] = self._read_values(file)
        return self._values[file]

    def table(self, declared: Mapping[str, Any], /) -> Mapping[str, str]:
        """Return a file with old and new values.

        Args:
            declared: ``file``, and perhaps how it is read and which columns are meant.

        Raises:
            Fault: it cannot be read, lacks a value, or has an old value twice.
        """
        key = repr(sorted(declared.items()))
        if key not in self._tables:
            self._tables[key] = self._read_table(declared)
        return self._tables[key]

    def _read_values(self, name: str) -> tuple[str, ...]:
        with self.folder.open(name) as file:
            return tuple(_lines_of(file, name))

    def _read_table(self, declared: Mapping[str, Any]) -> dict[str, str]:
        name = declared["file"]
        form = _form(declared)
        with self.folder.open(name) as file:
            with _naming(name):
                table = open_table(file, form)
            self.read.append(Input(file=name, facts=table.facts))
            return _pairs(table, declared, self.read[-1])


def _form(declared: Mapping[str, Any]) -> Form:
    """Return how a table is to be read; Fault: a key has a value that it does not take."""
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


def _unknown(key: str, value: Any, known: Sentence) -> Fault:
    return Fault(
        Sentence("option_unknown", name=key, value=shown(value)),
        path=(key,),
        hint=Sentence("option_hint", known=known),
    )


def _lines_of(file: Any, name: str) -> Iterator[str]:
    count = 0
    for line in _named(name, text_lines(file, detect(file), MAX_LINE)):
        if not line.whole:
            raise _fault(name, line.number, Sentence("values_line_too_long", most=MAX_LINE))
        if not line.text.strip():
            continue
        count += 1
        if count > MAX_VALUES:
            raise Fault(Sentence("values_many", name=shown(name), most=MAX_VALUES))
        yield line.text.strip()


def _pairs(table: Table, declared: Mapping[str, Any], read: Input) -> dict[str, str]:
    name = declared["file"]
    old, new = (_column(table, declared, key, number) for key, number in (("from", 0), ("to", 1)))
    pairs: dict[str, str] = {}
    lines: dict[str, int] = {}
    for row in _named(name, table.rows()):
        read.lines += 1
        if row.left_out:
            read.left_out[row.left_out] += 1
            continue
        one, other = _pair(row, old, new, name)
        if one in pairs and pairs[one] != other:
            raise _fault(
                name, row.line, Sentence("pairs_contradict", one=shown(one), lines=lines[one])
            )
        pairs[one] = other
        lines[one] = row.line
        if len(pairs) > MAX_VALUES:
            raise Fault(Sentence("pairs_many", name=shown(name), most=MAX_VALUES))
    if not pairs:
        raise Fault(Sentence("pairs_empty", name=shown(name)))
    return pairs


def _column(table: Table, declared: Mapping[str, Any], key: str, number: int) -> str:
    columns = table.facts.columns or tuple(str(at) for at in range(1, 1001))
    if key in declared:
        wanted = str(declared[key])
        if wanted in columns:
            return wanted
        named = [str(declared[name]) for name in ("from", "to") if name in declared]
        header = table.header_with(named) if table.facts.columns else 0
        others = Sentence("columns_are", columns=", ".join(columns[:20])[:360])
        hint = proposed(wanted, table.facts.columns, others)
        if header:
            hint = Sentence("column_in_other_row", header=header)
        raise Fault(
            Sentence("pairs_column_missing", file=shown(declared["file"]), wanted=shown(wanted)),
            path=(key,),
            hint=harmless(hint),
            code="missing_column",
        )
    if number >= len(columns):
        raise Fault(Sentence("pairs_one_column", file=shown(declared["file"])))
    return columns[number]


def _pair(row: Row, old: str, new: str, name: str) -> tuple[str, str]:
    if row.fault:
        raise _fault(name, row.line, row.fault.said)
    one, other = row.cells.get(old, ""), row.cells.get(new, "")
    if not one or not other:
        raise _fault(name, row.line, Sentence("pairs_new_missing" if one else "pairs_old_missing"))
    return one, other


def _fault(name: str, line: int, message: Sentence) -> Fault:
    return Fault(
        Sentence("pairs_line", name=harmless(name), line=line, message=message), code="bad_table"
    )


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Name the file in what is wrong with it: the place of such a fault is in the manifest."""
    try:
        yield
    except Fault as bad:
        if bad.source.line:
            line = bad.source.line
            said = Sentence("pairs_line", name=harmless(name), line=line, message=bad.said)
        else:
            said = Sentence("at_path", path=harmless(name), message=bad.said)
        raise Fault(said, hint=bad.hint, code=bad.code) from None


def _named(name: str, items: Iterator[T]) -> Iterator[T]:
    with _naming(name):
        yield from items
