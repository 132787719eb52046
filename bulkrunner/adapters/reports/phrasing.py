"""What changes do, in words: a group in one line, differences line by line, answers to send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from bulkrunner.adapters.reports.language import Language, as_text, one_line, shorten, visible
from bulkrunner.domain.answer_text import Answer, answer_text
from bulkrunner.domain.diff import Difference, contents
from bulkrunner.domain.places import property_of
from bulkrunner.domain.plan import Action
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.report_groups import (
    General,
    Joint,
    PatternGroup,
    PatternPart,
    PatternValue,
    ReportedChange,
)

MAX_SIGELS = 3

MAX_LOST = 12


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A sample, what saves its content, and the properties that do not go along."""

    item: ReportedChange
    partners: Sequence[ReportedChange]
    lost: str


def joint_line(group: PatternGroup, joint: Joint, words: Language) -> str:
    """Return what the changes come to together."""
    kind = words.text(f"p_kind_{group.kind or 'record'}")
    return words.text(f"j_{_verb(joint)}", kind=kind, **_ends(joint, words))


def joint_count(joint: Joint, words: Language) -> str:
    """Return the same with how many, as part of a sentence."""
    count = words.count("holding", joint.records)
    return words.text(f"jc_{_verb(joint)}", n=count, **_ends(joint, words))


def joint_how(joint: Joint, words: Language) -> list[str]:
    """Return in sentences in which order it is done, and what of it stands in the counts."""
    counts = words.listed(
        [
            f"{words.number(count)} {words.name_of('action_count', action.value)}"
            for action, count in joint.actions.items()
        ]
    )
    return [
        words.text(f"j_{_verb(joint)}_how", **_ends(joint, words)),
        words.text("j_counts", counts=counts),
    ]


def _verb(joint: Joint) -> str:
    """Return the verb; a merge may leave the other holding as it is."""
    alone = joint.verb == "merge" and not joint.destinations
    return "merge_alone" if alone else joint.verb


def mixed_lines(joint: Joint, words: Language) -> list[tuple[int, str]]:
    """Return (count, what) of what the job changes in the records that it saves."""
    return [
        (count, words.reason(name).text if ";" in name else words.text("j_mixed_earlier"))
        for name, count in joint.mixed.items()
    ]


def pairs(group: PatternGroup, joint: Joint, words: Language) -> dict[int, Pair]:
    """Return what belongs to each sample and outlier, by its number."""
    shown = [*group.samples, *(item.change for item in group.outliers)]
    return {
        item.change.number: Pair(
            item=item,
            partners=joint.partners.get(item.change.number, ()),
            lost=_lost(item, joint, words),
        )
        for item in shown
    }


def _lost(item: ReportedChange, joint: Joint, words: Language) -> str:
    """Return the properties of a record that moves which the new one does not have."""
    partners = joint.partners.get(item.change.number, ())
    if joint.verb != "move" or not partners:
        return ""
    kept = {property_of(place) for place, _ in contents(partners[0].change.after or {})}
    had = dict.fromkeys(property_of(place) for place, _ in contents(item.change.before or {}))
    gone = [words.place(place) for place in had if place not in kept]
    if any(code == "not_taken_along" for code, _ in item.change.notes + partners[0].change.notes):
        gone.append("sameAs")
    return one_line(", ".join(dict.fromkeys(gone[:MAX_LOST])), 400)


def _ends(joint: Joint, words: Language) -> dict[str, str]:
    return {"origin": _libraries(joint.origins, words), "to": _libraries(joint.destinations, words)}


def _libraries(sigels: Mapping[str, int], words: Language) -> str:
    named = [one_line(sigel, 40) for sigel in sigels if sigel]
    if not named:
        return words.text("j_unknown")
    if len(named) > MAX_SIGELS:
        return words.text("j_several", n=words.number(len(named)))
    return words.listed(named)


MAX_PARTS = 6

MAX_VALUE = 80

# Places inside a value that are the value itself to people.
LABELS = ("", "label", "value")

# Verbs of updates that have words of their own.
OWN_WORDS = ("revert", "replace")


