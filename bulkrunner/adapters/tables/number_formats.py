"""What a spreadsheet shows of a number: its format code, read as far as the look is certain.

The code is that of Excel (ECMA-376, part 1, 18.8.31); those of ODS are put into the same form. What
depends on whose computer shows it is not certain: the decimal sign, the sign between thousands,
names of months, the order of a short date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

GENERAL = "General"
_LOCAL_DATE = "[$-F800]yyyy-mm-dd"

# Codes of the formats that a file does not spell out.
BUILT_IN = {
    0: GENERAL,
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    14: _LOCAL_DATE,
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    22: f"{_LOCAL_DATE} h:mm",
    37: "#,##0;-#,##0",
    38: "#,##0;-#,##0",
    39: "#,##0.00;-#,##0.00",
    40: "#,##0.00;-#,##0.00",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
    49: "@",
}

MAX_CODE = 255
# Stands for blanks that fill the cell.
_FILL = "\x00"

# A longer whole number is shown in powers of ten where the format is General.
_SURE_DIGITS = 11

_KEPT_DIGITS = 15
# The year 9999 ends then, where days are counted from 1904.
_LAST_DAY = 2_957_004


# Decimal sign, and the one between thousands: Swedish, English, German.
_SIGNS = ((",", "\u00a0"), (".", ","), (",", "."))

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[(?P<bracket>[^\]]*)\]|_(?P<blank>.)|\*(?P<fill>.)'
    r"|(?P<general>General)|(?P<ampm>AM/PM|A/P)|(?P<date>y+|m+|d+|h+|s+)|(?P<power>E[+-])"
    r"|(?P<digit>[0#?])|(?P<letter>[A-Za-z])|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_COLOUR = re.compile(
    r"black|blue|cyan|green|magenta|red|white|yellow|color\s*[0-9]{1,2}", re.IGNORECASE
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[0-9]+(?:\.[0-9]+)?)")
_CURRENCY = re.compile(r"\$([^-\]]*)(?:-([0-9A-Fa-f]+))?")
# What stands in the place of a language where the computer's own date or time is meant.
_LOCAL = frozenset({"F400", "F800"})

# Digits of a language; longer ones name digits of another script or another calendar as well.
_LANGUAGE = 4

_COMPARED: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<": lambda one, other: one < other,
    ">": lambda one, other: one > other,
    "=": lambda one, other: one == other,
    "<=": lambda one, other: one <= other,
    ">=": lambda one, other: one >= other,
    "<>": lambda one, other: one != other,
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a cell shows.

    Attributes:
        text: where that is certain; else None.
        likely: what it probably shows, by one computer or another; empty where nobody can tell.
    """

    text: str | None
    likely: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str


@dataclass(frozen=True, kw_only=True)
class _Section:
    """A part of a code between semicolons; ``doubt``: something of it is not certain."""

    tokens: tuple[_Token, ...]
    condition: tuple[str, Decimal] | None = None
    doubt: bool = False

    def has(self, *kinds: str) -> bool:
        return any(token.kind in kinds for token in self.tokens)


class NumberFormat:
    """One format of a workbook."""

    def __init__(self, code: str | None) -> None:
        """Read a code; None stands for one that the file does not give."""
        self.code = code
        known = code is not None and len(code) <= MAX_CODE
        self._sections = _sections(code or "") if known else ()
        self.is_date = any(one.has("date", "elapsed") for one in self._sections)
        self.zeros = 1 if code == GENERAL else len(code or "") if set(code or "") == {"0"} else 0
        """Digits that a whole number has at least, where nothing else is shown."""

        texts = [one for one in self._sections if one.has("@")]
        self._only_text = len(texts) == len(self._sections)
        last = texts[-1] if texts else None
        self._text = self._sections[3] if len(self._sections) > 3 else last
        self.changes_text = self._text is not None and self.code not in ("@", GENERAL)

    def text(self, value: str) -> Shown:
        section = self._text
        if section is None or not self.changes_text:
            return Shown(value)
        if section.doubt or section.has("digit", "date", "elapsed", "general"):
            return Shown(None)
        parts = [value if token.kind == "@" else token.text for token in section.tokens]
        return _as_seen("".join(parts))

    def number(self, value: float, *, since_1904: bool = False) -> Shown:
        exact = Decimal(f"{value:.{_KEPT_DIGITS}g}")
        if not exact.is_finite() or not self._sections or (self._only_text and self.changes_text):
            return Shown(None)
        if abs(exact) >= Decimal(10) ** _KEPT_DIGITS:
            return Shown(None, _with_signs(_as_general(exact)))
        section, sure = _chosen(self._sections, exact)
        if section is None:
            return Shown(None)
        negative = exact < 0 and section is self._sections[0]
        if section.has("date", "elapsed"):
            shown = _date(section, exact, since_1904=since_1904)
        elif section.has("general", "@"):
            shown = _general(section, exact if negative else abs(exact))
        else:
            shown = _digits(section, abs(exact), negative=negative)
        if shown.text is None:
            return Shown(None, tuple(text.replace(_FILL, " ").strip() for text in shown.likely))
        seen = _as_seen(shown.text)
        if seen.text is None or (sure and not section.doubt):
            return seen
        return Shown(None, (seen.text,))


