"""Bounds of a standing approval as a person gives them: what is read of a line, and what is not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from bulkrunner.domain.answer_text import LABELS, counts_line, line
from bulkrunner.domain.filled_forms import LINES, unfilled
from bulkrunner.domain.standing import RECORDS, Bounds
from bulkrunner.errors import AnswerRefused
from bulkrunner.sentences import Sentence

ASK_AGAIN = Sentence("answer_unclear_hint")


def given_within(asked: Bounds, *, until: date | None, per_run: str, per_day: str) -> Bounds:
    """Return the bounds that are given; what is left empty is as it was asked for.

    AnswerRefused: they are not understood, or wider than what was asked for.
    """
    runs = _counts("per_run", per_run, asked.per_run)
    days = _counts("per_day", per_day, asked.per_day)
    given = replace(asked, until=until or asked.until, per_run=runs, per_day=days)
    if given.until > asked.until:
        raise _more("until", str(given.until), str(asked.until))
    for name, mine, theirs in (
        ("per_run", given.per_run, asked.per_run),
        ("per_day", given.per_day, asked.per_day),
    ):
        if any(count > theirs[kind] for kind, count in mine.items()):
            words = LABELS["en"]
            raise _more(name, counts_line(mine, words), counts_line(theirs, words))
    return given


def _more(name: str, given: str, asked: str) -> AnswerRefused:
    return AnswerRefused(
        Sentence("answer_standing_more", name=repr(LINES[name]), given=given, asked=asked),
        hint=ASK_AGAIN,
        code="answer_standing_more",
    )


_COUNT = re.compile(
    r"(?:(?:högst|at most) )?(?:(?P<n>[0-9]{1,9}|[0-9]{1,3}(?: [0-9]{3})+)(?: (?P<word>\D+))?"
    r"|(?P<key>[a-z]+)=(?P<of_key>[0-9]{1,9}))",
    re.IGNORECASE,
)
_COUNTED = {word: name for words in LABELS.values() for name, word in words.counted.items()} | {
    name: name for name in LABELS["en"].counted
}


def _counts(line: str, text: str, asked: Mapping[str, int]) -> dict[str, int]:
    """Return numbers by what they count; what is not named where others are is not given."""
    if unfilled(text):
        return dict(asked)
    found: dict[str, int] = {}
    for piece in re.split(r"(?:[,;]| och | and )\s*", " ".join(written(text).split())):
        read = _COUNT.fullmatch(piece.strip(" ."))
        number = (read["n"] or read["of_key"]) if read else ""
        word = (read["word"] or read["key"] or "") if read else "?"
        name = _COUNTED.get(word.strip().casefold(), "") if word else _alone(asked)
        if not number or name not in asked or name in found:
            raise unclear(line, text, Sentence("answer_wants_counts"))
        found[name] = int(number.replace(" ", ""))
    if list(found) == [RECORDS]:  # a number for all together, as manifests have it
        return {name: min(most, found[RECORDS]) for name, most in asked.items()} | found
    rest = {RECORDS: asked[RECORDS]} if RECORDS in asked else {}
    return {**dict.fromkeys(asked, 0), **rest, **found}


def _alone(asked: Mapping[str, int]) -> str:
    """Return what a number alone counts, empty where that is not certain."""
    if RECORDS in asked:
        return RECORDS
    named = [name for name, most in asked.items() if most]
    return named[0] if len(named) == 1 else ""


def written(text: str) -> str:
    """Return what was written on a line, without the line itself and marks of bold letters."""
    return text.strip(" ._*\n")


def unclear(name: str, text: str, wanted: str) -> AnswerRefused:
    return AnswerRefused(
        Sentence(
            "answer_unclear", lines=repr(LINES[name]), text=repr(line(text)[:100]), wanted=wanted
        ),
        hint=ASK_AGAIN,
        code="answer_unclear",
    )