def effect_line(group: PatternGroup, words: Language) -> str:
    """Return what the changes of a group do."""
    if group.joint is not None:
        return joint_line(group, group.joint, words)
    if group.origin:
        told = [part for part in group.parts if part.values]
        parts = parts_line(tuple(told), words, made=group.action is Action.CREATE)
        return ": ".join(part for part in (words.reason(group.origin).text, parts) if part)
    kind = words.text(f"p_kind_{group.kind or 'record'}")
    if len(group.sigels) == 1 and (sigel := next(iter(group.sigels))):
        kind = words.text("p_of", kind=kind, sigel=one_line(sigel, 40))
    if group.action is Action.DELETE:
        return _deletion(group, kind, words)
    own = group.verb in OWN_WORDS and group.level not in ("all", "coarse")
    verb = f"p_{group.verb if own else group.action.value}"
    if group.level == "all":
        return words.text(f"{verb}_all", kind=kind)
    if not group.parts:
        return words.text(f"{verb}_bare", kind=kind)
    if group.level == "coarse":
        return words.text(f"{verb}_coarse", kind=kind, names=_names(group.parts, words))
    made = group.action is Action.CREATE
    line = words.text(verb, kind=kind, parts=parts_line(group.parts, words, made=made))
    return words.text("p_others", line=line) if group.level == "others" else line


def distinct_effects(groups: Sequence[PatternGroup], words: Language) -> list[str]:
    """Return a line for each group; those that would read alike say what sets them apart."""
    lines = [effect_line(group, words) for group in groups]
    alike: dict[str, list[int]] = {}
    for index, line in enumerate(lines):
        alike.setdefault(line, []).append(index)
    for line, indexes in alike.items():
        if len(indexes) > 1:
            for index, mark in zip(
                indexes, _marks([groups[i] for i in indexes], words), strict=True
            ):
                lines[index] = words.text("p_apart", line=line, mark=mark)
    return lines


def _marks(groups: Sequence[PatternGroup], words: Language) -> list[str]:
    """Return what sets groups apart: libraries, else what else their first examples change."""
    for marks in (
        [_libraries(group.sigels, words) for group in groups],
        [_names(_touched(group), words) for group in groups],
    ):
        if len(set(marks)) == len(marks) and all(marks):
            return marks
    return [words.text("p_nth", n=number) for number in range(1, len(groups) + 1)]


def _touched(group: PatternGroup) -> tuple[PatternPart, ...]:
    places = dict.fromkeys(
        property_of(one.place) for item in group.samples for one in item.differences
    )
    return tuple(PatternPart(place=place, kind="changed") for place in places)


def _deletion(group: PatternGroup, kind: str, words: Language) -> str:
    if not group.parts:
        return words.text("p_delete_bare" if group.kind == "holding" else "p_delete_all", kind=kind)
    if group.parts[0].place == "…":
        return words.text("p_delete_some", kind=kind)
    return words.text("p_delete", kind=kind, names=_names(group.parts, words))


def _names(parts: tuple[PatternPart, ...], words: Language) -> str:
    names = list(dict.fromkeys(words.place(part.place) for part in parts))
    shown = names[:MAX_PARTS]
    if len(names) > len(shown):
        return f"{', '.join(shown)} {words.text('more', n=words.number(len(names) - len(shown)))}"
    return words.listed(shown)


def parts_line(
    parts: tuple[PatternPart, ...], words: Language, *, made: bool = False, named: bool = False
) -> str:
    """Return places with what becomes of them; of a record that is ``made``, with what they hold.

    ``named``: as part of a sentence.
    """
    told = list(dict.fromkeys(_part(part, words, made=made, named=named) for part in parts))
    shown = "; ".join(told[:MAX_PARTS])
    if len(told) > MAX_PARTS:
        return f"{shown} {words.text('more', n=words.number(len(told) - MAX_PARTS))}"
    return shown


def _part(part: PatternPart, words: Language, *, made: bool, named: bool) -> str:
    if made:
        value = _side(part, "after", words)
        return words.text("p_inner", place=words.place(part.place), value=value)
    return words.text(
        f"{'s' if named else 'p'}_{part.kind}",
        place=words.place(part.place),
        before=_side(part, "before", words),
        after=_side(part, "after", words),
    )


def _side(part: PatternPart, side: str, words: Language) -> str:
    values = [value for value in part.values if _of(value, side).how != "absent"]
    if len(values) == 1 and values[0].at in LABELS:
        return general_text(_of(values[0], side), words)
    told = [
        words.text(
            "p_inner",
            place=words.place(value.at),
            value=general_text(_of(value, side), words),
        )
        if value.at
        else general_text(_of(value, side), words)
        for value in values[:MAX_PARTS]
    ]
    return ", ".join(told) or words.text("g_absent")


def _of(value: PatternValue, side: str) -> General:
    return value.before if side == "before" else value.after


