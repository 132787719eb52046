"""Filled-in forms of an answer, found again in whatever a mail has made of them."""

# Every word between the first sentence of a form and its end belongs to that sentence or to one of
# the lines; none is passed over. Whether each is understood is for ``services.answers`` to say.

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bulkrunner.domain.answer_text import LABELS

# Stands between the texts of one letter; each is read by itself.
PART = "\f"

# Label → name of its value.
_FIELDS = {
    "plan": "plan",
    "digest": "digest",
    "job": "job",
    "environment": "environment",
    "extent": "extent",
    "ledger": "head",
    "agree": "agreed",
    "conditions": "conditions",
    "per_night": "per_night",
    "not_before": "not_before",
    "excluded": "excluded",
    "standing": "standing",
    "asked": "asked",
    "rule": "rule",
    "until": "until",
    "per_run": "per_run",
    "per_day": "per_day",
    "reason": "reason",
    "name": "by",
    "reference": "reference",
}

# Name of a value → the labels of its line, for messages.
LINES = {
    value: " / ".join(
        dict.fromkeys(getattr(words, label).partition(" (")[0] for words in LABELS.values())
    )
    for label, value in _FIELDS.items()
}

# Lines of a standing approval that are filled in; where all are empty none is given.
GIVEN = ("until", "per_run", "per_day")
# All lines that only a plan has whose manifest asks for one.
STANDING = ("standing", "asked", "rule", *GIVEN)

_FILLED_IN = ("per_night", "not_before", "excluded", *GIVEN, "reason", "by", "reference")
_UNFILLED = re.compile(r"[\s._…<>\[\]()*-]*")


