"""The styles of an OpenDocument spreadsheet, as far as they say what a cell shows or hides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bulkrunner.adapters.tables.number_formats import GENERAL, NumberFormat, format_of
from bulkrunner.adapters.tables.package import Attributes
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

_OASIS = "urn:oasis:names:tc:opendocument:xmlns:"
NUMBER = f"{_OASIS}datastyle:1.0}}"
STYLE = f"{_OASIS}style:1.0}}"
TABLE = f"{_OASIS}table:1.0}}"

MAX_STYLES = 100_000

_NUMBER_STYLES = frozenset(
    f"{NUMBER}{kind}-style"
    for kind in ("number", "percentage", "currency", "date", "time", "boolean", "text")
)
_CONDITION = re.compile(r"value\(\)\s*(<=|>=|!=|<|>|=)\s*(-?[0-9.]+)")
_LENGTH = re.compile(r"([0-9.]+)[a-z]*")


@dataclass
class _NumberStyle:
    """A number style on its way to a format code."""

    parts: list[str] = field(default_factory=list)
    conditions: list[tuple[str, str, str]] = field(default_factory=list)
    elapsed: bool = False
    percentage: bool = False

    @property
    def code(self) -> str:
        return "".join(self.parts)


@dataclass(frozen=True, slots=True)
class _CellStyle:
    parent: str
    number: str


class Styles:
    """Takes the styles of one or more parts."""

    def __init__(self) -> None:
        self.unseen: set[tuple[str, str]] = set()
        """Family and name of styles of tables, rows and columns that are not shown."""

        self._numbers: dict[str, _NumberStyle] = {}
        self._cells: dict[str, _CellStyle] = {}
        self._formats: dict[str, NumberFormat] = {}
        self._number: _NumberStyle | None = None
        self._digits: Attributes | None = None
        self._embedded: list[tuple[int, str]] = []
        self._literal: list[str] | None = None
        self._open = "", ""

    def format_of(self, style: str) -> NumberFormat:
        """Return the format of a cell's style."""
        found = self._formats.get(style)
        if found is None:
            found = self._formats[style] = self._read_format(style)
        return found

    def has_format(self, style: str) -> bool:
        """Return True if a cell's style says how numbers look."""
        return self._number_style(style) in self._numbers

    def start(self, name: str, attributes: Attributes, /) -> None:
        """Take the beginning of an element."""
        if name in _NUMBER_STYLES:
            self._number = _NumberStyle(
                elapsed=attributes.get(f"{NUMBER}truncate-on-overflow") == "false",
                percentage=name == f"{NUMBER}percentage-style",
            )
            if attributes.get(f"{NUMBER}automatic-order") == "true":
                self._number.parts.append("[$-F800]")
            self._numbers[attributes.get(f"{STYLE}name", "")] = self._number
        elif name.startswith(NUMBER):
            if self._number is not None:
                self._part(name.removeprefix(NUMBER), attributes, self._number)
        elif name.startswith(STYLE):
            self._style(name.removeprefix(STYLE), attributes)
        if len(self._numbers) + len(self._cells) > MAX_STYLES:
            raise Fault(Sentence("table_many_styles"), code="bad_spreadsheet")

    def end(self, name: str, /) -> None:
        """Take its end."""
        if name in _NUMBER_STYLES:
            self._number = None
        elif self._number is None:
            return
        elif name == f"{NUMBER}number":
            self._number.parts.append(_digits(self._digits or {}, self._embedded))
            self._digits, self._embedded = None, []
        elif name in (f"{NUMBER}text", f"{NUMBER}currency-symbol", f"{NUMBER}embedded-text"):
            literal = "".join(self._literal or [])
            if name.endswith("embedded-text") and self._embedded:
                self._embedded[-1] = self._embedded[-1][0], literal
            else:
                self._number.parts.append(_quoted(literal, but="%" * self._number.percentage))
            self._literal = None

    def text(self, text: str, /) -> None:
        """Take a piece of text."""
        if self._literal is not None and len(self._literal) < 100:
            self._literal.append(text)

    def _style(self, local: str, attributes: Attributes) -> None:
        if local == "style":
            family, name = attributes.get(f"{STYLE}family", ""), attributes.get(f"{STYLE}name", "")
            self._open = family, name
            if family == "table-cell":
                self._cells[name] = _CellStyle(
                    attributes.get(f"{STYLE}parent-style-name", ""),
                    attributes.get(f"{STYLE}data-style-name", ""),
                )
        elif local == "map" and self._number is not None:
            found = _CONDITION.fullmatch(attributes.get(f"{STYLE}condition", "").strip())
            sign, value = (found[1].replace("!=", "<>"), found[2]) if found else ("?", "")
            named = attributes.get(f"{STYLE}apply-style-name", "")
            self._number.conditions.append((sign, value, named))
        elif (
            (local == "table-properties" and attributes.get(f"{TABLE}display") == "false")
            or (local == "table-row-properties" and _is_flat(attributes.get(f"{STYLE}row-height")))
            or (
                local == "table-column-properties"
                and _is_flat(attributes.get(f"{STYLE}column-width"))
            )
        ):
            self.unseen.add(self._open)

    def _part(self, local: str, attributes: Attributes, style: _NumberStyle) -> None:
        match local:
            case "number":
                self._digits, self._embedded = attributes, []
            case "embedded-text":
                position = attributes.get(f"{NUMBER}position", "0")
                self._embedded.append((int(position) if position.isdecimal() else 0, ""))
                self._literal = []
            case "text" | "currency-symbol":
                self._literal = []
            case "text-content":
                style.parts.append("@")
            case "scientific-number":
                style.parts.append("0.00E+00")
            case "fraction":
                style.parts.append("# ?/?")
            case _:
                style.parts.append(_of_time(local, attributes, elapsed=style.elapsed))
                if local in ("hours", "minutes", "seconds"):
                    style.elapsed = False

    def _number_style(self, style: str) -> str:
        for _ in range(20):
            found = self._cells.get(style)
            if found is None:
                return ""
            if found.number:
                return found.number
            style = found.parent
        return ""

    def _read_format(self, style: str) -> NumberFormat:
        named = self._number_style(style)
        if not named:
            return format_of(GENERAL)
        found = self._numbers.get(named)
        return format_of(None if found is None else self._whole(found))

    def _whole(self, style: _NumberStyle) -> str | None:
        parts = []
        for sign, value, named in style.conditions:
            other = self._numbers.get(named)
            if other is None or sign == "?":
                return None
            parts.append((f"{sign}{value}", other.code))
        signs = [condition.removesuffix(".0") for condition, _ in parts]
        if signs in ([">=0"], [">0", "<0"]):
            return ";".join([*(code for _, code in parts), style.code])
        return ";".join([*(f"[{condition}]{code}" for condition, code in parts), style.code])


