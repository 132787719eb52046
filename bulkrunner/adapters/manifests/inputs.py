"""Inputs of the job folder that name records, and how they were read: lists, tables, reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, BinaryIO, Protocol

from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.line_files import (
    BLANK,
    OTHER_OUTCOME,
    Selected,
    named,
    read_ids,
    read_lines,
)
from bulkrunner.adapters.manifests.problems import proposed, shown
from bulkrunner.adapters.tables import Facts, Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import detect
from bulkrunner.domain.expressions.text_functions import Call, TooLong, apply
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence, joined


@dataclass(kw_only=True)
class Input:
    """How an input was read, for people to see.

    Attributes:
        lines: lines or rows in all, the header of a table left out.
        left_out: lines that are nothing, by code.
    """

    file: str
    facts: Facts
    lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def count(self, found: Selected) -> None:
        """Count one line."""
        self.lines += 1
        if code := found.fault.code if found.fault else found.left_out:
            self.left_out[code] += 1

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain data, empty ones left out."""
        known = {name: value for name, value in vars(self.facts).items() if value}
        return {
            "file": self.file,
            **known,
            "lines": self.lines,
            "left_out": dict(self.left_out),
        }


def hidden_noted(read: Input) -> Iterator[Fault]:
    """Yield what of a spreadsheet is not seen by whoever opens it."""
    facts, place = read.facts, Source(file=read.file)
    if facts.hidden_rows:
        is_left_out = facts.hidden == "skip"
        said = Sentence(
            "hidden_rows_left_out" if is_left_out else "hidden_rows_used", count=facts.hidden_rows
        )
        yield Fault(said, code="hidden_rows", source=place)
    if facts.hidden_columns:
        names = ", ".join(shown(name) for name in facts.hidden_columns[:10])
        yield Fault(Sentence("hidden_columns", names=names), code="hidden_columns", source=place)
    if facts.sheet in facts.hidden_sheets:
        message = Sentence("hidden_sheet_read", sheet=shown(facts.sheet))
        yield Fault(message, code="hidden_sheets", source=place)
    if others := [name for name in facts.hidden_sheets if name != facts.sheet]:
        names = ", ".join(map(shown, others[:10]))
        message = Sentence("hidden_sheets", names=names)
        yield Fault(message, code="hidden_sheets", source=place)


# Takes a fault.
Report = Callable[[Fault], None]


class Selection(Protocol):
    """Something in the job folder that names records."""

    @property
    def called(self) -> str:
        """What messages call it."""

    @property
    def input(self) -> Input | None:
        """How it was read the last time; None for ids in the manifest."""

    def read(self, iris: IriMap, report: Report, /) -> Iterator[Selected]:
        """Yield every line with its place; faults of the whole go to ``report``."""


@dataclass(kw_only=True)
class IdFile:
    """A file with one id per line; ``at`` is where the manifest names it."""

    folder: JobFolder
    name: str
    at: Source
    meanings: tuple[Number, ...] = ()
    encoding: str | None = None
    input: Input | None = None

    @property
    def called(self) -> str:
        """What messages call it."""
        return shown(self.name)

    def read(self, iris: IriMap, report: Report, /) -> Iterator[Selected]:
        """Yield every line with its place."""

        def told(fault: Fault) -> None:
            if fault.source == self.at and iris.parse(self.name):
                fault = fault.but(hint=Sentence("ids_written_as_list", id=self.name))
            report(fault)

        yield from self.folder.each(self.name, self.at, told, partial(self._ids, iris))

    def _ids(self, iris: IriMap, file: BinaryIO) -> Iterator[Selected]:
        encoding = detect(file, self.encoding)
        self.input = Input(file=self.name, facts=Facts(kind="ids", encoding=encoding))
        for found in read_ids(file, iris, self.meanings, name=self.name, encoding=encoding):
            self.input.count(found)
            yield found