def _as_seen(text: str) -> Shown:
    """Return a text as it is seen: a value that its format hides is not an empty cell."""
    text = text.strip(f" {_FILL}")
    if _FILL in text:
        return Shown(None, (text.replace(_FILL, " "),))
    return Shown(text) if text else Shown(None)


@lru_cache(maxsize=1024)
def format_of(code: str | None) -> NumberFormat:
    """Return the format of a code, read once."""
    return NumberFormat(code)


# Reading a code


def _sections(code: str) -> tuple[_Section, ...]:
    found: list[_Section] = []
    tokens: list[_Token] = []
    condition: tuple[str, Decimal] | None = None
    doubt = False

    def close() -> None:
        found.append(_Section(tokens=_with_minutes(tokens), condition=condition, doubt=doubt))

    for match in _TOKEN.finditer(code):
        kind, text = str(match.lastgroup), match[match.lastgroup or 0]
        if kind == "other" and text == ";":
            close()
            tokens, condition, doubt = [], None, False
        elif kind == "bracket":
            if given := _CONDITION.fullmatch(text.strip()):
                condition = given[1], Decimal(given[2])
            else:
                token = _bracket(text)
                doubt = doubt or token is None
                tokens += [token] if token is not None and token.kind != "nothing" else []
        elif kind == "letter" or (kind == "fill" and text != " "):
            doubt = True
        else:
            tokens.append(_token(kind, text))
    close()
    return tuple(found[:5])


def _token(kind: str, text: str) -> _Token:
    match kind:
        case "quoted" | "escaped":
            return _Token("literal", text.replace(_FILL, " "))
        case "fill":
            return _Token("literal", _FILL)
        case "blank":
            return _Token("literal", " ")
        case "date":
            return _Token("date", text.lower())
        case "other" if text in "@.,%/":
            return _Token(text, text)
        case "other":
            return _Token("literal", text)
        case _:
            return _Token(kind, text)


def _bracket(text: str) -> _Token | None:
    """Return what brackets mean; None where they make the look uncertain."""
    if _COLOUR.fullmatch(text.strip()):
        return _Token("nothing", "")
    if re.fullmatch(r"h+|m+|s+", text, re.IGNORECASE):
        return _Token("elapsed", text.lower())
    if found := _CURRENCY.fullmatch(text):
        language = (found[2] or "").upper().lstrip("0")
        if language not in _LOCAL and len(language) <= _LANGUAGE:
            return _Token("literal", found[1])
    return None


def _with_minutes(tokens: Sequence[_Token]) -> tuple[_Token, ...]:
    """Tell minutes from months: they follow hours or precede seconds."""
    told = list(tokens)
    dates = [at for at, token in enumerate(told) if token.kind in ("date", "elapsed")]
    for place, at in enumerate(dates):
        if told[at].kind == "date" and told[at].text in ("m", "mm"):
            before = told[dates[place - 1]].text[0] if place else ""
            after = told[dates[place + 1]].text[0] if place + 1 < len(dates) else ""
            if before == "h" or after == "s":
                told[at] = _Token("date", "minute"[: len(told[at].text) + 1])
    return tuple(told)


