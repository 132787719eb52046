"""The two environments of a sandbox, test and production, filled and with their clients."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from bulkrunner.sandbox import documents, seed
from bulkrunner.sandbox.accounts import Client, Permission
from bulkrunner.sandbox.engine import Environment
from bulkrunner.sandbox.entries import Catalogue
from bulkrunner.sandbox.load import read_records
from bulkrunner.sandbox.seed import BIBS, DEFAULT_SEED, HOLDINGS
from bulkrunner.sandbox.store import MemoryStore, SqliteStore, Store
from bulkrunner.sandbox.wire import Clock, Settings

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
    base_uris: dict[str, str] = field(default_factory=dict)
    """Base URI by kind, where it is not to be the address that is served."""
    patterns: dict[str, Environment] = field(default_factory=dict)
    """By kind an environment whose records are copied; quicker than to make the same again."""
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
    names = {library.sigel: library.name for library in seed.LIBRARIES}
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
    records: Iterator[seed.SeedRecord]
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
