"""The document of a record to be created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Creates
from bulkrunner.domain.places import RECORD_KEPT, THING_KEPT
from bulkrunner.domain.records import HOLDING_TYPE, Document, library_iri

TEMPID = "https://id.kb.se/TEMPID"
"""Id of a record to be created; no real IRI begins with it. The server puts the new id in."""


def build_create(
    op: Create, *, iris: IriMap, bib_thing_iri: str | None, sigel: str | None = None
) -> Document:
    """Return the document to be posted.

    Args:
        op: the operation.
        iris: of the environment written to.
        bib_thing_iri: graph[1].@id of the bib that a holding is hung on; None for a bib.
        sigel: of the holding's library, the operation's where left out.
    """
    record = {
        "@id": TEMPID,
        "@type": "Record",
        "mainEntity": {"@id": f"{TEMPID}#it"},
        **without(iris.localise(dict(op.record)), RECORD_KEPT),
    }
    thing: dict[str, Any] = {"@id": f"{TEMPID}#it"}
    body = iris.localise(dict(op.body))
    if op.creates is Creates.HOLDING:
        thing["@type"] = HOLDING_TYPE
        thing["heldBy"] = {"@id": library_iri(sigel or op.sigel)}
        thing["itemOf"] = {"@id": bib_thing_iri}
        thing |= without(body, THING_KEPT)
    else:
        thing |= without(body, {"@id"})
    return {"@graph": [record, thing]}


def without(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the object without some of its keys."""
    return {key: value for key, value in body.items() if key not in keys}
