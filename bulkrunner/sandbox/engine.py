"""One environment of the embedded Libris, where every request goes in, and the pair of them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from threading import RLock
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.sandbox import accounts, documents, emm, find, reading, seed, seed_layout
from bulkrunner.sandbox.accounts import Client, Login, Permission
from bulkrunner.sandbox.documents import Document, IdGenerator
from bulkrunner.sandbox.entries import Catalogue
from bulkrunner.sandbox.fault_rules import PAGES, FaultKind, FaultRule, Faults
from bulkrunner.sandbox.find import Finder
from bulkrunner.sandbox.index import NamesIndex, SearchIndex
from bulkrunner.sandbox.load import read_records
from bulkrunner.sandbox.own_paths import Control, ForeignEditor
from bulkrunner.sandbox.seed import BIBS, DEFAULT_SEED, HOLDINGS
from bulkrunner.sandbox.seed_documents import SeedRecord
from bulkrunner.sandbox.store import Journal, LogEntry, MemoryStore, SqliteStore, Store
from bulkrunner.sandbox.wire import (
    ApiError,
    Clock,
    Cut,
    PageError,
    Request,
    Response,
    Settings,
    ShiftedClock,
    SystemClock,
    error_page,
    http_date,
    json_response,
)
from bulkrunner.sandbox.writing import Writing

_WRITES = frozenset({"POST", "PUT", "DELETE"})

_OPEN_POSTS = frozenset({"/_convert", "/_transliterate"})

# What is read with a token only; there is nothing of it here.
_CLOSED_READS = ("/_userdata/", "/_remotesearch")


_CONTROL = "/_sandbox"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """A request let in, with the faults that strike it."""

    request: Request
    seq: int
    struck: tuple[FaultRule, ...] = ()

    @property
    def delay_ms(self) -> float:
        """How long the answer is to be held back."""
        return sum(float(rule.params["ms"]) for rule in self._of(FaultKind.LATENCY))

    def _of(self, kind: FaultKind) -> list[FaultRule]:
        return [rule for rule in self.struck if rule.kind is kind]

    def first(self, *kinds: FaultKind) -> FaultRule | None:
        return next((rule for rule in self.struck if rule.kind in kinds), None)


class Environment:
    """A catalogue with its login, on its own base URI; safe to use from several threads."""

    def __init__(
        self,
        settings: Settings,
        clients: Iterable[Client] = (),
        *,
        store: Store | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
    ) -> None:
        self.settings = settings
        self.clock = ShiftedClock(clock or SystemClock())
        self.faults = Faults()
        self.journal = Journal()
        self.login = Login(clients, clock=self.clock, token_lifetime=settings.token_lifetime)
        self._lock = RLock()
        self._changed: list[str] = []
        self.store = store or MemoryStore()
        self._zone = ZoneInfo(settings.time_zone)
        self.catalogue = Catalogue(self.store, self._zone, on_change=self._note_change)
        self.index = SearchIndex(self.catalogue, clock=self.clock, lag_ms=settings.index_lag_ms)
        self._labelled = NamesIndex(self.catalogue)
        self._started = int(self.clock.now().timestamp() * 1000)
        self._writing = Writing(
            catalogue=self.catalogue,
            settings=settings,
            clock=self.clock,
            ids=IdGenerator(seed),
            labelled=self._labelled,
        )
        self.editor = ForeignEditor(self._writing)
        self._finder = Finder(self.catalogue, self.index, settings)
        self._emm = emm.Emm(self.catalogue, self.clock, settings, self._zone)
        self._control = Control(self)
        self._reads: dict[str, Callable[[Request], Response]] = {
            "/find": self._finder.find,
            "/_findhold": lambda request: find.find_holdings(self.catalogue, request),
            "/_dependencies": lambda request: find.dependencies(self.catalogue, request),
            "/context.jsonld": lambda _: json_response(
                200, {"@context": {"@vocab": "https://id.kb.se/vocab/"}}
            ),
            "/": lambda _: json_response(200, {"@id": settings.base_uri, "@type": "DataCatalog"}),
        }

    def load(self, records: Iterable[tuple[Document, datetime, datetime]]) -> int:
        """Put records in as they are, visible to searches at once; returns how many."""
        with self._lock:
            count = self.catalogue.load(records)
            self.refresh_index()
            return count

    def copy(self, other: Environment) -> None:
        """Put another environment's records in, as they are but on this one's base URI."""
        with self._lock, other.lock:
            self.catalogue.copy(
                other.catalogue,
                old_base=other.settings.base_uri,
                new_base=self.settings.base_uri,
            )
            self.index.show_everything()

    def refresh_index(self) -> None:
        """Let every write show in searches."""
        with self._lock:
            self.index.refresh()

    @property
    def lock(self) -> RLock:
        """Held while a request is worked on."""
        return self._lock

    def handle(self, request: Request) -> Response:
        """Answer a request without waiting for any delay."""
        return self.answer(self.admit(request))

    def admit(self, request: Request) -> Ticket:
        """Let a request in and decide which faults strike it."""
        if request.path.startswith(_CONTROL):
            return Ticket(request=request, seq=0)
        with self._lock:
            return Ticket(
                request=request, seq=self.journal.next_seq(), struck=self.faults.take(request)
            )

    def answer(self, ticket: Ticket) -> Response:
        """Work on an admitted request and log it."""
        request = ticket.request
        with self._lock:
            if ticket.seq == 0:
                return self._guarded(self._control.answer, request)
            client = self.login.client_of(accounts.bearer(request))
            self._strike_before(ticket)
            self._changed.clear()
            response = self._answer_or_fail(ticket)
            stored = tuple(dict.fromkeys(self._changed))
            self.journal.add(
                LogEntry(
                    seq=ticket.seq,
                    time=self.clock.now(),
                    method=request.method,
                    path=request.path,
                    query=request.query_string,
                    status=0 if response.cut is Cut.NOTHING_SENT else response.status,
                    client=client,
                    sigel=request.header("xl-active-sigel"),
                    conditional=request.header("if-none-match") is not None,
                    stored=stored,
                    faults=tuple(rule.kind.value for rule in ticket.struck),
                )
            )
            return response.with_headers(("Date", http_date(self.clock.now())))

    # Faults

    def _strike_before(self, ticket: Ticket) -> None:
        request = ticket.request
        for rule in ticket.struck:
            match rule.kind:
                case FaultKind.EXPIRE_TOKEN:
                    self.login.expire_tokens(accounts.bearer(request))
                case FaultKind.REVOKE_CLIENT:
                    self.login.revoke(self._struck_client(rule, request))
                case FaultKind.DROP_PERMISSION:
                    self._drop_permission(self._struck_client(rule, request), rule)
                case FaultKind.FOREIGN_EDIT:
                    self.editor.before(request, rule.params)

    def _struck_client(self, rule: FaultRule, request: Request) -> str:
        return str(
            rule.params.get("client") or self.login.client_of(accounts.bearer(request)) or ""
        )

    def _drop_permission(self, client_id: str, rule: FaultRule) -> None:
        sigel = rule.params.get("sigel")
        for client in self.login.clients():
            if client.client_id == client_id:
                kept = [p for p in client.permissions if sigel is not None and p.code != sigel]
                self.login.set_permissions(client_id, kept)

    def _answer_or_fail(self, ticket: Ticket) -> Response:
        if ticket.first(FaultKind.CLOSE_BEFORE):
            return Response(status=0, cut=Cut.NOTHING_SENT)
        forced = ticket.first(FaultKind.STATUS, FaultKind.PROXY)
        if forced is not None and not forced.params.get("after"):
            return self._forced(forced, ticket.request)
        response = self._guarded(lambda request: self._route(request, ticket), ticket.request)
        if ticket.first(FaultKind.CLOSE_AFTER):
            return replace(response, cut=Cut.NOTHING_SENT)
        if ticket.first(FaultKind.TRUNCATE):
            return replace(response, cut=Cut.HALF_SENT)
        return response if forced is None else self._forced(forced, ticket.request)

    def _forced(self, rule: FaultRule, request: Request) -> Response:
        if rule.kind is FaultKind.PROXY:
            return PAGES[rule.params["page"]](request, self._some_record())
        return _forced(rule)

    def _some_record(self) -> str:
        """Return the IRI of a record that was there from the beginning."""
        return next((entry.record_iri for entry in self.catalogue.entries()), "")

    # Routing

    def _guarded(self, work: Callable[[Request], Response], request: Request) -> Response:
        try:
            return work(request)
        except ApiError as error:
            return error.response()
        except PageError as error:
            return error_page(request, error)
        except RecursionError:
            return error_page(request, PageError(500))

    def _route(self, request: Request, ticket: Ticket) -> Response:
        down = ticket.first(FaultKind.LOGIN_DOWN)
        if request.path.startswith("/oauth/"):
            return self._at_login(request, down)
        if request.method in _WRITES:
            if down is not None and down.params.get("status") == HTTPStatus.INTERNAL_SERVER_ERROR:
                raise PageError(HTTPStatus.INTERNAL_SERVER_ERROR)
            return self._write(request, login_down=down is not None)
        if request.method not in ("GET", "HEAD"):
            raise PageError(405)
        if request.path.startswith("/api/emm/"):
            return self._emm.answer(request)
        if request.path.startswith(_CLOSED_READS):
            accounts.authenticate(request, self.login, login_down=down is not None)
            raise PageError(404)
        read = self._reads.get(request.path)
        if read is not None:
            return read(request)
        return reading.get(self.catalogue, request, started=self._started, zone=self._zone)

    def _at_login(self, request: Request, down: FaultRule | None) -> Response:
        if down is not None:
            raise PageError(int(down.params.get("status", HTTPStatus.SERVICE_UNAVAILABLE)))
        match request.path, request.method:
            case "/oauth/token", "POST" | "GET":
                return self.login.token_request(request)
            case "/oauth/verify", "GET":
                return self.login.verify_request(request)
            case "/oauth/token" | "/oauth/verify", _:
                raise PageError(405)
        raise PageError(404)

    def _write(self, request: Request, *, login_down: bool) -> Response:
        if request.method == "POST" and request.path in _OPEN_POSTS:
            raise PageError(404)
        writer = accounts.authenticate(request, self.login, login_down=login_down)
        match request.method:
            case "POST":
                return self._writing.post(request, writer)
            case "PUT":
                return self._writing.put(request, writer)
        return self._writing.delete(request, writer)

    def _note_change(self, short_id: str) -> None:
        self._changed.append(short_id)
        self.index.changed(short_id)
        self._labelled.changed(short_id)


def _forced(rule: FaultRule) -> Response:
    status = int(rule.params["status"])
    body = rule.params.get("body")
    if body is None:
        response = ApiError(status, "").response()
    else:
        kind = str(rule.params.get("content_type", "text/html;charset=utf-8"))
        response = Response(
            status=status, headers=(("Content-Type", kind),), body=str(body).encode()
        )
    headers = {"Retry-After": "retry_after", "Location": "location"}
    given = {name: rule.params.get(key) for name, key in headers.items()}
    return response.with_headers(
        *((name, str(value)) for name, value in given.items() if value is not None)
    )


KINDS = ("test", "production")

CLIENT_IDS = ("supplier", "cataloguer", "global", "other")

_SECRETS = "client_secrets"

_BASE_URI = "base_uri"

_FILLED = "filled"

_Loaded = tuple[dict[str, Any], datetime, datetime]


@dataclass(frozen=True, kw_only=True)
class SandboxOptions:
    """What a sandbox is made of; the same for both environments but for the base URIs."""

    seed: int = DEFAULT_SEED
    bibs: int = BIBS
    holdings: int = HOLDINGS
    data: Path | None = None
    load: Path | None = None
    # Base URI by kind, where it is not to be the address that is served.
    base_uris: dict[str, str] = field(default_factory=dict)
    # By kind an environment whose records are copied; quicker than to make the same again.
    patterns: dict[str, Environment] = field(default_factory=dict)
    duplicate_status: int = 404
    time_zone: str = "Europe/Stockholm"
    token_lifetime: int = 36000
    index_lag_ms: int = 500
    max_items: int = 100_000
    emm_generating_ms: int = 0
    clock: Clock | None = None


def open_store(options: SandboxOptions, kind: str) -> Store:
    """Open where an environment's records are kept."""
    if options.data is None:
        return MemoryStore()
    options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return SqliteStore(options.data / f"{kind}.db")


