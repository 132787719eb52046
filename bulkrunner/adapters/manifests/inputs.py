"""What names the records of a step in the job folder: lists, tables, earlier reports, selections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from bulkrunner.adapters.files import BadFile
from bulkrunner.adapters.manifests.faults import PathKey, meant, shown
from bulkrunner.adapters.manifests.folder import FileRefused, JobFolder
from bulkrunner.adapters.manifests.ids import BLANK, OTHER_OUTCOME, IdEntry, entry, read_ids
from bulkrunner.adapters.manifests.input import Input, Report, Selected, _problem, _refused
from bulkrunner.adapters.manifests.jsonl import Fault, read_lines
from bulkrunner.adapters.manifests.source import Tree
from bulkrunner.adapters.tables import Facts, Form, Row, Table, open_table
from bulkrunner.adapters.tables.encoding import detect
from bulkrunner.domain.expressions.parsing import proposal
from bulkrunner.domain.expressions.text_functions import Call, TooLong, apply, parse_call
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Problem, Source
from bulkrunner.domain.text import harmless
from bulkrunner.sentences import Sentence, joined


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
        try:
            with self.folder.open(self.name) as file:
                encoding = detect(file, self.encoding)
                self.input = Input(file=self.name, kind="ids", encoding=encoding)
                for found in read_ids(file, iris, self.meanings, encoding=encoding):
                    self.input.count(found)
                    yield Selected(Source(file=self.name, line=found.line), found)
        except BadFile as bad:
            report(_problem(bad, self.name))
        except FileRefused as refused:
            hint = refused.hint
            if iris.parse(self.name):
                hint = Sentence("ids_written_as_list", id=self.name)
            report(_refused(refused, self.at, hint))


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
            given = text.strip()
            found = (
                entry(source.line, given, iris, self.meanings)
                if given
                else IdEntry(source.line, "", None, BLANK)
            )
            yield Selected(source, found)


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
        try:
            with self.folder.open(self.name) as file:
                table = open_table(file, self.form)
                self.input = input_of(self.name, table.facts)
                missing = list(self._missing(table))
                for problem in missing:
                    report(problem)
                if missing:
                    return
                yield from self._rows(table, iris)
        except BadFile as bad:
            report(_problem(bad, self.name))
        except FileRefused as refused:
            report(_refused(refused, self.at, refused.hint))

    def _rows(self, table: Table, iris: IriMap) -> Iterator[Selected]:
        read = self.input
        for raw in table.rows():
            row = self._cleaned(raw)
            cells = row.cells
            found = self._entry(row, cells.get(self.key, ""), iris, table.facts)
            if read is not None:
                read.count(found)
            place = Source(file=self._place(table.facts), line=row.line, column=row.column)
            yield Selected(place, found, cells)

    def _cleaned(self, row: Row) -> Row:
        if not self.clean or row.code:
            return row
        cells = dict(row.cells)
        for name, calls in self.clean.items():
            try:
                cells[name] = (apply(calls, cells.get(name, "")) or "").strip()
            except TooLong:
                message = Sentence("cell_becomes_too_long", name=name)
                return replace(row, code="cell_too_long", message=harmless(message))
        return replace(row, cells=cells)

    def _place(self, facts: Facts) -> str:
        return f"{self.name}[{facts.sheet}]" if facts.sheet else self.name

    def _entry(self, row: Row, key: str, iris: IriMap, facts: Facts) -> IdEntry:
        if row.code:
            # A row that cannot be used names its record all the same, unless that is the bad cell.
            sound = row.column not in (0, self._number(facts)) and key
            ref = entry(row.line, key, iris, self.meanings).ref if sound else None
            return IdEntry(row.line, harmless(key[:100]), ref, row.code, row.message)
        if not key:
            return IdEntry(
                row.line, "", None, "empty_key", Sentence("cell_key_empty", name=self.key)
            )
        return entry(row.line, key, iris, self.meanings)

    def _number(self, facts: Facts) -> int:
        """Return the number of the key's column, from 1; 0 where it is not known."""
        if self.key in facts.columns:
            return facts.columns.index(self.key) + 1
        return int(self.key) if self.key.isdecimal() else 0

    def _missing(self, table: Table) -> Iterator[Problem]:
        """Yield a fault for each column that the manifest names and the table has not."""
        columns = table.facts.columns
        if not columns:
            return  # columns without names; a row without that cell has an empty key
        named = {**self.wanted, **self.cleaned_at, self.key: self.key_at}
        missing = [name for name in named if name not in columns]
        header = table.header_with(missing) if missing and self.form.header else 0
        for name, place in named.items():
            if name in missing:
                near = meant(name, columns)
                hint: str = Sentence("columns_are", columns=", ".join(columns[:20])[:300])
                if header:
                    hint = Sentence("column_in_other_row", header=header)
                elif near:
                    hint = proposal(name, near)
                elif self.form.header:
                    hint = Sentence("columns_or_header", columns=", ".join(columns[:20])[:300])
                yield Problem(
                    source=place,
                    code="missing_column",
                    message=Sentence("column_missing", called=self.called, name=shown(name)),
                    hint=harmless(hint),
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
        read = self.input = Input(file=self.name, kind="report", encoding="utf-8")
        try:
            with self.folder.open(self.name) as file:
                for number, value in read_lines(file):
                    source = Source(file=self.name, line=number)
                    record = value.get("record") if isinstance(value, dict) else None
                    if isinstance(value, dict) and value.get("action") == "left_out":
                        record = ""
                    if isinstance(value, Fault) or not isinstance(record, str):
                        report(_no_report(value, source))
                        return
                    found = self._entry(number, record, value, iris)
                    read.count(found)
                    yield Selected(source, found)
        except FileRefused as refused:
            report(_refused(refused, self.at, refused.hint))

    def fault_of_none(self) -> tuple[Sentence, Sentence]:
        """Return message and hint for a report of which no line is meant."""
        if self.input is None or not self.input.lines:
            return Sentence("report_empty", called=self.called), Sentence("report_hint")
        wanted = [harmless(one) for one in self._wanted()]
        hint = Sentence("report_lines_hint")
        lines = self.input.lines
        if len(wanted) == 3:
            return Sentence(
                "report_lacks_three",
                file=self.called,
                lines=lines,
                one=wanted[0],
                two=wanted[1],
                three=wanted[2],
            ), hint
        if len(wanted) == 2:
            one, two = wanted
            return Sentence(
                "report_lacks_two", file=self.called, lines=lines, one=one, two=two
            ), hint
        return Sentence("report_lacks", file=self.called, lines=lines, wanted=joined(wanted)), hint

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

    def _entry(self, line: int, record: str, value: Mapping[str, Any], iris: IriMap) -> IdEntry:
        if not self._is_meant(value):
            words = [str(value.get(key)) for key in ("action", "outcome") if value.get(key)]
            return IdEntry(line, harmless(record[:100]), None, OTHER_OUTCOME, ", ".join(words))
        return entry(line, record, iris)

    def _is_meant(self, value: Mapping[str, Any]) -> bool:
        result = value.get("result")
        codes = {value.get("code"), result.get("code") if isinstance(result, dict) else None}
        return (
            (not self.outcomes or value.get("outcome") in self.outcomes)
            and (not self.actions or value.get("action") in self.actions)
            and (not self.codes or not self.codes.isdisjoint(codes))
        )


def _no_report(value: Any, source: Source) -> Problem:
    message = value.message if isinstance(value, Fault) else Sentence("report_line_without_record")
    return Problem(
        source=source,
        code="not_a_report",
        message=Sentence("not_a_report", message=message),
        hint=Sentence("report_hint_or_list"),
    )


def input_of(name: str, facts: Facts) -> Input:
    """Return how a table was read."""
    return Input(
        file=name,
        kind=facts.kind,
        encoding=facts.encoding,
        separator=facts.separator,
        header_separator=facts.header_separator,
        sheet=facts.sheet,
        columns=facts.columns,
        header_row=facts.header_row,
        hidden=facts.hidden,
        hidden_rows=facts.hidden_rows,
        hidden_columns=facts.hidden_columns,
        hidden_sheets=facts.hidden_sheets,
    )


def hidden_noted(read: Input) -> Iterator[Problem]:
    """Yield what of a spreadsheet is not seen by whoever opens it."""
    place = Source(file=read.file)
    if read.hidden_rows:
        is_left_out = read.hidden == "skip"
        said = Sentence(
            "hidden_rows_left_out" if is_left_out else "hidden_rows_used", count=read.hidden_rows
        )
        yield Problem(source=place, code="hidden_rows", message=said)
    if read.hidden_columns:
        names = ", ".join(shown(name) for name in read.hidden_columns[:10])
        yield Problem(
            source=place, code="hidden_columns", message=Sentence("hidden_columns", names=names)
        )
    if read.sheet in read.hidden_sheets:
        message = Sentence("hidden_sheet_read", sheet=shown(read.sheet))
        yield Problem(source=place, code="hidden_sheets", message=message)
    if others := [name for name in read.hidden_sheets if name != read.sheet]:
        names = ", ".join(map(shown, others[:10]))
        message = Sentence("hidden_sheets", names=names)
        yield Problem(source=place, code="hidden_sheets", message=message)


Path = tuple[PathKey, ...]

SELECTIONS = ("ids", "rows", "report", "find", "library")

"""Keys of a step that say which records are meant."""

APPLIED = ("applied",)


def selection_of(
    step: Mapping[str, Any],
    path: Path,
    tree: Tree,
    folder: JobFolder,
    wanted: Mapping[str, Source],
) -> Selection:
    """Return what reads the input of a step that fits the schema.

    Args:
        step: as written.
        path: its own in the manifest.
        tree: the manifest.
        folder: holds the input.
        wanted: columns that the step's values refer to, each with its place.
    """
    if "rows" in step:
        return replace(_rows(step["rows"], (*path, "rows"), tree, folder), wanted=wanted)
    if "report" in step:
        return _report(step["report"], (*path, "report"), tree, folder)
    return ids_of(step["ids"], (*path, "ids"), tree, folder)


def ids_of(declared: Any, path: Path, tree: Tree, folder: JobFolder) -> Selection:
    """Return what reads a list of ids, in the manifest or in a file."""
    long = declared if isinstance(declared, dict) else {}
    meanings = meanings_of(long.get("as"))
    listed = declared if isinstance(declared, list) else long.get("list")
    if listed is not None:
        at = path if isinstance(declared, list) else (*path, "list")
        places = [(text, tree.source((*at, number))) for number, text in enumerate(listed)]
        return InlineIds(ids=places, meanings=meanings)
    return IdFile(
        folder=folder,
        name=long.get("file", declared),
        at=tree.source((*path, "file")),
        meanings=meanings,
        encoding=long.get("encoding"),
    )


def meanings_of(declared: Any) -> tuple[Number, ...]:
    """Return what bare numbers are taken for."""
    words = declared if isinstance(declared, list) else [declared] if declared else []
    return tuple(Number(word) for word in words)


def _rows(declared: Mapping[str, Any], path: Path, tree: Tree, folder: JobFolder) -> TableRows:
    return TableRows(
        folder=folder,
        name=declared["file"],
        at=tree.source((*path, "file")),
        key=str(declared["key"]),
        key_at=tree.source((*path, "key")),
        form=Form(
            encoding=declared.get("encoding"),
            separator=declared.get("separator"),
            header=declared.get("header", True),
            columns=tuple(declared.get("columns", ())),
            quotes=declared.get("quotes", True),
            sheet=declared.get("sheet"),
            hidden=declared.get("hidden"),
        ),
        clean={
            name: tuple(parse_call(text) for text in texts)
            for name, texts in declared.get("clean", {}).items()
        },
        cleaned_at={
            name: tree.source((*path, "clean", name), key=name)
            for name in declared.get("clean", {})
        },
        meanings=meanings_of(declared.get("as")),
    )


def _report(declared: Mapping[str, Any], path: Path, tree: Tree, folder: JobFolder) -> Selection:
    others = any(key in declared for key in ("actions", "codes"))
    return ReportLines(
        folder=folder,
        name=declared["file"],
        at=tree.source((*path, "file")),
        outcomes=frozenset(declared.get("outcomes", () if others else APPLIED)),
        actions=frozenset(declared.get("actions", ())),
        codes=frozenset(declared.get("codes", ())),
    )
