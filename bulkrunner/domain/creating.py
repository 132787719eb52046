"""The document of a record to be created."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Creates
from bulkrunner.domain.places import RECORD_KEPT, RECORD_PATH, THING_KEPT, THING_PATH
from bulkrunner.domain.records import HOLDING_TYPE, Document, library_iri
from bulkrunner.domain.stored_form import Storage

TEMPID = "https://id.kb.se/TEMPID"
"""Id of a record to be created; no real IRI begins with it. The server puts the new id in."""


def build_create(
    op: Create,
    *,
    iris: IriMap,
    bib_thing_iri: str | None,
    sigel: str | None = None,
    from_records: bool = False,
) -> Document:
    """Return the document to be posted.

    Args:
        op: the operation.
        iris: of the environment written to.
        bib_thing_iri: graph[1].@id of the bib that a holding is hung on; None for a bib.
        sigel: of the holding's library, the operation's where left out.
        from_records: the content comes from records.

    Raises:
        PlaceRefused: ``tidied_away`` or ``wrong_kind``.
    """
    record = {"@id": TEMPID, "@type": "Record", "mainEntity": {"@id": f"{TEMPID}#it"}}
    thing: dict[str, Any] = {"@id": f"{TEMPID}#it"}
    if op.creates is Creates.HOLDING:
        thing["@type"] = HOLDING_TYPE
        thing["heldBy"] = {"@id": library_iri(sigel or op.sigel)}
        thing["itemOf"] = {"@id": bib_thing_iri}
    kept = THING_KEPT if op.creates is Creates.HOLDING else frozenset({"@id"})
    bare = {"@graph": [record, thing]}
    storage = Storage.of(bare, from_records=from_records)
    content = (
        (record, RECORD_PATH, without(iris.localise(dict(op.record)), RECORD_KEPT)),
        (thing, THING_PATH, without(iris.localise(dict(op.body)), kept)),
    )
    for part, root, given in content:
        for key, value in given.items():
            formed = storage.form(value, (*root, key))
            if formed is not None:
                part[key] = formed
    return bare


def without(body: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Return the object without some of its keys."""
    return {key: value for key, value in body.items() if key not in keys}
