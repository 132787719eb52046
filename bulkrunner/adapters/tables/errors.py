"""Texts that a spreadsheet shows or writes where a value could not be calculated."""

from __future__ import annotations

import re

# Excel's words differ with its language, all in one form: #SAKNAS!, #VÄRDEFEL!, #NAMN?, #DIV/0!.
_ERROR = re.compile(r"#[A-ZÀ-ÖØ-Þ][A-ZÀ-ÖØ-Þ0-9_/.]{0,30}[!?]|#N/A|#SAKNAS|#I/T|Err:[0-9]{3}")
_TOO_NARROW = re.compile("#{3,}")
_FORMULA = re.compile(r"=\s*\S")


def error_of(text: str) -> str:
    """Return what a text says instead of a value, to follow ``the cell``; empty for a value."""
    if _ERROR.fullmatch(text):
        return f"shows an error: {text}"
    if _FORMULA.match(text):
        return "holds a formula that was not calculated"
    return ""


def error_of_cell(text: str) -> str:
    """Return the same of a table's cell, where a row of # is a column that was too narrow."""
    if _TOO_NARROW.fullmatch(text):
        return "shows #### because its column was too narrow when the table was saved"
    return error_of(text)
