"""Patterns as plain data, for the JSON form."""

from __future__ import annotations

from typing import Any

from bulkrunner.adapters.reports.effects import effect_line, parts_line
from bulkrunner.adapters.reports.wording import Language
from bulkrunner.domain.generalising import General
from bulkrunner.domain.report import Joint, PatternGroup, PatternPart


def pattern_as_dict(group: PatternGroup, words: Language) -> dict[str, Any]:
    """Return one group of changes; samples and outliers by their numbers."""
    return {
        "action": group.action,
        "kind": group.kind,
        "pattern": effect_line(group, words),
        "level": group.level,
        "count": group.count,
        "sigels": group.sigels,
        "places": [_part(part) for part in group.parts],
        "samples": [item.change.number for item in group.samples],
        "outliers": [
            {"why": item.why, "change": item.change.change.number, "measure": item.measure}
            for item in group.outliers
        ],
        "variants": [
            {"text": parts_line(variant.parts, words), "count": variant.count}
            for variant in group.variants
        ],
        "different": group.different,
        "verb": group.joint.verb if group.joint else group.verb or None,
        "together": _joint(group.joint),
    }


def _joint(joint: Joint | None) -> dict[str, Any] | None:
    if joint is None:
        return None
    return {
        "records": joint.records,
        "actions": dict(joint.actions),
        "origins": dict(joint.origins),
        "destinations": dict(joint.destinations),
        "changed_too": dict(joint.mixed),
        "partners": {
            str(number): [item.change.number for item in items]
            for number, items in joint.partners.items()
        },
    }


def _part(part: PatternPart) -> dict[str, Any]:
    return {
        "place": part.place,
        "kind": part.kind,
        "values": [
            {"at": value.at, "before": _general(value.before), "after": _general(value.after)}
            for value in part.values
        ],
    }


def _general(general: General) -> dict[str, Any]:
    return {"how": general.how, "texts": list(general.texts)}