def general_text(general: General, words: Language) -> str:
    """Return values in general."""
    quoted = [
        words.text("g_same", text=one_line(words.value(text), MAX_VALUE)) for text in general.texts
    ]
    match general.how:
        case "same":
            return quoted[0]
        case "few":
            return f" {words.text('g_or')} ".join([", ".join(quoted[:-1]), quoted[-1]][-2:]).strip()
        case "prefix":
            return words.text("g_prefix", text=one_line(general.texts[0], MAX_VALUE))
        case "many":
            return words.text("g_many")
        case _:
            return words.text("g_absent")


# Lines of one change that are shown; the rest is in the JSON form.
MAX_LINES = 200

MAX_DEPTH = 12

# What tells a library most of a holding that goes away: it is shown first.
TELLING = {
    name: rank
    for rank, name in enumerate(
        (
            "shelfMark", "shelfLabel", "shelfControlNumber", "physicalLocation", "hasNote",
            "cataloguersNote", "copyNumber", "identifiedBy", "availability",
        )
    )
}  # fmt: skip

# What a text begins with that names a library or a term.
NAMED = ("https://libris.kb.se/library/", "https://id.kb.se/")


class Shown(NamedTuple):
    """A value fit to be shown: its text, how many characters were cut, and whether it is a link."""

    text: str
    cut: int = 0
    link: bool = False


class Line(NamedTuple):
    """A place and what stands there before and after; None where there is nothing."""

    place: str
    kind: str
    before: Shown | None
    after: Shown | None


def lines_of(differences: Sequence[Difference], limit: int) -> tuple[list[Line], int]:
    """Return the lines of a change, and how many more there are (at least).

    Args:
        differences: of one change.
        limit: characters of a value.
    """
    if all(item.kind == "removed" for item in differences):
        differences = sorted(differences, key=_telling)
    found = list(islice(_lines(differences, limit), MAX_LINES + 1))
    left = max(0, len(differences) - MAX_LINES)
    return found[:MAX_LINES], max(left, len(found) - MAX_LINES)


def _telling(item: Difference) -> int:
    ranks = (TELLING[step] for step in item.place.split(".") if step in TELLING)
    return next(ranks, len(TELLING))


def _lines(differences: Sequence[Difference], limit: int) -> Iterator[Line]:
    for item in differences:
        before = {} if item.kind == "added" else _values(item.place, item.before)
        after = {} if item.kind == "removed" else _values(item.place, item.after)
        for place in dict.fromkeys((*before, *after)):
            yield Line(
                place,
                item.kind,
                _shown(before[place], limit) if place in before else None,
                _shown(after[place], limit) if place in after else None,
            )


def _values(place: str, value: Any) -> dict[str, Any]:
    return dict(islice(_walk(place, value, 0), MAX_LINES + 1))


def _walk(place: str, value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    match value:
        case {"@id": str(), **rest} if not rest:
            yield place, value
        case dict() if value and depth < MAX_DEPTH:
            for key, inner in value.items():
                if key != "@type" or len(value) == 1:
                    yield from _walk(f"{place}.{key}", inner, depth + 1)
        case [only] if depth < MAX_DEPTH:
            yield from _walk(place, only, depth + 1)
        case list() if value and depth < MAX_DEPTH:
            for index, inner in enumerate(value):
                yield from _walk(f"{place}.{index}", inner, depth + 1)
        case _:
            yield place, value


def _shown(value: Any, limit: int) -> Shown:
    node = isinstance(value, dict) and "@id" in value
    text, cut = shorten(as_text(value["@id"] if node else value), limit)
    return Shown(visible(text), cut, node or text.startswith(NAMED))


def changed_middle(before: str, after: str) -> tuple[int, int]:
    """Return how many characters two texts share at the beginning and at the end."""
    most = min(len(before), len(after))
    start = 0
    while start < most and before[start] == after[start]:
        start += 1
    end = 0
    while end < most - start and before[-1 - end] == after[-1 - end]:
        end += 1
    return start, end


def approving_text(data: ReportData, words: Language) -> str | None:
    """Return the form of a yes, None where there is nothing to say yes to."""
    return _form(data, words, approved=True)


def rejecting_text(data: ReportData, words: Language) -> str | None:
    """Return the form of a no, None where there is nothing to say no to."""
    return _form(data, words, approved=False)


def _form(data: ReportData, words: Language, *, approved: bool) -> str | None:
    if not data.answerable or data.plan.plan_digest is None:
        return None
    answer = Answer(
        approved=approved,
        plan=data.plan.id,
        digest=data.plan.plan_digest,
        head=data.head,
        statements=data.statements,
        language=words.name,
        bibs=data.grouped.kinds.get((Action.DELETE, "bib"), 0),
    )
    return answer_text(data.plan, answer)
