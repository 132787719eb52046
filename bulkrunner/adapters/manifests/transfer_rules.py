"""What steps that move, copy, merge, split and revert must keep to beyond the schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bulkrunner.adapters.manifests.messages import Told
from bulkrunner.adapters.manifests.problems import path_text, shown
from bulkrunner.domain.identifiers import NoIdentifier, identify
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import PlaceError, parse_place

SIGELS = (("move", "to"), ("copy", "sigel"), ("split", "sigel"), ("merge", "into", "holding_of"))
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


def _constants(
    step: Mapping[str, Any], paths: Sequence[tuple[str, ...]]
) -> Iterator[tuple[tuple[str, ...], str]]:
    for path in paths:
        text: Any = step
        for key in path:
            text = text.get(key) if isinstance(text, dict) else None
        if isinstance(text, str):
            yield path, text