def build_environment(
    options: SandboxOptions, kind: str, *, served_at: str, store: Store | None = None
) -> Environment:
    """Make one environment, filled from its file, a loaded file, or the seed."""
    store = store or open_store(options, kind)
    base_uri = store.setting(_BASE_URI) or options.base_uris.get(kind) or served_at
    store.set_setting(_BASE_URI, base_uri)
    environment = Environment(
        Settings(
            kind=kind,
            base_uri=base_uri,
            duplicate_status=options.duplicate_status,
            time_zone=options.time_zone,
            token_lifetime=options.token_lifetime,
            index_lag_ms=options.index_lag_ms,
            max_items=options.max_items,
            emm_generating_ms=options.emm_generating_ms,
        ),
        store=store,
        clock=options.clock,
    )
    if store.setting(_FILLED) is None:
        if kind in options.patterns:
            environment.copy(options.patterns[kind])
        else:
            environment.load(_first_records(options, kind, base_uri))
        store.set_setting(_FILLED, "yes")
    sigels = _held_sigels(environment.catalogue) if options.load else ()
    for client in make_clients(_client_secrets(store), extra_sigels=sigels):
        environment.login.register(client)
    return environment


def make_clients(
    client_secrets: dict[str, str], *, extra_sigels: Iterable[str] = ()
) -> list[Client]:
    """Return the four clients that each environment knows."""
    names = {library.sigel: library.name for library in seed_layout.LIBRARIES}
    own = list(dict.fromkeys((*seed.SUPPLIER_SIGELS, *extra_sigels)))

    def permission(sigel: str, **flags: bool) -> Permission:
        return Permission(code=sigel, name=names.get(sigel, sigel), **flags)

    permissions = {
        "supplier": [permission(sigel, registrant=True) for sigel in own],
        "cataloguer": [permission(sigel, registrant=True, cataloger=True) for sigel in own],
        "global": [permission(seed.GLOBAL_SIGEL, global_registrant=True)],
        "other": [permission(seed.OTHER_SIGEL, registrant=True)],
    }
    return [
        Client(
            client_id=client_id,
            secret=client_secrets[client_id],
            permissions=tuple(permissions[client_id]),
        )
        for client_id in CLIENT_IDS
    ]


