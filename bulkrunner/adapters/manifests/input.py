"""How an input file was read, for people to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bulkrunner.adapters.manifests.id_lists import Selected
from bulkrunner.adapters.manifests.problems import shown
from bulkrunner.adapters.tables import Facts
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


@dataclass(kw_only=True)
class Input:
    """How an input was read, for people to see.

    Attributes:
        kind: ``ids``, ``text`` (a table), ``xlsx``, ``ods``, ``report``.
        header_row: where the manifest names it.
        hidden: what becomes of hidden rows: ``use`` or ``skip``. hidden_rows: how many hold
            something. hidden_columns, hidden_sheets: their names.
        lines: lines or rows in all, the header of a table left out.
        left_out: lines that are nothing, by code.
    """

    file: str
    kind: str
    encoding: str = ""
    separator: str = ""
    header_separator: str = ""
    sheet: str = ""
    columns: tuple[str, ...] = ()
    header_row: int = 0
    hidden: str = ""
    hidden_rows: int = 0
    hidden_columns: tuple[str, ...] = ()
    hidden_sheets: tuple[str, ...] = ()
    lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def count(self, found: Selected) -> None:
        """Count one line."""
        self.lines += 1
        if code := found.fault.code if found.fault else found.left_out:
            self.left_out[code] += 1

    @property
    def hides(self) -> bool:
        """Whether something of the file is not shown by whoever opens it."""
        return bool(self.hidden_rows or self.hidden_columns or self.hidden_sheets)

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as plain data, empty ones left out."""
        plain = {name: value for name, value in vars(self).items() if value}
        return plain | {"lines": self.lines, "left_out": dict(self.left_out)}


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


def hidden_noted(read: Input) -> Iterator[Fault]:
    """Yield what of a spreadsheet is not seen by whoever opens it."""
    place = Source(file=read.file)
    if read.hidden_rows:
        is_left_out = read.hidden == "skip"
        said = Sentence(
            "hidden_rows_left_out" if is_left_out else "hidden_rows_used", count=read.hidden_rows
        )
        yield Fault(said, code="hidden_rows", source=place)
    if read.hidden_columns:
        names = ", ".join(shown(name) for name in read.hidden_columns[:10])
        yield Fault(Sentence("hidden_columns", names=names), code="hidden_columns", source=place)
    if read.sheet in read.hidden_sheets:
        message = Sentence("hidden_sheet_read", sheet=shown(read.sheet))
        yield Fault(message, code="hidden_sheets", source=place)
    if others := [name for name in read.hidden_sheets if name != read.sheet]:
        names = ", ".join(map(shown, others[:10]))
        message = Sentence("hidden_sheets", names=names)
        yield Fault(message, code="hidden_sheets", source=place)
