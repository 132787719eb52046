"""What changed between two plans, as Markdown and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bulkrunner.adapters.files import written_whole
from bulkrunner.adapters.reports.language import Language, as_text, language, one_line
from bulkrunner.adapters.reports.markdown import code, plain
from bulkrunner.domain.plan import PlannedChange
from bulkrunner.domain.plan_diff import Compared, Difference, PlanDiff

DIFF_FORMATS = ("md", "json")
DIFF_VERSION = 1
SHOWN_PLACES = 6
MAX_PLACES = 50
"""Places of a record that are told, in Markdown and in JSON."""


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
            yield f"- {_named(change)}"
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


def _named(change: PlannedChange) -> str:
    bib = change.bib
    named = [bib.title, bib.author, bib.year] if bib else []
    told = ", ".join(plain(text, 160) for text in [*named, change.sigel or ""] if text)
    return f"{code(change.record)} {told}".rstrip()