def _chosen(sections: Sequence[_Section], value: Decimal) -> tuple[_Section | None, bool]:
    """Return the section for a number, and whether every program would choose it."""
    numeric = [one for one in sections[:3] if not one.has("@")] or list(sections[:1])
    if not any(one.condition for one in numeric):
        if len(numeric) == 1:
            return numeric[0], True
        if value < 0:
            return numeric[1], True
        return (numeric[2] if value == 0 and len(numeric) > 2 else numeric[0]), True
    # What a sign looks like below a condition, and what holds where none is given, differs.
    sure = value >= 0 and all(one.condition for one in numeric[:-1])
    for one in numeric:
        if one.condition is None or _COMPARED[one.condition[0]](value, one.condition[1]):
            return one, sure
    return None, False


# Numbers


def _general(section: _Section, value: Decimal) -> Shown:
    if section.has("digit", "/", "%", "power"):
        return Shown(None)

    def around(shown: str) -> str:
        parts = [shown if t.kind in ("general", "@") else t.text for t in section.tokens]
        return "".join(parts)

    if value == value.to_integral_value() and abs(value) < Decimal(10) ** _SURE_DIGITS:
        return Shown(around(str(int(value))))
    return Shown(None, tuple(around(text) for text in _with_signs(_as_general(value))))


def _as_general(value: Decimal) -> str:
    size = abs(value)
    if size >= Decimal(10) ** _SURE_DIGITS or (size and size < Decimal("1e-9")):
        return _in_powers(value, 5)
    places = max(0, 10 - len(str(int(size))))
    text = f"{value:.{places}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _in_powers(value: Decimal, places: int) -> str:
    mantissa, _, exponent = f"{value:.{places}E}".partition("E")
    return f"{mantissa.rstrip('0').rstrip('.')}E{int(exponent):+03d}"


def _with_signs(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys((text.replace(".", ","), text)))


def _digits(section: _Section, value: Decimal, *, negative: bool) -> Shown:
    """Return what digits between literal texts show."""
    if section.has("ampm"):
        return Shown(None)
    sign = "-" if negative else ""
    percents = sum(token.kind == "%" for token in section.tokens)
    value *= Decimal(100) ** min(percents, 1)
    if section.has("power"):
        return Shown(None, tuple(sign + text for text in _with_signs(_in_powers(value, 2))))
    if section.has("/"):
        return Shown(None, (sign + _as_fraction(value),))
    placed = [at for at, token in enumerate(section.tokens) if token.kind == "digit"]
    if not placed:
        return Shown(sign + "".join(token.text for token in section.tokens))
    point = next((at for at, token in enumerate(section.tokens) if token.kind == "."), None)
    whole = [at for at in placed if point is None or at < point]
    decimals = len(placed) - len(whole)
    commas = [at for at, token in enumerate(section.tokens) if token.kind == ","]
    if percents > 1 or decimals > _SURE_DIGITS:
        return Shown(None)
    if any(at > placed[-1] or (whole and at > whole[-1]) for at in commas):
        return Shown(None)  # scaled by thousands
    rounded = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    if negative and not rounded:
        return Shown(None)
    tie = abs(value - rounded) * 2 == Decimal(1).scaleb(-decimals)
    grouped = any(whole and whole[0] < at < whole[-1] for at in commas)
    apart = grouped and rounded >= 1000
    texts = [
        sign + _filled(section.tokens, whole, str(rounded), decimals, point, comma, apart)
        for comma, apart in ((comma, mark if apart else "") for comma, mark in _SIGNS)
    ]
    likely = tuple(dict.fromkeys(text.strip() for text in texts))
    doubt = len(likely) > 1 or tie or any(section.tokens[at].text == "?" for at in placed)
    return Shown(None, likely) if doubt else Shown(texts[0])


