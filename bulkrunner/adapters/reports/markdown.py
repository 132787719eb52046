"""The report, and what changed between two plans, as Markdown for a ticket; the latter as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bulkrunner.adapters.machine import written_whole
from bulkrunner.adapters.reports.language import Language, as_text, language, one_line
from bulkrunner.adapters.reports.page import Page
from bulkrunner.adapters.reports.page_body import Point
from bulkrunner.adapters.reports.page_head import Head
from bulkrunner.adapters.reports.phrasing import distinct_effects, joint_how
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.report import Compared, Difference, PlanDiff, ReportData
from bulkrunner.domain.report_groups import PatternGroup, ReportedChange

MAX_PATTERNS = 30

MAX_TEXT = 600

_MARKS = re.compile(r"([\\`*_{}\[\]<>#+!|~&$^=])")

_BEGINS_LIST = re.compile(r"(\d*)([-.)])")

_ACTED_UPON = re.compile(r"@|://|www\.", re.IGNORECASE)


def markdown_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the lines."""
    for line in _lines(data, words):
        yield f"{line}\n".encode()


def plain(text: str, limit: int = MAX_TEXT) -> str:
    """Return text of a record or manifest as one line in which no mark means anything.

    A text with an at sign or an address stands as code: elsewhere some ticket systems would call
    a person or make a link.
    """
    line = one_line(text, limit)
    if _ACTED_UPON.search(line):
        return code(line)
    line = _MARKS.sub(r"\\\1", line)
    if _BEGINS_LIST.match(line):
        line = _BEGINS_LIST.sub(r"\1\\\2", line, count=1)
    return line