@dataclass(frozen=True, kw_only=True)
class FilledForm:
    """One form as text, its values as they were written."""

    approved: bool
    language: str
    values: Mapping[str, str]
    stray: str = ""  # words between its first sentence and its first line
    twice: tuple[str, ...] = ()  # values whose line stands more than once

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def has(self, name: str) -> bool:
        """Return True if the form has that line, filled in or not."""
        return name in self.values

    @property
    def blank(self) -> bool:
        """Return True if nobody wrote anything where something is to be written."""
        return not self.stray and all(unfilled(self[name]) for name in _FILLED_IN)

    def words(self) -> tuple[object, ...]:
        """Return what tells it from others: all that stands in it, blanks and bold aside."""
        values = sorted((name, alike(value)) for name, value in self.values.items())
        return (self.approved, alike(self.stray), self.twice, *values)


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read out of a text."""

    answers: tuple[FilledForm, ...] = ()  # forms that somebody filled in, each different one once
    blanks: tuple[FilledForm, ...] = ()  # the others
    beside: str = ""  # words that stand outside of every form
    signatures: tuple[str, ...] = ()  # armoured SSH signatures, each different one once


def unfilled(text: str) -> bool:
    """Return True if a text is nothing, or only the line that one writes on."""
    return _UNFILLED.fullmatch(text) is not None


_LINK = re.compile(r"<(?:mailto:)?([^<>\s]+)>", re.IGNORECASE)
_QUOTES = str.maketrans('“”„»«’‘‚`´"', "'" * 11)
DASHES = re.compile(r"[-\u2010-\u2015\u2212]")


def alike(text: str) -> str:
    """Return text without what mail programs change: blanks, bold, quotes, dashes, links added."""
    text = DASHES.sub("-", unicodedata.normalize("NFKC", _plain(text)).translate(_QUOTES))
    text = _LINK.sub(_added_link, text).strip()
    bold = text[:1] == text[-1:] == "*"
    return "".join((text.strip("*") if bold else text).split())


def _added_link(link: re.Match[str]) -> str:
    """Return nothing for an address that the text just before it says already."""
    said = link.string[: link.start()].rstrip().casefold()
    address = link[1].casefold()
    return "" if said.endswith((address, address.rstrip("/"))) else link[0]


def find_answers(text: str) -> Found:
    """Read every form out of a text, however it was quoted and wrapped."""
    answers: dict[tuple[object, ...], FilledForm] = {}
    blanks: dict[tuple[object, ...], FilledForm] = {}
    signatures: dict[str, None] = {}
    beside: dict[str, str] = {}
    for part in map(_plain, text.split(PART)):
        signatures |= dict.fromkeys(_armoured(body) for body in _SIGNATURE.findall(part))
        for piece in _pieces(_SIGNATURE.sub("\n", part)):
            if isinstance(piece, FilledForm):
                (blanks if piece.blank else answers).setdefault(piece.words(), piece)
            elif piece.strip():
                beside.setdefault(alike(piece), piece.strip())
    return Found(
        answers=tuple(answers.values()),
        blanks=tuple(blanks.values()),
        beside="\n".join(beside.values()),
        signatures=tuple(signatures),
    )


# --- what mail programs do ------------------------------------------------------------------------

# Marks of a quote, with initials or without; a short word is none.
_QUOTE = re.compile(
    r"^(?:[ \t]*(?!(?i:nej|ej|no|not|om|men|if|but)[>|])[A-Za-z]{0,3}[>|][ \t]?)+"
    r"|(?<!\S)[>|]+(?![>|=]|\s*\d)",  # left in the middle where quoted lines were run together
    re.MULTILINE,
)

_BLANKS = re.compile(r"[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t]")
_LINE_ENDS = re.compile("\r\n?|[\x0b\x1c-\x1e\x85\u2028\u2029]")
# Where a line may be broken, or not: mail programs put these in, and nobody sees a difference.
_NOTHING = re.compile("[\u00ad\u200b-\u200d\u2060\ufeff]")

# What hides, turns round or strikes out the letters about it; it is made a word that is seen.
_ODD = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200e\u200f"
    "\u202a-\u202e\u2061-\u206f\u20d2\u20d3\u20d8-\u20da\u20e5\u20e6\u20ea\u20eb\u2800\u3164"
    "\u0335-\u0338\ufe00-\ufe0f\uffa0\ufff9-\ufffb\U000e0000-\U000e007f]"
)

_SIGNATURE = re.compile(
    r"-----BEGIN SSH SIGNATURE-----([A-Za-z0-9+/=\s]{1,20000})-----END SSH SIGNATURE-----"
)


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFC", _LINE_ENDS.sub("\n", text))
    text = _NOTHING.sub("", _BLANKS.sub(" ", text))
    text = _ODD.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)
    return _QUOTE.sub("", text)


def _armoured(body: str) -> str:
    packed = "".join(body.split())
    rows = [packed[start : start + 70] for start in range(0, len(packed), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *rows, "-----END SSH SIGNATURE-----", ""])


# --- sentences and labels -------------------------------------------------------------------------


def _spaced(text: str) -> str:
    words = (re.escape(word).replace(r"\-", rf"{DASHES.pattern}\s*") for word in text.split())
    return r"\s+".join(words)


def _label(label: str) -> str:
    # Its own remark in brackets may be left out; no other may stand there.
    words, _, remark = label.partition(" (")
    return _spaced(words) + (rf"(?:\s*\({_spaced(remark)})?" if remark else "")


_VERDICTS = {
    verdict: (approved, name)
    for name, words in LABELS.items()
    for verdict, approved in ((words.yes, True), (words.no, False))
}
# Stands around words that were bold, where a mail program made plain text of its own.
_BOLD = r"[*_]{0,2}"

_VERDICT = re.compile(
    rf"(?<!\S){_BOLD}({'|'.join(_spaced(text) for text in _VERDICTS)}){_BOLD}(?!\S)", re.IGNORECASE
)
_NAMES = {
    (name, language): getattr(words, name) for language, words in LABELS.items() for name in _FIELDS
}
_LABEL = re.compile(
    rf"(?<!\S){_BOLD}(?:"
    + "|".join(
        f"(?P<{name}_{language}>{_label(label)})"
        for (name, language), label in sorted(
            _NAMES.items(), key=lambda item: len(item[1]), reverse=True
        )
    )
    + rf"){_BOLD}\s*:{_BOLD}",
    re.IGNORECASE,
)
_END = re.compile(
    rf"(?<!\S){_BOLD}(?:{'|'.join(_spaced(words.end) for words in LABELS.values())}){_BOLD}(?!\S)",
    re.IGNORECASE,
)
# Where the end of the form was cut off, what stands below the last of these is beside it.
_ONE_LINE = frozenset({"by", "reference"})


def _pieces(text: str) -> Iterator[FilledForm | str]:
    """Yield forms and what stands between them, in order."""
    after = 0
    starts = list(_VERDICT.finditer(text))
    for number, start in enumerate(starts):
        limit = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        yield text[after : start.start()]
        form, after = _read(text, start, limit)
        if form.values:
            yield form
        else:  # the sentence alone, without a form
            yield text[start.start() : limit]
            after = limit
    yield text[after:]


def _read(text: str, start: re.Match[str], limit: int) -> tuple[FilledForm, int]:
    """Read the form that begins there; returns it and where it ends."""
    said = " ".join(start[1].split()).casefold()
    approved, language = next(
        known for verdict, known in _VERDICTS.items() if verdict.casefold() == said
    )
    end = _END.search(text, start.end(), limit)
    stop = end.start() if end else limit
    labels = list(_LABEL.finditer(text, start.end(), stop))
    values: dict[str, str] = {}
    twice: dict[str, None] = {}
    after = stop
    for number, label in enumerate(labels):
        last = number + 1 == len(labels)
        until = stop if last else labels[number + 1].start()
        name = _FIELDS[str(label.lastgroup).rpartition("_")[0]]
        if last and end is None and name in _ONE_LINE:
            until = _end_of_line(text, label.end(), until)
        if name in values:
            twice[name] = None
        else:
            values[name] = text[label.end() : until].strip()
        after = until
    first = labels[0].start() if labels else stop
    form = FilledForm(
        approved=approved,
        language=language,
        values=values,
        stray=text[start.end() : first].strip(),
        twice=tuple(twice),
    )
    return form, end.end() if end else after


def _end_of_line(text: str, start: int, limit: int) -> int:
    end = text.find("\n", start, limit)
    return limit if end < 0 else end
