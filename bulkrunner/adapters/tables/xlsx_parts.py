"""The parts of an XLSX beside its sheets: names, relations, styles, shared texts."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

from bulkrunner.adapters.tables.grid import MAX_SHEETS, MAX_TEXT, SheetName, too_many_sheets
from bulkrunner.adapters.tables.number_formats import BUILT_IN, NumberFormat, format_of
from bulkrunner.adapters.tables.package import Attributes
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

_MAX_STYLES = 70_000

SPACES = (
    "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
    "http://purl.oclc.org/ooxml/spreadsheetml/main",
)
_RELATED = (
    "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    "http://purl.oclc.org/ooxml/officeDocument/relationships",
)
TEXT = {f"{space}}}t" for space in SPACES}
PHONETIC = {f"{space}}}rPh" for space in SPACES}

OFF = ("", "0", "false")
"""What stands for no, in attributes."""


class Ignoring:
    """Takes elements by local name; what it does not know is passed over."""

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""
        handler = getattr(self, f"on_{name.rpartition('}')[2]}", None)
        if handler is not None:
            handler(attributes)

    def end(self, name: str, /) -> None:
        """Take its end."""

    def text(self, text: str, /) -> None:
        """Take a piece of text."""


@dataclass
class Relations(Ignoring):
    """Which part each relation of the workbook is, and its kind."""

    targets: dict[str, tuple[str, str]] = field(default_factory=dict)

    def on_Relationship(self, attributes: Attributes) -> None:  # noqa: N802
        """Take a relation."""
        kind = attributes.get("Type", "").rpartition("/")[2]
        self.targets[attributes.get("Id", "")] = kind, attributes.get("Target", "")


@dataclass
class Names(Ignoring):
    """The sheets of a workbook, each with its relation, and how its dates and formulas are meant."""

    sheets: list[tuple[SheetName, str]] = field(default_factory=list)
    since_1904: bool = False
    recalculated: bool = False

    def on_sheet(self, attributes: Attributes) -> None:
        """Take a sheet."""
        relation = next(
            (attributes[key] for key in map("{}}}id".format, _RELATED) if key in attributes), ""
        )
        hidden = attributes.get("state", "visible") != "visible"
        name = attributes.get("name", "")
        self.sheets.append((SheetName(name=name, hidden=hidden), relation))
        if len(self.sheets) > MAX_SHEETS:
            raise too_many_sheets()

    def on_workbookPr(self, attributes: Attributes) -> None:  # noqa: N802
        """Take how dates are meant."""
        self.since_1904 = attributes.get("date1904", "") not in OFF

    def on_calcPr(self, attributes: Attributes) -> None:  # noqa: N802
        """Take how formulas are meant."""
        self.recalculated = attributes.get("fullCalcOnLoad", "") not in OFF


class Styles(Ignoring):
    """The format of each style, and which conditional formats change one."""

    def __init__(self) -> None:
        self.formats: list[NumberFormat] = []
        self.reformatting: set[int] = set()
        self._codes: dict[str, str] = {}
        self._within = ""
        self._conditional = -1

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""
        local = name.rpartition("}")[2]
        if local in ("numFmts", "cellXfs", "cellStyleXfs", "dxfs"):
            self._within = local
        elif local == "dxf":
            self._conditional += 1
        elif local == "numFmt" and self._within == "dxfs":
            self.reformatting.add(self._conditional)
        elif local == "numFmt":
            self._codes[attributes.get("numFmtId", "")] = attributes.get("formatCode", "")
        elif local == "xf" and self._within == "cellXfs":
            self.formats.append(self._format(attributes.get("numFmtId", "0")))
            if len(self.formats) > _MAX_STYLES:
                raise Fault(Sentence("table_many_styles"), code="bad_spreadsheet")

    def _format(self, number: str) -> NumberFormat:
        if number in self._codes:
            return format_of(self._codes[number])
        return format_of(BUILT_IN.get(int(number)) if number.isdecimal() else None)


class Strings(Ignoring):
    """The texts that sheets refer to by number, packed tightly."""

    def __init__(self) -> None:
        self._packed = bytearray()
        self._ends = array("Q")
        self._reading = False
        self._skipped = False
        self._kept = 0

    def start(self, name: str, _: Attributes, /) -> None:
        """Take the beginning of an element."""
        if name in TEXT:
            self._reading = not self._skipped
        elif name in PHONETIC:
            self._skipped = True

    def end(self, name: str, /) -> None:
        """Take its end."""
        if name in TEXT:
            self._reading = False
        elif name in PHONETIC:
            self._skipped = False
        elif name.endswith("}si"):
            self._ends.append(len(self._packed))
            self._kept = 0

    def text(self, text: str, /) -> None:
        """Take a piece of text."""
        if self._reading and self._kept < MAX_TEXT:
            self._kept += len(text)
            self._packed += text.encode("utf-8", "surrogatepass")

    def __getitem__(self, number: int) -> str:
        start = self._ends[number - 1] if number else 0
        return self._packed[start : self._ends[number]].decode("utf-8", "surrogatepass")

    def __len__(self) -> int:
        return len(self._ends)