def _digits(attributes: Attributes, embedded: list[tuple[int, str]]) -> str:
    """Return the places of digits of a ``number:number``."""
    decimals = _count(attributes, "decimal-places")
    if decimals is None and not embedded:
        return GENERAL
    least = _count(attributes, "min-integer-digits") or 0
    places = ["0"] * min(least, 100) or ["#"]
    for position, literal in embedded:
        # Counted from the decimal sign, to the left.
        places = ["#"] * (position - _places(places)) + places
        at = len(places)
        for _ in range(min(position, 100)):
            at -= 1
            while places[at] not in ("0", "#"):
                at -= 1
        places.insert(at, _quoted(literal))
    if attributes.get(f"{NUMBER}grouping") == "true":
        places = ["#"] * (4 - len(places)) + places
        places.insert(-3, ",")
    if attributes.get(f"{NUMBER}display-factor", "1") != "1":
        places.append(",")
    tail = "." + "0" * min(decimals, 100) if decimals else ""
    return "".join(places) + tail


def _places(places: list[str]) -> int:
    return sum(place in ("0", "#") for place in places)


def _of_time(local: str, attributes: Attributes, *, elapsed: bool) -> str:
    is_long = attributes.get(f"{NUMBER}style") == "long"
    if local == "month" and attributes.get(f"{NUMBER}textual") == "true":
        return "mmmm" if is_long else "mmm"
    code = _CODES.get(local)
    if code is None:
        return "g"  # a quarter, a week, an era
    if local == "seconds" and (_count(attributes, "decimal-places") or 0) > 0:
        return "ss.0"
    text = code[1] if is_long else code[0]
    return f"[{text}]" if elapsed and local in ("hours", "minutes", "seconds") else text


_CODES: Mapping[str, tuple[str, str]] = {
    "year": ("yy", "yyyy"),
    "month": ("m", "mm"),
    "day": ("d", "dd"),
    "day-of-week": ("ddd", "dddd"),
    "hours": ("h", "hh"),
    "minutes": ("m", "mm"),
    "seconds": ("s", "ss"),
    "am-pm": ("AM/PM", "AM/PM"),
}


def _count(attributes: Attributes, name: str) -> int | None:
    given = attributes.get(f"{NUMBER}{name}", "")
    return int(given) if given.isdecimal() and len(given) < 4 else None


def _quoted(text: str, *, but: str = "") -> str:
    return "".join(letter if letter in but else f"\\{letter}" for letter in text)


def _is_flat(size: str | None) -> bool:
    """Return True if a row or column is too low or narrow to be seen."""
    found = _LENGTH.fullmatch(size or "")
    return found is not None and found[1].replace(".", "", 1).isdecimal() and float(found[1]) < 0.01