def _filled(
    tokens: Sequence[_Token],
    whole: Sequence[int],
    rounded: str,
    decimals: int,
    point: int | None,
    comma: str,
    apart: str,
) -> str:
    """Return the tokens with digits in their places, the last ones of the whole part first."""
    left, _, right = rounded.partition(".")
    digits = list(left.lstrip("0"))
    placed: dict[int, str] = {}
    count = 0
    for at in reversed(whole):
        taken = [digits.pop()] if digits else ["0"] if tokens[at].text == "0" else []
        if at == whole[0]:
            taken = digits + taken
        for digit in reversed(taken):
            mark = apart if count and count % 3 == 0 else ""
            placed[at] = digit + mark + placed.get(at, "")
            count += 1
    fraction = iter(_fraction_digits(tokens, whole, right, decimals))
    parts = []
    for at, token in enumerate(tokens):
        match token.kind:
            case "digit":
                parts.append(placed.get(at, "") if at in whole else next(fraction, ""))
            case "." if at == point:
                parts.append(comma)
            case ",":
                pass
            case _:
                parts.append(token.text)
    return "".join(parts)


def _fraction_digits(
    tokens: Sequence[_Token], whole: Sequence[int], right: str, decimals: int
) -> list[str]:
    shown = list(right.ljust(decimals, "0"))
    places = [token.text for at, token in enumerate(tokens) if token.kind == "digit"][len(whole) :]
    for at in reversed(range(len(places))):
        if places[at] == "0" or shown[at] != "0":
            break
        shown[at] = ""
    return shown


def _as_fraction(value: Decimal) -> str:
    whole = int(value)
    rest = Fraction(value - whole).limit_denominator(9)
    if rest == 1:
        whole, rest = whole + 1, Fraction(0)
    return " ".join(str(part) for part in (whole, rest) if part) or "0"


# Dates and times


def _date(section: _Section, days: Decimal, *, since_1904: bool) -> Shown:
    """Return what is shown of a point in time, given in days, or of a span of it."""
    total = (days * 86_400).quantize(Decimal("0.001"), rounding=ROUND_HALF_UP)
    names = {token.text[0] for token in section.tokens if token.kind == "date"}
    is_point = bool(names & set("yd")) or any(
        token.kind == "date" and token.text[0] == "m" and not token.text.startswith("mi")
        for token in section.tokens
    )
    # The days around the missing 29 February of 1900 are counted in two ways.
    if total < 0 or days >= _LAST_DAY or (is_point and not since_1904 and days < 61):
        return Shown(None)
    seconds = int(total)
    start = datetime(1904, 1, 1) if since_1904 else datetime(1899, 12, 30)  # noqa: DTZ001
    moment = start + timedelta(seconds=seconds)
    shows_time = bool(names & set("hs")) or section.has("elapsed") or _minute(section)
    doubt = (shows_time and total != seconds) or section.has("ampm", "/", "digit", "@")
    parts: list[str] = []
    for token in section.tokens:
        if token.kind == "elapsed":
            unit = {"h": 3600, "m": 60, "s": 1}[token.text[0]]
            parts.append(str(seconds // unit).zfill(len(token.text)))
        elif token.kind == "date":
            told = _told(token.text, moment)
            doubt = doubt or told is None
            parts.append(told or "")
        else:
            parts.append(token.text)
    text = "".join(parts)
    if is_point and "s" in names and not doubt and seconds % 86_400 == 0:
        # Programs add midnight to a day; nobody means it.
        return Shown(None, (text, f"{moment:%Y-%m-%d}"))
    return Shown(None, (f"{moment:%Y-%m-%d}",) if is_point else ()) if doubt else Shown(text)


def _minute(section: _Section) -> bool:
    return any(token.text.startswith("mi") for token in section.tokens if token.kind == "date")


def _told(token: str, moment: datetime) -> str | None:
    """Return a part of a date; None where it is a name."""
    match token:
        case "yyyy" | "yyy":
            return f"{moment.year:04}"
        case "y" | "yy":
            return f"{moment.year % 100:02}"
        case "m" | "mm":
            return str(moment.month).zfill(len(token))
        case "d" | "dd":
            return str(moment.day).zfill(len(token))
        case "h" | "hh":
            return str(moment.hour).zfill(len(token))
        case "mi" | "min":
            return str(moment.minute).zfill(len(token) - 1)
        case "s" | "ss":
            return str(moment.second).zfill(len(token))
        case _:
            return None