@dataclass(frozen=True, kw_only=True)
class InlineIds:
    """Ids in the manifest, each with its place."""

    ids: Sequence[tuple[str, Source]]
    meanings: tuple[Number, ...] = ()

    called = Sentence("inputs_the_list")
    input = None

    def read(self, iris: IriMap, _report: Report, /) -> Iterator[Selected]:
        """Yield every id with its place."""
        for text, source in self.ids:
            if given := text.strip():
                yield named(given, source, iris, self.meanings)
            else:
                yield Selected(source=source, left_out=BLANK)


@dataclass(kw_only=True)
class TableRows:
    """A table with a column that names the records.

    Attributes:
        key: the name of that column, or its number from 1 as a text.
        clean: by column, what its cells go through.
        key_at: where the manifest names the key column. cleaned_at: the columns of ``clean``.
        wanted: further columns that must be there, each with the place that names it.
    """

    folder: JobFolder
    name: str
    at: Source
    key: str
    key_at: Source
    form: Form
    clean: Mapping[str, Sequence[Call]] = field(default_factory=dict)
    cleaned_at: Mapping[str, Source] = field(default_factory=dict)
    meanings: tuple[Number, ...] = ()
    wanted: Mapping[str, Source] = field(default_factory=dict)
    input: Input | None = None

    @property
    def called(self) -> str:
        """What messages call it."""
        return shown(self.name)

    def read(self, iris: IriMap, report: Report, /) -> Iterator[Selected]:
        """Yield every row with its place."""
        yield from self.folder.each(self.name, self.at, report, partial(self._rows, iris, report))

    def _rows(self, iris: IriMap, report: Report, file: BinaryIO) -> Iterator[Selected]:
        table = open_table(file, self.form)
        self.input = Input(file=self.name, facts=table.facts)
        missing = list(self._missing(table))
        for problem in missing:
            report(problem)
        for raw in () if missing else table.rows():
            found = self._selected(self._cleaned(raw), iris, table.facts)
            self.input.count(found)
            yield found

    def _cleaned(self, row: Row) -> Row:
        if not self.clean or row.left_out or row.fault:
            return row
        cells = dict(row.cells)
        for name, calls in self.clean.items():
            try:
                cells[name] = (apply(calls, cells.get(name, "")) or "").strip()
            except TooLong:
                said = harmless(Sentence("cell_becomes_too_long", name=name))
                source = Source(line=row.line)
                return replace(row, fault=Fault(said, code="cell_too_long", source=source))
        return replace(row, cells=cells)

    def _place(self, facts: Facts) -> str:
        return f"{self.name}[{facts.sheet}]" if facts.sheet else self.name

    def _selected(self, row: Row, iris: IriMap, facts: Facts) -> Selected:
        source = Source(file=self._place(facts), line=row.line)
        key = row.cells.get(self.key, "")
        if row.left_out:
            return Selected(source=source, left_out=row.left_out, row=row.cells)
        if row.fault:
            source = row.fault.in_file(source.file).source
            # A row that cannot be used names its record all the same, unless that is the bad cell.
            sound = source.column not in (0, self._number(facts)) and key
            return Selected(
                source=source,
                given=harmless(key[:100]),
                ref=named(key, source, iris, self.meanings).ref if sound else None,
                fault=row.fault,
                row=row.cells,
            )
        if not key:
            fault = Fault(Sentence("cell_key_empty", name=self.key), code="empty_key")
            return Selected(source=source, fault=fault, row=row.cells)
        return replace(named(key, source, iris, self.meanings), row=row.cells)

    def _number(self, facts: Facts) -> int:
        """Return the number of the key's column, from 1; 0 where it is not known."""
        if self.key in facts.columns:
            return facts.columns.index(self.key) + 1
        return int(self.key) if self.key.isdecimal() else 0

    def _missing(self, table: Table) -> Iterator[Fault]:
        """Yield a fault for each column that the manifest names and the table has not."""
        columns = table.facts.columns
        if not columns:
            return  # columns without names; a row without that cell has an empty key
        wanted = {**self.wanted, **self.cleaned_at, self.key: self.key_at}
        missing = [name for name in wanted if name not in columns]
        header = table.header_with(missing) if missing and self.form.header else 0
        for name, place in wanted.items():
            if name in missing:
                listed = ", ".join(columns[:20])[:300]
                if header:
                    hint: str = Sentence("column_in_other_row", header=header)
                elif self.form.header:
                    hint = proposed(name, columns, Sentence("columns_or_header", columns=listed))
                else:
                    hint = proposed(name, columns, Sentence("columns_are", columns=listed))
                yield Fault(
                    Sentence("column_missing", called=self.called, name=shown(name)),
                    code="missing_column",
                    hint=harmless(hint),
                    source=place,
                )


