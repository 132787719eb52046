"""Somebody else's work on the records, done past all permissions."""

from __future__ import annotations

import json
from typing import Any

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.access import Writer
from bulkrunner.sandbox.answers import Request
from bulkrunner.sandbox.catalogue import Entry
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.login import Client
from bulkrunner.sandbox.reading import find_for_write
from bulkrunner.sandbox.writing import Writing

_SOMEBODY = Client(client_id="somebody-else", secret="")
_FALLBACK_SIGEL = "S"
_NOTE = "Edited by somebody else"


class UnknownRecordError(LookupError):
    """No live record of that id."""


class ForeignEditor:
    """Edits, deletes and creates records as another library's cataloguer would."""

    def __init__(self, writing: Writing) -> None:
        self._writing = writing
        self._catalogue = writing.catalogue

    def edit(
        self,
        record: str,
        *,
        sigel: str | None = None,
        changes: dict[str, Any] | None = None,
        doc: Document | None = None,
        delete: bool = False,
    ) -> Entry:
        """Change a live record: dotted places on the thing, a whole document, or its deletion."""
        found = find_for_write(self._catalogue, record)
        if not isinstance(found, Entry) or found.deleted:
            raise UnknownRecordError(record)
        document = doc or found.document()
        if doc is None and not delete:
            change(documents.node(document, 1), changes)
        agent = sigel or documents.holding_sigel(document) or _FALLBACK_SIGEL
        return self._writing.write_as(
            Writer(client=_SOMEBODY, active_sigel=agent), found.short_id, document, deleted=delete
        )

    def before(self, request: Request, params: dict[str, Any]) -> None:
        """Get in just before a request: edit its record, or create what it is about to create."""
        sigel = params.get("sigel")
        if request.method == "POST":
            self._create_first(request, sigel)
            return
        try:
            self.edit(
                request.path.removeprefix("/"),
                sigel=sigel,
                changes=params.get("set"),
                doc=params.get("doc"),
                delete=bool(params.get("delete")),
            )
        except UnknownRecordError:
            return

    def _create_first(self, request: Request, sigel: str | None) -> None:
        try:
            body = json.loads(request.body)
        except ValueError:
            return
        if not isinstance(body, dict) or not documents.text(documents.node(body, 0), "@id"):
            return
        agent = sigel or documents.holding_sigel(body) or _FALLBACK_SIGEL
        self._writing.create_as(Writer(client=_SOMEBODY, active_sigel=agent), body)


def change(thing: Document, changes: dict[str, Any] | None) -> None:
    """Set dotted places of a node; null removes. Without places, a cataloguer's note is added."""
    if changes is None:
        notes = thing.get("cataloguersNote", [])
        thing["cataloguersNote"] = [*(notes if isinstance(notes, list) else [notes]), _NOTE]
        return
    for place, value in changes.items():
        _set(thing, place.split("."), value)


def _set(holder: Any, path: list[str], value: Any) -> None:
    for key in path[:-1]:
        holder = holder[int(key)] if isinstance(holder, list) else holder.setdefault(key, {})
    last = path[-1]
    if isinstance(holder, list):
        holder[int(last)] = value
    elif value is None:
        holder.pop(last, None)
    else:
        holder[last] = value
