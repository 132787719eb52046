"""The text by which a reviewer answers to a plan: written here, and found again in a mail.

``answer_text`` of an answer is its canonical text: whoever signs the answer signs these very
characters. What a mail program does to a text (quote marks, other line breaks, lost blanks) is
undone by reading the answer out of it and writing it anew.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bulkrunner.domain.approval_terms import Conditions
from bulkrunner.domain.plan import Plan

MOST_WORDS = 300
"""Characters of a name, a reference or a title."""

_WITHOUT_ENDS = re.compile(r"[.:]")
"""Without these nothing in a title can pass for a label or a sentence of the text."""


@dataclass(frozen=True, kw_only=True)
class Labels:
    """The words of the text in one language; a label may have a remark in brackets."""

    yes: str
    no: str
    plan: str
    digest: str
    job: str
    environment: str
    extent: str
    counts: str
    of_bibs: tuple[str, str]
    ledger: str
    agree: str
    conditions: str
    per_night: str
    not_before: str
    excluded: str
    reason: str
    name: str
    reference: str
    end: str


LABELS: Mapping[str, Labels] = MappingProxyType(
    {
        "sv": Labels(
            yes="Vi godkänner att den här planen körs.",
            no="Vi godkänner inte den här planen. Den får inte köras.",
            plan="Plan",
            digest="Kontrollsumma",
            job="Jobb",
            environment="Miljö",
            extent="Omfattning",
            counts="{delete} raderas{bibs}, {update} ändras, {create} skapas",
            of_bibs=(" (varav 1 bibliografisk post)", " (varav {n} bibliografiska poster)"),
            ledger="Liggarens kontrollvärde",
            agree="Vi godkänner särskilt detta",
            conditions="Villkor (lämna tomt det som inte gäller)",
            per_night="Högst per natt",
            not_before="Inte före (ÅÅÅÅ-MM-DD)",
            excluded="Undantagna poster",
            reason="Skäl",
            name="Namn",
            reference="Ärendenummer",
            end="Slut på svaret.",
        ),
        "en": Labels(
            yes="We approve that this plan is run.",
            no="We do not approve this plan. It must not be run.",
            plan="Plan",
            digest="Digest",
            job="Job",
            environment="Environment",
            extent="Extent",
            counts="{delete} deleted{bibs}, {update} changed, {create} created",
            of_bibs=(" (of which 1 bib)", " (of which {n} bibs)"),
            ledger="Ledger",
            agree="We agree to this in particular",
            conditions="Conditions (leave empty what does not apply)",
            per_night="At most per night",
            not_before="Not before (YYYY-MM-DD)",
            excluded="Excluded records",
            reason="Reason",
            name="Name",
            reference="Case number",
            end="End of the answer.",
        ),
    }
)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """An answer to a plan, as a reviewer gives it.

    Attributes:
        head: the ledger's head that the report named.
        agreed: what it agrees to in particular, as found in the text.
        reason: of a no; may be empty.
        bibs: how many of the plan's deletions are bibs.
    """

    approved: bool
    plan: str
    digest: str
    head: str
    by: str = ""
    reference: str = ""
    reason: str = ""
    agreed: str = ""
    statements: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    language: str = "sv"
    bibs: int = 0


def answer_text(plan: Plan, answer: Answer) -> str:
    """Return the answer's canonical text; of an answer without a name, the form to fill in."""
    words = LABELS[answer.language]
    lines = [words.yes if answer.approved else words.no, ""]
    lines += _about(plan, answer, words)
    if answer.approved and answer.statements:
        lines += ["", f"{words.agree}:", *(f"- {text}" for text in answer.statements)]
    lines.append("")
    if answer.approved:
        asked = answer.conditions
        lines += [
            f"{words.conditions}:",
            f"{words.per_night}: {'' if asked.per_night is None else asked.per_night}",
            f"{words.not_before}: {asked.not_before or ''}",
            f"{words.excluded}: {', '.join(asked.excluded)}",
            "",
        ]
    else:
        lines.append(f"{words.reason}: {line(answer.reason)}")
    lines += [f"{words.name}: {line(answer.by)}", f"{words.reference}: {line(answer.reference)}"]
    return "\n".join([*lines, words.end]) + "\n"


def _about(plan: Plan, answer: Answer, words: Labels) -> list[str]:
    counts = {name: plan.counts.get(name, 0) for name in ("delete", "update", "create")}
    one, many = words.of_bibs
    of_bibs = "" if not answer.bibs else one if answer.bibs == 1 else many.format(n=answer.bibs)
    title = _WITHOUT_ENDS.sub(" ", str(plan.manifest.get("title") or ""))
    job = f"{line(plan.job)} ({line(title)})"
    place = f"{line(plan.environment)} ({line(plan.addresses.get('base_url', ''))})"
    return [
        f"{words.plan}: {plan.id}",
        f"{words.digest}: {answer.digest}",
        f"{words.job}: {job}",
        f"{words.environment}: {place}",
        f"{words.extent}: {words.counts.format(**counts, bibs=of_bibs)}",
        f"{words.ledger}: {answer.head}",
    ]


_EXTENTS = tuple(f"{words.extent}:" for words in LABELS.values())
_OF_BIBS = re.compile(
    "|".join(
        re.escape(form).replace(re.escape("{n}"), r"(\d{1,9})")
        for words in LABELS.values()
        for form in words.of_bibs
    )
)


def bibs_in(text: str) -> int:
    """Return how many of the deletions are bibs, as a canonical text says; 0 where it does not."""
    rows = (row for row in text.splitlines() if row.startswith(_EXTENTS))
    found = _OF_BIBS.search(next(rows, ""))
    return 0 if found is None else int(next(filter(None, found.groups()), "1"))


