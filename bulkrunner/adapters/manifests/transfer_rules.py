"""What steps that move, copy, merge, split and revert must keep to beyond the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import path_text, shown
from bulkrunner.domain.dates import parse_span
from bulkrunner.domain.identifiers import NoIdentifier, identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import PlaceError, parse_place

SIGELS = (("move", "to"), ("copy", "sigel"), ("split", "sigel"), ("merge", "into", "holding_of"))
MOMENTS = (("revert", "before"), ("revert", "since"))
PLACES = (("merge", "take"), ("copy", "without"))
RECORDS = (("repoint", "to"), ("copy", "of"), ("split", "of"), ("merge", "into"))


def transfer_faults(step: Mapping[str, Any], sigels: Any, iris: IriMap) -> Iterator[Told]:
    """Yield what is wrong with constants that name a library, a record or a place.

    Args:
        step: that fits the schema.
        sigels: the manifest's.
        iris: known environments.
    """
    known: Sequence[Any] = sigels if isinstance(sigels, list) else ()
    for path, sigel in _constants(step, SIGELS):
        if known and sigel not in known:
            yield Told(
                path=path,
                code="sigel_not_in_job",
                message=f"{path_text(path)}: {shown(sigel)} is not among `sigels`",
                hint="a job writes holdings of its own libraries only",
            )
    for path, text in _constants(step, RECORDS):
        found = identify(text, iris)
        if isinstance(found, NoIdentifier):
            yield Told(
                path=path,
                code=found.code,
                message=f"{path_text(path)}: {found.message}",
                hint=found.hint,
            )
    yield from _moment_faults(step)
    for verb, key in PLACES:
        for number, place in enumerate(step.get(verb, {}).get(key, ())):
            try:
                parse_place(place)
            except PlaceError as error:
                at = (verb, key, number)
                yield Told(
                    path=at,
                    code="bad_place",
                    message=f"{path_text(at)}: {shown(place)} is no place: {error}",
                )


def _moment_faults(step: Mapping[str, Any]) -> Iterator[Told]:
    for path, text in _constants(step, MOMENTS):
        if parse_span(text) is None:
            yield Told(
                path=path,
                code="wrong_value",
                message=f"{path_text(path)}: {shown(text)} is no date",
                hint="write 2026, 2026-11, 2026-11-02 or 2026-11-02T09:00:00+01:00",
            )
    if "since" in step.get("revert", {}) and "before_edit_by" not in step["revert"]:
        yield Told(
            path=("revert",),
            key="since",
            code="unknown_key",
            message="revert.since stands beside before_edit_by only",
        )


def _constants(
    step: Mapping[str, Any], paths: Sequence[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for path in paths:
        text: Any = step
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str):
            yield path, text
