"""The text by which a reviewer answers to a plan; ``filled_forms`` finds it again in a mail."""

# ``answer_text`` of an answer is its canonical text: whoever signs the answer signs these very
# characters. What a mail program does to a text (quote marks, other line breaks, lost blanks) is
# undone by reading the answer out of it and writing it anew.

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from bulkrunner.domain.approvals import Conditions
from bulkrunner.domain.plan import Plan

MOST_WORDS = 300  # characters of a name, a reference or a title

# Without these nothing in a title can pass for a label or a sentence of the text.
_WITHOUT_ENDS = re.compile(r"[.:]")


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
    """An answer to a plan, as a reviewer gives it."""

    approved: bool
    plan: str
    digest: str
    head: str  # the ledger's head that the report named
    by: str = ""
    reference: str = ""
    reason: str = ""  # of a no; may be empty
    agreed: str = ""  # what it agrees to in particular, as found in the text
    statements: tuple[str, ...] = ()
    conditions: Conditions = field(default_factory=Conditions)
    language: str = "sv"
    bibs: int = 0  # how many of the plan's deletions are bibs


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


def plan_facts(plan: Plan, bibs: int) -> dict[str, list[str]]:
    """Return job, environment and extent of a plan as texts of every language have them."""
    # ``bibs``: how many of its deletions are bibs; earlier texts said nothing of that.
    found: dict[str, list[str]] = {"job": [], "environment": [], "extent": []}
    for number in dict.fromkeys((bibs, 0)):
        answer = Answer(approved=True, plan=plan.id, digest="", head="", bibs=number)
        for words in LABELS.values():
            rows = _about(plan, answer, words)
            for name in found:
                label = f"{getattr(words, name)}: "
                found[name] += [row.removeprefix(label) for row in rows if row.startswith(label)]
    return found


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
