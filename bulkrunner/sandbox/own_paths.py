"""The sandbox's own paths under ``/_sandbox``, and somebody else's work on the records."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC
from typing import TYPE_CHECKING, Any

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.accounts import Client, Permission, Writer
from bulkrunner.sandbox.documents import Document
from bulkrunner.sandbox.entries import Entry
from bulkrunner.sandbox.fault_rules import FaultRuleError
from bulkrunner.sandbox.reading import find_for_write
from bulkrunner.sandbox.wire import Request, Response, json_response
from bulkrunner.sandbox.writing import Writing

if TYPE_CHECKING:
    from bulkrunner.sandbox.engine import Environment

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


_Answer = Callable[[Request, str], Response]


class Control:
    """Answers the control paths of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._routes: dict[tuple[str, str], _Answer] = {
            ("GET", "info"): self._info,
            ("GET", "faults"): self._list_faults,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._clear_faults,
            ("GET", "log"): self._log,
            ("DELETE", "log"): self._clear_log,
            ("GET", "history"): self._history,
            ("GET", "records"): self._records,
            ("POST", "edit"): self._edit,
            ("POST", "tokens"): self._expire_tokens,
            ("POST", "clients"): self._change_client,
            ("POST", "refresh"): self._refresh,
            ("POST", "clock"): self._move_clock,
        }

    def answer(self, request: Request) -> Response:
        name, _, rest = request.path.removeprefix("/_sandbox/").partition("/")
        route = self._routes.get((request.method, name))
        if route is None:
            return _refusal(404, "The sandbox has no such control.")
        try:
            return route(request, rest)
        except UnknownRecordError as error:
            return _refusal(404, f"No live record {error}.")
        except FaultRuleError as error:
            return _refusal(400, str(error))
        except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            return _refusal(400, f"Cannot be understood: {error!r}")

    def _info(self, _request: Request, _rest: str) -> Response:
        environment = self._environment
        live: dict[str, int] = {}
        for entry in environment.catalogue.entries():
            if not entry.deleted:
                live[entry.collection] = live.get(entry.collection, 0) + 1
        return json_response(
            200,
            {
                "kind": environment.settings.kind,
                "base_uri": environment.settings.base_uri,
                "records": live,
                "clients": {
                    client.client_id: [permission.as_json() for permission in client.permissions]
                    for client in environment.login.clients()
                },
            },
        )

    def _list_faults(self, _request: Request, _rest: str) -> Response:
        return json_response(200, self._environment.faults.rules())

    def _add_faults(self, request: Request, _rest: str) -> Response:
        rules = json.loads(request.body)
        self._environment.faults.add(*(rules if isinstance(rules, list) else [rules]))
        return self._list_faults(request, "")

    def _clear_faults(self, request: Request, _rest: str) -> Response:
        self._environment.faults.clear(request.param("kind"))
        return self._list_faults(request, "")

    def _log(self, request: Request, _rest: str) -> Response:
        entries = self._environment.journal.entries(
            writes=request.param("writes") == "1", since=int(request.param("since") or 0)
        )
        return json_response(200, [entry.as_json() for entry in entries])

    def _clear_log(self, _request: Request, _rest: str) -> Response:
        self._environment.journal.clear()
        return json_response(200, [])

    def _history(self, _request: Request, rest: str) -> Response:
        entry = self._environment.catalogue.entry(rest)
        if entry is None:
            raise UnknownRecordError(rest)
        return json_response(200, [self._version(entry, at) for at in range(len(entry.versions))])

    def _version(self, entry: Entry, number: int) -> dict[str, Any]:
        version = entry.versions[number]
        return {
            "version": number,
            "created": version.created.astimezone(UTC).isoformat(),
            "modified": version.modified.astimezone(UTC).isoformat(),
            "deleted": version.deleted,
            "sigel": version.sigel,
            "client": version.client,
            "etag": self._environment.catalogue.etag(entry, version),
            "document": entry.document(version),
        }

    def _records(self, request: Request, _rest: str) -> Response:
        collection, sigel = request.param("collection"), request.param("sigel")
        library = documents.library_iri(sigel) if sigel else None
        found = [
            entry.short_id
            for entry in self._environment.catalogue.entries()
            if not entry.deleted
            and collection in (None, entry.collection)
            and (library is None or (entry.pair is not None and entry.pair[0] == library))
        ]
        return json_response(200, sorted(found))

    def _edit(self, request: Request, _rest: str) -> Response:
        wish = json.loads(request.body)
        entry = self._environment.editor.edit(
            wish["id"],
            sigel=wish.get("sigel"),
            changes=wish.get("set"),
            doc=wish.get("doc"),
            delete=bool(wish.get("delete")),
        )
        return json_response(200, self._version(entry, len(entry.versions) - 1))

    def _expire_tokens(self, _request: Request, rest: str) -> Response:
        if rest != "expire":
            return _refusal(404, "The sandbox has no such control.")
        return json_response(200, {"expired": self._environment.login.expire_tokens()})

    def _change_client(self, request: Request, rest: str) -> Response:
        client_id, _, action = rest.partition("/")
        known = {client.client_id for client in self._environment.login.clients()}
        if client_id not in known:
            return _refusal(404, "No such client.")
        match action:
            case "revoke":
                self._environment.login.revoke(client_id)
            case "permissions":
                entries = json.loads(request.body)
                self._environment.login.set_permissions(
                    client_id, [Permission(**entry) for entry in entries]
                )
            case _:
                return _refusal(404, "The sandbox has no such control.")
        return json_response(200, {"client": client_id})

    def _refresh(self, _request: Request, _rest: str) -> Response:
        self._environment.refresh_index()
        return json_response(200, {})

    def _move_clock(self, request: Request, _rest: str) -> Response:
        self._environment.clock.advance(**json.loads(request.body))
        return json_response(200, {"now": self._environment.clock.now().isoformat()})


def _refusal(status: int, message: str) -> Response:
    return json_response(status, {"error": message})