@dataclass(kw_only=True)
class ReportLines:
    """An earlier report in JSON Lines; of it the lines with certain outcomes, actions or codes."""

    folder: JobFolder
    name: str
    at: Source
    outcomes: frozenset[str]
    actions: frozenset[str]
    codes: frozenset[str]
    input: Input | None = None

    @property
    def called(self) -> str:
        """What messages call it."""
        return shown(self.name)

    def read(self, iris: IriMap, report: Report, /) -> Iterator[Selected]:
        """Yield every line with its place."""
        facts = Facts(kind="report", encoding="utf-8")
        read = self.input = Input(file=self.name, facts=facts)
        yield from self.folder.each(
            self.name, self.at, report, partial(self._lines, iris, report, read)
        )

    def _lines(
        self, iris: IriMap, report: Report, read: Input, file: BinaryIO
    ) -> Iterator[Selected]:
        for number, value in read_lines(file):
            source = Source(file=self.name, line=number)
            record = value.get("record") if isinstance(value, dict) else None
            if isinstance(value, dict) and value.get("action") == "left_out":
                record = ""
            if isinstance(value, Fault) or not isinstance(record, str):
                report(_no_report(value, source))
                return
            found = self._selected(source, record, value, iris)
            read.count(found)
            yield found

    def fault_of_none(self) -> Fault:
        """Return the fault of a report of which no line is meant."""
        if self.input is None or not self.input.lines:
            said = Sentence("report_empty", called=self.called)
            return Fault(said, code="empty", hint=Sentence("report_hint"))
        wanted = [harmless(one) for one in self._wanted()]
        given: dict[str, Any] = {"file": self.called, "lines": self.input.lines}
        if len(wanted) == 3:
            one, two, three = wanted
            said = Sentence("report_lacks_three", one=one, two=two, three=three, **given)
        elif len(wanted) == 2:
            said = Sentence("report_lacks_two", one=wanted[0], two=wanted[1], **given)
        else:
            said = Sentence("report_lacks", wanted=joined(wanted), **given)
        return Fault(said, code="empty", hint=Sentence("report_lines_hint"))

    def _wanted(self) -> Iterator[Sentence]:
        """Yield what is asked of a line."""
        if self.outcomes:
            yield Sentence("report_ended", words=Sentence("any_of", parts=sorted(self.outcomes)))
        if self.actions:
            yield Sentence(
                "report_planned_as", words=Sentence("any_of", parts=sorted(self.actions))
            )
        if self.codes:
            yield Sentence("report_has_code", words=Sentence("any_of", parts=sorted(self.codes)))

    def _selected(
        self, source: Source, record: str, value: Mapping[str, Any], iris: IriMap
    ) -> Selected:
        if self._is_meant(value):
            return named(record, source, iris)
        words = [str(value.get(key)) for key in ("action", "outcome") if value.get(key)]
        given = harmless(record[:100])
        return Selected(source=source, given=given, left_out=OTHER_OUTCOME, note=", ".join(words))

    def _is_meant(self, value: Mapping[str, Any]) -> bool:
        result = value.get("result")
        codes = {value.get("code"), result.get("code") if isinstance(result, dict) else None}
        return (
            (not self.outcomes or value.get("outcome") in self.outcomes)
            and (not self.actions or value.get("action") in self.actions)
            and (not self.codes or not self.codes.isdisjoint(codes))
        )


def _no_report(value: Any, source: Source) -> Fault:
    message = value.message if isinstance(value, Fault) else Sentence("report_line_without_record")
    return Fault(
        Sentence("not_a_report", message=message),
        code="not_a_report",
        hint=Sentence("report_hint_or_list"),
        source=source,
    )
