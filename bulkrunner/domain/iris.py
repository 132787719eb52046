"""Record identifiers and how they map between environments."""

# The short id of a record is the same in every environment; its IRI is the environment's base plus
# the short id. Library IRIs, ``https://id.kb.se/…`` and legacy ``http://libris.kb.se/…`` IRIs are
# the same everywhere and are never mapped.

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SHORT_ID = re.compile(r"[0-9bcdfghjklmnpqrstvwxz]{15,16}")
LEGACY = re.compile(r"https?://libris\.kb\.se/(resource/)?(bib|hold|auth)/[0-9]{1,12}")
# Prefix of an IRI written without any environment's base, for comparing across environments.
NEUTRAL = "libris:"


class RefKind(StrEnum):
    """How a record was named."""

    SHORT_ID = "short_id"
    LEGACY_IRI = "legacy_iri"


@dataclass(frozen=True, kw_only=True)
class RecordRef:
    """A record as named in a manifest: a short id, or an IRI that the server must resolve."""

    kind: RefKind
    value: str


@dataclass(frozen=True, kw_only=True)
class IriMap:
    """Maps record IRIs to one environment."""

    bases: tuple[str, ...]  # base URIs of every known environment, each ending in ``/``
    target: str  # base URI of the environment written to

    def split(self, iri: str) -> tuple[str, str, str] | None:
        """Return (base, short id, ``""`` or ``"#it"``) where the whole value is a known record or thing IRI."""
        body, suffix = (iri[:-3], "#it") if iri.endswith("#it") else (iri, "")
        for base in self.bases:
            if body.startswith(base) and SHORT_ID.fullmatch(body, len(base)):
                return base, body[len(base) :], suffix
        return None

    def parse(self, text: str) -> RecordRef | None:
        """Read an id as written in a manifest or list; None where it is no id of a known kind."""
        if SHORT_ID.fullmatch(text):
            return RecordRef(kind=RefKind.SHORT_ID, value=text)
        if parts := self.split(text):
            return RecordRef(kind=RefKind.SHORT_ID, value=parts[1])
        if LEGACY.fullmatch(text):
            return RecordRef(
                kind=RefKind.LEGACY_IRI, value=re.sub(r"^https", "http", text, count=1)
            )
        return None

    def short_id(self, iri: str | None) -> str | None:
        """Return the short id of a record or thing IRI of any known environment."""
        parts = self.split(iri) if iri is not None else None
        return parts[1] if parts else None

    def record_iri(self, short_id: str) -> str:
        """Return the record's IRI in the target environment."""
        return self.target + short_id

    def thing_iri(self, short_id: str) -> str:
        """Return the usual main thing IRI (``#it``) in the target environment."""
        return f"{self.target}{short_id}#it"

    def localise(self, value: Any) -> Any:
        """Return the JSON value with ``@id`` values of known environments moved to the target."""
        return map_ids(value, self.localise_iri)

    def localise_iri(self, iri: str) -> str:
        """Return an IRI, if it is one of a known environment, moved to the target."""
        if iri.startswith(NEUTRAL) and (found := _neutral_parts(iri)):
            return self.target + found
        parts = self.split(iri)
        return self.target + parts[1] + parts[2] if parts else iri

    def neutral(self, value: Any) -> Any:
        """Return the JSON value with ``@id`` values of known environments as ``libris:<id>``."""
        return map_ids(value, self._neutral_iri)

    def foreign(self, value: Any) -> Iterator[str]:
        """Yield every ``@id`` inside that belongs to another known environment than the target."""
        for iri in iter_ids(value):
            parts = self.split(iri)
            if parts and parts[0] != self.target:
                yield iri

    def _neutral_iri(self, iri: str) -> str:
        parts = self.split(iri)
        return NEUTRAL + parts[1] + parts[2] if parts else iri


def _neutral_parts(iri: str) -> str | None:
    body = iri.removeprefix(NEUTRAL)
    return body if SHORT_ID.fullmatch(body.removesuffix("#it")) else None


def iter_ids(value: Any) -> Iterator[str]:
    """Yield every string under an ``@id`` key, at any depth."""
    stack = [value]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            iri = node.get("@id")
            if isinstance(iri, str):
                yield iri
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


def map_ids(value: Any, made: Callable[[str], str]) -> Any:
    """Return a JSON value with every string under an ``@id`` key, at any depth, made another."""
    if isinstance(value, dict):
        return {
            key: made(item) if key == "@id" and isinstance(item, str) else map_ids(item, made)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [map_ids(item, made) for item in value]
    return value


def without_own_iri(value: Any, own: str, instead: str) -> Any:
    """Return a JSON value with a record's IRI, and those below it such as ``#it``, beginning ``instead``."""

    def other(iri: str) -> str:
        return instead + iri[len(own) :] if iri == own or iri.startswith(f"{own}#") else iri

    return map_ids(value, other) if own else value
