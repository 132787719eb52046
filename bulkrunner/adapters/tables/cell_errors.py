"""Texts that a spreadsheet shows or writes where a value could not be calculated."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Excel's words differ with its language, all in one form: #SAKNAS!, #VÄRDEFEL!, #NAMN?, #DIV/0!.
_ERROR = re.compile(
    r"#[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ0-9_/.]{0,30}[!?]|#N/[A-Z]{1,2}|#SAKNAS|#I/T|#NV|#GETTING_DATA"
    r"|(?:Err|Fel|Feil|Fejl|Virhe) ?: ?[0-9]{3}"
)
_TOO_NARROW = re.compile("#{3,}")
_ROUNDED = re.compile(r"-?[0-9]+[.,][0-9]+[eE]\+[0-9]{1,3}|-?[0-9][eE]\+[0-9]{2,3}")
_FORMULA = re.compile(r"=\s*\S")

REMEDY = "format the column as text, and enter what is meant"
NOT_CALCULATED = "holds a formula that was not calculated"
LOST = "holds no value that can be read"
REFORMATTED = "may be shown in another form by a conditional format"


def error_of(text: str) -> str:
    """Return what a text says instead of a value, to follow ``the cell``; empty for a value."""
    if _ERROR.fullmatch(text):
        return f"shows an error: {text}"
    if _FORMULA.match(text):
        return NOT_CALCULATED
    return ""


def error_of_cell(text: str) -> str:
    """Return the same of a table's cell, where a row of # is a column that was too narrow."""
    if _ROUNDED.fullmatch(text):
        return f"shows {text}, a number that a spreadsheet has rounded; {REMEDY}"
    if _TOO_NARROW.fullmatch(text):
        return "shows #### because its column was too narrow when the table was saved"
    return error_of(text)


def uncertain(stored: str, likely: Sequence[str]) -> str:
    """Return why a cell whose look is not certain has no value, to follow ``the cell``."""
    kept = _short(stored)
    if not likely:
        return f"holds {kept} in a format whose look is not certain; {REMEDY}"
    forms = " or ".join(_short(form) for form in dict.fromkeys(likely[:2]))
    return f"holds {kept} and is probably shown as {forms}; {REMEDY}"


def contradicted(stored: str, shown: str, kept: str) -> str:
    """Return why a cell is not used whose format and whose stored look differ."""
    return (
        f"holds {_short(stored)}, which its format shows as {_short(shown)} and the file as "
        f"{_short(kept)}; {REMEDY}"
    )


def merged(place: str) -> str:
    """Return why a cell that is one with others has no value of its own."""
    return f"is merged with others ({place}); part them, and fill in each"


def _short(text: str) -> str:
    """Return a text of a file on one line, harmless and short."""
    plain = " ".join(text[:61].split())
    shown = "".join(letter if letter.isprintable() else "·" for letter in plain)
    return f"{shown[:60]}…" if len(text) > 60 else shown