def line(text: str) -> str:
    """Return text as one bounded line without anything invisible in it."""
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(text.split())[:MOST_WORDS].strip()


def spellings(text: str) -> Iterator[str]:
    """Yield the canonical text as editors may have saved it: other line ends, no blanks at ends."""
    trimmed = "".join(f"{row.rstrip()}\n" for row in text.splitlines())
    for form in dict.fromkeys((text, trimmed)):
        for whole in (form, form.removesuffix("\n")):
            yield whole
            yield whole.replace("\n", "\r\n")


# --- reading -------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Found:
    """What was read out of a text.

    Attributes:
        answers: filled-in answers, each different one once. blank: forms that nobody filled in.
        beside: words that stand outside of every answer.
        signatures: armoured SSH signatures, each different one once.
    """

    answers: tuple[Fields, ...] = ()
    blank: int = 0
    beside: str = ""
    signatures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fields:
    """One answer as text, its values as they were written."""

    approved: bool
    language: str
    values: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


_QUOTE = re.compile(
    r"^(?:[ \t]*[A-Za-z]{0,3}[>|][ \t]?)+"
    r"|(?<!\S)[>|]+",  # left in the middle where quoted lines were run together
    re.MULTILINE,
)
_BLANKS = re.compile(r"[\u00a0\u2000-\u200a\u202f\u3000\t]")
_NOTHING = re.compile(r"[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_SIGNATURE = re.compile(
    r"-----BEGIN SSH SIGNATURE-----([A-Za-z0-9+/=\s]{1,20000})-----END SSH SIGNATURE-----"
)
_ONE_LINE = frozenset({"by", "reference"})
"""Where the end of the answer was cut off, what stands below these is somebody's signature."""
_UNFILLED = re.compile(r"[\s._…<>\[\]()*-]*")

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
    "reason": "reason",
    "name": "by",
    "reference": "reference",
}
"""Label → name of its value."""


def find_answers(text: str) -> Found:
    """Read every answer out of a text, however it was quoted and wrapped."""
    text = _plain(text)
    signatures = tuple(dict.fromkeys(_armoured(body) for body in _SIGNATURE.findall(text)))
    text = _SIGNATURE.sub("\n", text)
    answers: dict[tuple[object, ...], Fields] = {}
    blank, beside, after = 0, [], 0
    starts = list(_VERDICT.finditer(text))
    for number, start in enumerate(starts):
        beside.append(text[after : start.start()])
        limit = starts[number + 1].start() if number + 1 < len(starts) else len(text)
        fields, after = _read(text, start, limit)
        if _UNFILLED.fullmatch(fields["by"]) and _UNFILLED.fullmatch(fields["reference"]):
            blank += 1
        else:
            answers.setdefault(_meaning(fields), fields)
    beside.append(text[after:])
    return Found(
        answers=tuple(answers.values()),
        blank=blank,
        beside="\n".join(part.strip() for part in beside if part.strip()),
        signatures=signatures,
    )


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = _NOTHING.sub("", _BLANKS.sub(" ", text))
    return _QUOTE.sub("", text)


def _armoured(body: str) -> str:
    packed = "".join(body.split())
    rows = [packed[start : start + 70] for start in range(0, len(packed), 70)]
    return "\n".join(["-----BEGIN SSH SIGNATURE-----", *rows, "-----END SSH SIGNATURE-----", ""])


def _spaced(text: str) -> str:
    """Return a regular expression for words between which a line may have been broken."""
    return r"\s+".join(re.escape(word) for word in text.split())


def _label(label: str) -> str:
    words, _, remark = label.partition(" (")
    return _spaced(words) + (r"(?:\s*\([^)]{0,80}\))?" if remark else "")


_VERDICTS = {
    verdict: (approved, name)
    for name, words in LABELS.items()
    for verdict, approved in ((words.yes, True), (words.no, False))
}
_BOLD = r"[*_]{0,2}"
"""Stands around words that were bold, where a mail program made plain text of its own."""

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


def _verdict(text: str) -> tuple[bool, str]:
    told = " ".join(text.split()).casefold()
    return next(known for verdict, known in _VERDICTS.items() if verdict.casefold() == told)


def _read(text: str, start: re.Match[str], limit: int) -> tuple[Fields, int]:
    """Read the answer that begins there; returns it and where it ends."""
    approved, language = _verdict(start[1])
    end = _END.search(text, start.end(), limit)
    stop = end.start() if end else limit
    labels = list(_LABEL.finditer(text, start.end(), stop))
    values: dict[str, str] = {}
    after = start.end()
    for number, label in enumerate(labels):
        until = labels[number + 1].start() if number + 1 < len(labels) else stop
        name = _FIELDS[str(label.lastgroup).rpartition("_")[0]]
        value, length = _value(name, text[label.end() : until], cut=end is None)
        if not values.get(name):
            values[name] = value
        after = label.end() + length
    return Fields(approved=approved, language=language, values=values), (
        end.end() if end else after
    )


def _value(name: str, text: str, *, cut: bool) -> tuple[str, int]:
    """Return a label's value and how much of the text it takes."""
    if not (cut and name in _ONE_LINE):
        return text.strip(), len(text)
    row = text.partition("\n")[0]
    return row.strip(), len(row)


def _meaning(fields: Fields) -> tuple[object, ...]:
    names = ("plan", "digest", "head", "by", "reference", "agreed")
    asked = ("per_night", "not_before", "excluded", "reason")
    return (fields.approved, *("".join(fields[name].split()) for name in (*names, *asked)))
