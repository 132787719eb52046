"""What a group says of the places that its changes touch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bulkrunner.domain.effects import Part
from bulkrunner.domain.generalising import just
from bulkrunner.domain.report import PatternPart, PatternValue
from bulkrunner.services.grouping.collecting import Collector


def exactly(parts: Sequence[Part]) -> tuple[PatternPart, ...]:
    """Return places with the very values of one change."""
    return tuple(
        PatternPart(
            place=part.place,
            kind=part.kind,
            values=tuple(
                PatternValue(at=leaf.at, before=just(leaf.before), after=just(leaf.after))
                for leaf in part.leaves
            ),
        )
        for part in parts
    )


def in_general(collector: Collector) -> tuple[PatternPart, ...]:
    """Return places with what the values of all changes have in common."""
    places: dict[tuple[str, str], PatternPart] = {}
    for slot in collector.slots:
        before, after = collector.general(slot)
        value = PatternValue(at=slot.at, before=before, after=after)
        known = places.get((slot.place, slot.kind))
        values = (*known.values, value) if known else (value,)
        places[(slot.place, slot.kind)] = PatternPart(
            place=slot.place, kind=slot.kind, values=values
        )
    return tuple(places.values())


def named(key: Iterable[object]) -> tuple[PatternPart, ...]:
    """Return properties without values."""
    return tuple(PatternPart(place=str(name), kind="changed") for name in key)
