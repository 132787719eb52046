"""Texts that a spreadsheet shows or writes where a value could not be calculated."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bulkrunner.sentences import Sentence

# Excel's words differ with its language, all in one form: #SAKNAS!, #VÄRDEFEL!, #NAMN?, #DIV/0!.
_ERROR = re.compile(
    r"#[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ0-9_/.]{0,30}[!?]|#N/[A-Z]{1,2}|#SAKNAS|#I/T|#NV|#GETTING_DATA"
    r"|(?:Err|Fel|Feil|Fejl|Virhe) ?: ?[0-9]{3}"
)
_TOO_NARROW = re.compile("#{3,}")
_ROUNDED = re.compile(r"-?[0-9]+[.,][0-9]+[eE]\+[0-9]{1,3}|-?[0-9][eE]\+[0-9]{2,3}")
_FORMULA = re.compile(r"=\s*\S")

NOT_CALCULATED = Sentence("cell_not_calculated")
LOST = Sentence("cell_lost")
REFORMATTED = Sentence("cell_reformatted")


def error_of(text: str) -> Sentence | None:
    """Return what a text says instead of a value, to follow ``the cell``; None for a value."""
    if _ERROR.fullmatch(text):
        return Sentence("cell_error", text=text)
    if _FORMULA.match(text):
        return NOT_CALCULATED
    return None


def error_of_cell(text: str) -> Sentence | None:
    """Return the same of a table's cell, where a row of # is a column that was too narrow."""
    if _ROUNDED.fullmatch(text):
        return Sentence("cell_rounded", text=text)
    if _TOO_NARROW.fullmatch(text):
        return Sentence("cell_too_narrow")
    return error_of(text)


def uncertain(stored: str, likely: Sequence[str]) -> Sentence:
    """Return why a cell whose look is not certain has no value, to follow ``the cell``."""
    kept = _short(stored)
    if not likely:
        return Sentence("cell_uncertain", kept=kept)
    forms = [_short(form) for form in dict.fromkeys(likely[:2])]
    return Sentence("cell_probable", kept=kept, forms=forms)


def contradicted(stored: str, shown: str, kept: str) -> Sentence:
    """Return why a cell is not used whose format and whose stored look differ."""
    return Sentence(
        "cell_contradicted", stored=_short(stored), shown=_short(shown), kept=_short(kept)
    )


def merged(place: str) -> Sentence:
    """Return why a cell that is one with others has no value of its own."""
    return Sentence("cell_merged", place=place)


def _short(text: str) -> str:
    """Return a text of a file on one line, harmless and short."""
    plain = " ".join(text[:61].split())
    shown = "".join(letter if letter.isprintable() else "·" for letter in plain)
    return f"{shown[:60]}…" if len(text) > 60 else shown