def client_secret(environment: Environment, client_id: str) -> str:
    """Return a client's secret, for the configuration that the sandbox writes."""
    return next(c.secret for c in environment.login.clients() if c.client_id == client_id)


def _client_secrets(store: Store) -> dict[str, str]:
    kept: dict[str, str] = json.loads(store.setting(_SECRETS) or "{}")
    known = {
        client_id: kept.get(client_id) or secrets.token_urlsafe(24) for client_id in CLIENT_IDS
    }
    if known != kept:
        store.set_setting(_SECRETS, json.dumps(known))
    return known


def _first_records(options: SandboxOptions, kind: str, base_uri: str) -> Iterator[_Loaded]:
    records: Iterator[SeedRecord]
    if options.load is not None:
        records = read_records(options.load, base_uri=base_uri)
    else:
        records = seed.seed_records(
            base_uri=base_uri,
            kind=kind,
            seed=options.seed,
            bibs=options.bibs,
            holdings=options.holdings,
        )
    for record in records:
        yield record.document, record.created, record.modified


def _held_sigels(catalogue: Catalogue) -> list[str]:
    pairs = {entry.pair[0] for entry in catalogue.entries() if entry.pair is not None}
    sigels = (documents.sigel_of_library(library) for library in pairs)
    return sorted(sigel for sigel in sigels if sigel)
