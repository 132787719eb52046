"""Moves, merges, splits, copies and holdings hung elsewhere, in words: one thing, not its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bulkrunner.adapters.reports.showing import one_line
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.contents import contents
from bulkrunner.domain.report import Joint, PatternGroup, ReportedChange

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
        (count, words.pattern(name) if ";" in name else words.text("j_mixed_earlier"))
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
    kept = {_top(place) for place, _ in contents(partners[0].change.after or {})}
    had = dict.fromkeys(_top(place) for place, _ in contents(item.change.before or {}))
    gone = [words.place(place) for place in had if place not in kept]
    if any(code == "not_taken_along" for code, _ in item.change.notes + partners[0].change.notes):
        gone.append("sameAs")
    return one_line(", ".join(dict.fromkeys(gone[:MAX_LOST])), 400)


def _top(place: str) -> str:
    parts = place.split(".")
    return ".".join(parts[:2]) if parts[0] == "@record" else parts[0]


def _ends(joint: Joint, words: Language) -> dict[str, str]:
    return {"origin": _libraries(joint.origins, words), "to": _libraries(joint.destinations, words)}


def _libraries(sigels: Mapping[str, int], words: Language) -> str:
    named = [one_line(sigel, 40) for sigel in sigels if sigel]
    if not named:
        return words.text("j_unknown")
    if len(named) > MAX_SIGELS:
        return words.text("j_several", n=words.number(len(named)))
    return words.listed(named)
