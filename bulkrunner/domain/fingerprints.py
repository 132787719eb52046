"""Fingerprints: what must be equal for two documents to say the same, as a digest."""

# The server's own fields are left out. Lists of properties that are ``@set`` in the vocabulary
# compare without order; a single value and a list of one do not compare equal, since both are
# stored as sent.

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes, digest
from bulkrunner.domain.iris import without_own_iri
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.domain.records import (
    WRITTEN_AT_CREATION,
    WRITTEN_AT_SAVE,
    Document,
    record_part,
)
from bulkrunner.vocabulary import is_set

SELF = "self:"  # stands for a new record's own IRI, which nobody knows beforehand


def before_fingerprint(document: Document) -> str:
    """Return the fingerprint of a document as it stands."""
    return digest(_comparable(document, WRITTEN_AT_SAVE))


def after_fingerprint(document: Document) -> str:
    """Return the fingerprint that a document to be sent will have once it is stored."""
    return before_fingerprint(predict_stored(document).document)


def create_fingerprint(document: Document) -> str:
    """Return the fingerprint of a new record, the same before and after it gets its ids."""
    own = record_part(document).get("@id")
    comparable = _comparable(document, WRITTEN_AT_CREATION)
    return digest(without_own_iri(comparable, own if isinstance(own, str) else "", SELF))


def equal_content(one: Document, other: Document) -> bool:
    """Return True if two documents have the same fingerprint."""
    return before_fingerprint(one) == before_fingerprint(other)


def _comparable(document: Document, dropped: Collection[str]) -> Any:
    whole = {key: value for key, value in document.items() if key != "@context"}
    graph = whole.get("@graph")
    if isinstance(graph, list) and graph and isinstance(graph[0], dict):
        record = {key: value for key, value in graph[0].items() if key not in dropped}
        whole["@graph"] = [record, *graph[1:]]
    return _ordered(whole)


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: in_set_order(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_ordered(item) for item in value]
    return value


def in_set_order(key: str, value: Any) -> Any:
    """Return the value of a key with every list sorted whose order does not count."""
    ordered = _ordered(value)
    if isinstance(ordered, list) and len(ordered) > 1 and is_set(key):
        return sorted(ordered, key=canonical_bytes)
    return ordered