def code(text: str) -> str:
    """Return text as code, whatever back ticks it holds."""
    line = one_line(text, MAX_TEXT).replace("|", "¦")
    longest = max((len(run) for run in re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{fence}{pad}{line}{pad}{fence}"


def _lines(data: ReportData, words: Language) -> Iterator[str]:
    page = Page(data, words)
    what = words.text("of_run" if data.run else "of_plan", environment=page.head.kind_name)
    yield f"# {plain(data.head_text('title') or data.plan.job, 200)}"
    yield ""
    if rests_on := page.head.rests_on():
        yield f"**{plain(rests_on)}**"
        yield ""
    yield f"{plain(what)}. **{plain(page.head.status().line(words), 1000)}**"
    yield ""
    if asks := page.summary.asks_standing():
        yield plain(asks)
        yield ""
    yield plain(words.text("made_at", time=words.time(data.generated_at)))
    yield from _facts(data, page, words)
    if data.loosened:
        yield from _heading(words.text("loosened_title"))
        yield from (f"- {code(item.statement())}" for item in data.loosened)
    if data.outcomes is not None:
        yield from _heading(words.text("outcomes_title"))
        yield from _counts(page.outcomes.outcome_tiles(), words)
        yield from _problems(page, words)
    yield from _heading(words.text("what_title_run" if data.run else "what_title"))
    yield plain(" ".join(page.what.paragraph()), 4000)
    yield ""
    yield from _counts(page.what.tiles(), words)
    yield ""
    yield from (f"- {plain(page.what.sigel_line(row))}" for row in page.what.sigel_rows())
    yield from _points(words.text("risks_title"), page.consequences.risks())
    yield from _gates(data, words)
    yield from _rules(data, words)
    yield from _patterns(data, words)
    yield from _reasons(data, words)
    yield from _heading(words.text("effects_title"))
    for sentence in [*page.consequences.estimate(), *page.consequences.exports()]:
        yield plain(sentence, 4000)
    yield from _points(words.text("undo_title"), page.consequences.not_restored())
    yield ""
    yield plain(words.text("footer", version=data.plan.program_version))


def _heading(text: str) -> Iterator[str]:
    yield ""
    yield f"## {plain(text)}"
    yield ""


def _facts(data: ReportData, page: Page, words: Language) -> Iterator[str]:
    head = data.head_text
    yield ""
    yield "| | |"
    yield "|---|---|"
    reference = head("agreement", "reference") or words.text("no_agreement")
    for name, value in (
        ("fact_library", plain(page.head.library(head("on_behalf_of")))),
        ("fact_agreement", plain(reference)),
        ("fact_environment", code(data.plan.addresses.get("base_url", ""))),
        ("fact_plan", code(data.plan.id)),
        ("fact_digest", code(data.plan.plan_digest or words.text("fact_no_digest"))),
        ("fact_head", code(data.head)),
    ):
        yield f"| {plain(words.text(name))} | {value} |"
    if data.run is not None:
        yield f"| {plain(words.text('fact_run'))} | {code(data.run.id)} |"


def _counts(tiles: Sequence[tuple[str, int, str]], words: Language) -> Iterator[str]:
    yield "| | |"
    yield "|---|---:|"
    for _, count, label in tiles:
        yield f"| {plain(label)} | {words.number(count)} |"


def _points(title: str, points: Sequence[Point]) -> Iterator[str]:
    if points:
        yield from _heading(title)
        for point in points:
            yield f"- **{plain(point.text)}** {plain(point.why)}"


def _gates(data: ReportData, words: Language) -> Iterator[str]:
    if not data.gates:
        return
    yield from _heading(words.text("gates_title"))
    for gate in data.gates:
        state = words.text("gate_open" if gate.open else "gate_closed")
        reason = words.reason(gate.reason).text
        yield f"- {plain(words.name_of('gate', gate.name))}: **{plain(state)}**. {plain(reason)}"


def _rules(data: ReportData, words: Language) -> Iterator[str]:
    head = Head(data, words)
    broken = [item for item in data.rules if item.state == "rule_broken"]
    if broken:
        yield from _heading(words.text("rules_title"))
    for item in broken:
        reason = words.reason(item.said).text
        name, state = plain(head.rule_name(item.rule)), plain(words.text("rule_broken"))
        yield f"- {name}: **{state}**. {plain(reason)}"


def _patterns(data: ReportData, words: Language) -> Iterator[str]:
    yield from _heading(words.text("patterns_title"))
    groups = data.grouped.patterns
    for group, effect in zip(groups[:MAX_PATTERNS], distinct_effects(groups, words), strict=False):
        yield from _pattern(group, effect, words)
    if len(groups) > MAX_PATTERNS:
        yield f"- {plain(words.text('more', n=words.number(len(groups) - MAX_PATTERNS)))}"
    if not groups:
        yield plain(words.text("patterns_none"))


def _pattern(group: PatternGroup, effect: str, words: Language) -> Iterator[str]:
    count = group.joint.records if group.joint else group.count
    yield f"- **{words.number(count)} ×** {plain(effect, 1000)}"
    if group.joint:
        yield f"  {plain(' '.join(joint_how(group.joint, words)), 1000)}"
    for item in group.samples:
        yield f"  - {_named(item)}"


def _named(item: ReportedChange) -> str:
    change, bib = item.change, item.change.bib
    named = [bib.title, bib.author, bib.year] if bib else []
    told = ", ".join(
        plain(text, 160) for text in [*named, change.sigel or "", change.library] if text
    )
    record = f"[{plain(change.record, 60)}]({item.link})" if item.link else code(change.record)
    return f"{told} {record}".strip()


def _problems(page: Page, words: Language) -> Iterator[str]:
    found = page.outcomes.problems()
    if found.shown:
        yield ""
    for item in found.shown:
        outcome = item.result.outcome.value if item.result else ""
        said = f" {code(item.words)}" if item.words else ""
        told = " ".join(remark.text for remark in page.outcomes.remarks(item))
        name = plain(words.name_of("outcome", outcome))
        yield f"- **{name}**: {_named(item)}. {plain(told)}{said}"
    if found.more:
        yield f"- {plain(words.text('problems_more', n=words.number(found.more)))}"


def _reasons(data: ReportData, words: Language) -> Iterator[str]:
    if not data.grouped.reasons:
        return
    yield from _heading(words.text("reasons_title"))
    for group in data.grouped.reasons:
        meaning = words.explained(group.code)[0] or group.code
        yield f"- **{words.number(group.count)} ×** {code(group.code)} {plain(meaning)}"


DIFF_FORMATS = ("md", "json")

DIFF_VERSION = 1

SHOWN_PLACES = 6

# Places of a record that are told, in Markdown and in JSON.
MAX_PLACES = 50


def write_plan_diff(found: PlanDiff, path: Path, *, form: str, lang: str) -> Path:
    """Write what changed between two plans, whole or not at all.

    Raises:
        UsageError: the file cannot be written.
    """
    if form == "json":
        text = json.dumps(diff_as_dict(found), ensure_ascii=True, indent=1) + "\n"
    else:
        text = "\n".join(diff_lines(found, language(lang))) + "\n"
    with written_whole(path) as file:
        file.write(text.encode())
    return path


def diff_as_dict(found: PlanDiff) -> dict[str, Any]:
    """Return the difference as plain data."""
    return {
        "plan_diff": DIFF_VERSION,
        "older": found.older.id,
        "newer": found.newer.id,
        "swapped": found.swapped,
        "changed": found.changed,
        "heads": {name: {"older": was, "newer": now} for name, (was, now) in found.heads.items()},
        "same": found.same,
        "differences": [
            {
                "kind": item.kind,
                "was": item.was or None,
                "now": item.now or None,
                "count": item.count,
                "samples": [_sample(sample) for sample in item.samples],
            }
            for item in found.differences
        ],
    }


def _sample(sample: Compared) -> dict[str, Any]:
    change = sample.newer or sample.older
    return {
        "record": change.record if change else None,
        "sigel": change.sigel if change else None,
        "older": sample.older.number if sample.older else None,
        "newer": sample.newer.number if sample.newer else None,
        "places": [
            {"place": place, "older": was, "newer": now}
            for place, was, now in sample.places[:MAX_PLACES]
        ],
    }


def diff_lines(found: PlanDiff, words: Language) -> Iterator[str]:
    """Yield the difference as lines of Markdown."""
    yield f"# {plain(words.text('d_title', older=found.older.id, newer=found.newer.id))}"
    yield ""
    for warning in _warnings(found, words):
        yield f"**{plain(warning)}**"
        yield ""
    yield plain(words.text("d_changed" if found.changed else "d_unchanged"))
    yield ""
    yield plain(words.text("d_same", n=words.count("record", found.same)))
    if found.heads:
        yield ""
        yield f"## {plain(words.text('d_heads'))}"
        yield ""
        yield f"| | {code(found.older.id)} | {code(found.newer.id)} |"
        yield "|---|---|---|"
        for name, was, now in _rows(found.heads):
            yield f"| {code(name)} | {_value(was, words)} | {_value(now, words)} |"
    for item in found.differences:
        yield ""
        yield from _difference(item, words)


def _warnings(found: PlanDiff, words: Language) -> Iterator[str]:
    """Yield what to know before reading on: what is compared is not what it may be taken for."""
    older, newer = found.older, found.newer
    if older.job != newer.job:
        yield words.text("d_other_job", older=older.job, newer=newer.job)
    if older.environment != newer.environment:
        yield words.text("d_other_place", older=older.environment, newer=newer.environment)
    if found.swapped:
        yield words.text("d_swapped", older=older.id, newer=newer.id)


def _rows(heads: Mapping[str, tuple[Any, Any]]) -> Iterator[tuple[str, Any, Any]]:
    """Yield what differs in the heads, values that are made up of others taken apart."""
    for name, (was, now) in heads.items():
        mine, theirs = (_by_key(value) for value in (was, now))
        if mine is None or theirs is None:
            yield name, was, now
            continue
        for key in dict.fromkeys((*mine, *theirs)):
            if mine.get(key) != theirs.get(key):
                yield f"{name}.{key}", mine.get(key), theirs.get(key)


def _by_key(value: Any) -> Mapping[str, Any] | None:
    """Return the parts of a value by their names; None where it has none."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return value
    if not isinstance(value, (list, tuple)):
        return None
    if not all(isinstance(one, Mapping) and "code" in one for one in value):
        return None
    codes = [one["code"] for one in value]
    if len(codes) > len(set(codes)):
        return None
    return {
        f"{one['code']}.{key}": inner
        for one in value
        for key, inner in one.items()
        if key != "code"
    }


def _value(value: Any, words: Language) -> str:
    return words.text("none") if value is None else code(as_text(value))


def _difference(item: Difference, words: Language) -> Iterator[str]:
    told = words.text(f"d_{item.kind}", n=words.count("record", item.count))
    yield f"## {plain(told)}"
    yield ""
    if item.was and item.now and item.was != item.now:
        yield f"{_state(item.was, words)} → {_state(item.now, words)}"
        yield ""
    for sample in item.samples:
        if (change := sample.newer or sample.older) is not None:
            yield f"- {_named_plan(change)}"
            yield from _places(sample, words)
    if item.count > len(item.samples):
        yield f"- {plain(words.text('more', n=words.number(item.count - len(item.samples))))}"


def _places(sample: Compared, words: Language) -> Iterator[str]:
    """Yield what the plans would leave in the record, where that differs."""
    found = sample.places
    for place, was, now in found[:SHOWN_PLACES]:
        told = " → ".join(
            words.text("absent") if value is None else code(one_line(as_text(value), 120))
            for value in (was, now)
        )
        yield f"  - {plain(words.place(place), 120)}: {told}"
    if not found and sample.kind == "content":
        yield f"  - {plain(words.text('d_no_places'))}"
    if len(found) > SHOWN_PLACES:
        yield f"  - {plain(words.text('more', n=words.number(len(found) - SHOWN_PLACES)))}"


def _state(text: str, words: Language) -> str:
    action, _, reason = text.partition(" ")
    name = plain(words.name_of("action", action))
    if not reason:
        return name
    meaning = words.explained(reason)[0] or reason
    return f"{name} ({code(reason)} {plain(meaning)})"


def _named_plan(change: PlannedChange) -> str:
    bib = change.bib
    named = [bib.title, bib.author, bib.year] if bib else []
    told = ", ".join(plain(text, 160) for text in [*named, change.sigel or ""] if text)
    return f"{code(change.record)} {told}".rstrip()
