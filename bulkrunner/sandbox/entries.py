"""The records of one environment: versions, who is called what, who links to whom."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner.sandbox import documents
from bulkrunner.sandbox.documents import Document, checksum
from bulkrunner.sandbox.store import Store, Version
from bulkrunner.sandbox.wire import server_time, to_millisecond

_WEAK_RELATIONS = ("concerning", "meta.derivedFrom", "hasTitle.source", "bulk:changeSpec")
_WEAK_ENDINGS = (".hasTitle.source",)
_BATCH = 2000
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class UnstorableError(ValueError):
    """The database would not take the document."""


class NameKind(Enum):
    """What an IRI is to its record."""

    RECORD = "record"
    THING = "thing"
    RECORD_ALIAS = "record_alias"
    THING_ALIAS = "thing_alias"


@dataclass(frozen=True, slots=True)
class Name:
    """An IRI's owner."""

    short_id: str
    kind: NameKind


@dataclass(eq=False)
class Entry:
    """One record with all its versions."""

    short_id: str
    versions: list[Version] = field(default_factory=list)
    names: dict[str, NameKind] = field(default_factory=dict)
    links: frozenset[tuple[str, str]] = frozenset()
    pair: tuple[str, str] | None = None
    collection: str = "none"

    @property
    def newest(self) -> Version:
        """Return the newest version, a tombstone where the record is deleted."""
        return self.versions[-1]

    @property
    def deleted(self) -> bool:
        """Whether the record is deleted."""
        return self.newest.deleted

    def document(self, version: Version | None = None) -> Document:
        """Parse a version's document, by default the newest."""
        parsed: Document = json.loads((version or self.newest).body)
        return parsed

    def main_iri(self, kind: NameKind) -> str | None:
        """Return the record's or the thing's main IRI."""
        return next((iri for iri, own in self.names.items() if own is kind), None)

    @cached_property
    def record_iri(self) -> str:
        """The record's main IRI; it never changes."""
        return documents.text(documents.node(self.document(), 0), "@id") or self.short_id


class Catalogue:
    """Holds records and their indexes; knows no rights and no HTTP."""

    def __init__(self, store: Store, zone: ZoneInfo, *, on_change: Callable[[str], None]) -> None:
        """Take up what the store holds; of later changes ``on_change`` is told."""
        self._store = store
        self._zone = zone
        self._on_change = on_change
        self._entries: dict[str, Entry] = {}
        self._names: dict[str, Name] = {}
        self._links_to: dict[str, set[tuple[str, str]]] = {}
        self._pairs: dict[tuple[str, str], set[str]] = {}
        self._checksums: dict[tuple[str, int], str] = {}
        self._restore()

    # Reading

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, short_id: str) -> Entry | None:
        """Return a record by its short id, deleted ones too."""
        return self._entries.get(short_id)

    def entries(self) -> Iterator[Entry]:
        """Yield every record, deleted ones too."""
        return iter(list(self._entries.values()))

    def name(self, iri: str) -> Name | None:
        return self._names.get(iri)

    def owner(self, iri: str) -> Entry | None:
        """Return the live record that an IRI names in any way."""
        name = self._names.get(iri)
        entry = self._entries[name.short_id] if name else None
        return entry if entry is not None and not entry.deleted else None

    def resolve(self, iri: str) -> str | None:
        """Return the main IRI that an IRI stands for, or None where no live record has it."""
        name = self._names.get(iri)
        if name is None or self._entries[name.short_id].deleted:
            return None
        return self.main_iri(name)

    def main_iri(self, name: Name) -> str | None:
        """Return the main IRI of what a name stands for."""
        thing = name.kind in (NameKind.THING, NameKind.THING_ALIAS)
        return self._entries[name.short_id].main_iri(NameKind.THING if thing else NameKind.RECORD)

    def etag(self, entry: Entry, version: Version | None = None) -> str:
        """Return the plain checksum of a version."""
        version = version or entry.newest
        key = (entry.short_id, version.number)
        if key not in self._checksums:
            self._checksums[key] = checksum(entry.document(version))
        return self._checksums[key]

    def holdings_with(self, pair: tuple[str, str]) -> list[str]:
        """Return short ids of the live holdings with this heldBy and itemOf."""
        return sorted(self._pairs.get(pair, ()))

    def linked_from(self, short_id: str) -> list[tuple[str, str]]:
        """Return (short id, relation) of the live records that link to this one."""
        return sorted(
            (source, relation)
            for source, relation in self._links_to.get(short_id, ())
            if source != short_id
        )

    def blocking(self, short_id: str) -> list[str]:
        """Return short ids of the records whose links forbid a delete."""
        return sorted(
            {source for source, relation in self.linked_from(short_id) if not _is_weak(relation)}
        )

    # Writing

    def load(self, records: Iterable[tuple[Document, datetime, datetime]]) -> int:
        """Put records in as they are; returns how many."""
        fresh: list[tuple[Entry, Document]] = []
        batch: list[Version] = []
        for document, created, modified in records:
            version = _version_of(document, created, modified, self._zone)
            entry = Entry(version.short_id, [version])
            if version.short_id in self._entries:
                raise ValueError(f"Record {version.short_id} is there already.")
            self._entries[version.short_id] = entry
            self._take_names(entry, document)
            fresh.append((entry, document))
            batch.append(version)
            if len(batch) >= _BATCH:
                self._store.append(batch)
                batch = []
        self._store.append(batch)
        for entry, document in fresh:
            self._take_links(entry, document)
            self._on_change(entry.short_id)
        return len(fresh)

    def copy(self, other: Catalogue, *, old_base: str, new_base: str) -> None:
        """Fill an empty catalogue with all that another holds, moved to another base URI."""
        old, new = old_base.encode(), new_base.encode()
        for entry in other.entries():
            self._entries[entry.short_id] = Entry(
                entry.short_id,
                [replace(kept, body=kept.body.replace(old, new)) for kept in entry.versions],
                {iri.replace(old_base, new_base): kind for iri, kind in entry.names.items()},
                entry.links,
                entry.pair and _moved(entry.pair, old_base, new_base),
                entry.collection,
            )
        self._names = {iri.replace(old_base, new_base): name for iri, name in other._names.items()}
        self._links_to = {target: set(found) for target, found in other._links_to.items()}
        self._pairs = {
            _moved(pair, old_base, new_base): set(found) for pair, found in other._pairs.items()
        }
        self._store.append(kept for entry in self._entries.values() for kept in entry.versions)

    def put(
        self,
        short_id: str,
        document: Document,
        *,
        now: datetime,
        deleted: bool = False,
        sigel: str | None = None,
        client: str | None = None,
    ) -> Entry:
        """Store a new version; the document is taken over as it is but for the server's times."""
        entry = self._entries.get(short_id)
        now = to_millisecond(now)
        if entry is None:
            entry, created, number = Entry(short_id), now, 0
        else:
            created, number = entry.newest.created, entry.newest.number + 1
            now = max(now, entry.newest.modified + timedelta(milliseconds=1))
        version = Version(
            short_id=short_id,
            number=number,
            body=_body(document, created, now, self._zone, deleted=deleted),
            created=created,
            modified=now,
            deleted=deleted,
            sigel=sigel,
            client=client,
        )
        self._store.append([version])
        self._forget(entry)
        entry.versions.append(version)
        self._entries[short_id] = entry
        if deleted:
            self._keep_record_iri(entry, document)
        else:
            self._take_names(entry, document)
            self._take_links(entry, document)
        self._on_change(short_id)
        return entry

    # Indexes

    def _restore(self) -> None:
        for version in self._store.versions():
            self._entries.setdefault(version.short_id, Entry(version.short_id)).versions.append(
                version
            )
        live: list[Entry] = []
        for entry in self._entries.values():
            document = entry.document()
            if entry.deleted:
                self._keep_record_iri(entry, document)
            else:
                self._take_names(entry, document)
                live.append(entry)
        for entry in live:
            self._take_links(entry, entry.document())

    def _take_names(self, entry: Entry, document: Document) -> None:
        entry.collection = documents.collection(document)
        entry.names = dict(names_in(document))
        for iri, kind in entry.names.items():
            taken = self._names.get(iri)
            if taken is None or kind in (NameKind.RECORD, NameKind.THING):
                self._names[iri] = Name(entry.short_id, kind)
        entry.pair = documents.holding_pair(document)
        if entry.pair:
            self._pairs.setdefault(entry.pair, set()).add(entry.short_id)

    def _keep_record_iri(self, entry: Entry, document: Document) -> None:
        entry.collection = documents.collection(document)
        iri = documents.text(documents.node(document, 0), "@id") or entry.short_id
        entry.names = {iri: NameKind.RECORD}
        self._names[iri] = Name(entry.short_id, NameKind.RECORD)

    def _take_links(self, entry: Entry, document: Document) -> None:
        found = set()
        for relation, iri in documents.links(document):
            name = self._names.get(iri)
            if name is not None and name.short_id != entry.short_id:
                found.add((relation, name.short_id))
                self._links_to.setdefault(name.short_id, set()).add((entry.short_id, relation))
        entry.links = frozenset(found)

    def _forget(self, entry: Entry) -> None:
        for iri in entry.names:
            name = self._names.get(iri)
            if name is not None and name.short_id == entry.short_id:
                del self._names[iri]
        for relation, target in entry.links:
            self._links_to[target].discard((entry.short_id, relation))
        if entry.pair:
            self._pairs[entry.pair].discard(entry.short_id)
        entry.names, entry.links, entry.pair = {}, frozenset(), None


def _moved(pair: tuple[str, str], old_base: str, new_base: str) -> tuple[str, str]:
    held_by, item_of = pair
    return held_by.replace(old_base, new_base), item_of.replace(old_base, new_base)


def names_in(document: Document) -> Iterator[tuple[str, NameKind]]:
    """Yield every IRI that a document claims, main ones last so that they win."""
    record, thing = documents.node(document, 0), documents.node(document, 1)
    for iri in documents.aliases(record):
        yield iri, NameKind.RECORD_ALIAS
    for iri in documents.aliases(thing):
        yield iri, NameKind.THING_ALIAS
    thing_iri, record_iri = documents.text(thing, "@id"), documents.text(record, "@id")
    if thing_iri:
        yield thing_iri, NameKind.THING
    if record_iri:
        yield record_iri, NameKind.RECORD


def short_id_of(record_iri: str) -> str:
    """Return the last segment of a record IRI."""
    return record_iri.rsplit("/", 1)[-1]


def _version_of(
    document: Document, created: datetime, modified: datetime, zone: ZoneInfo
) -> Version:
    iri = documents.text(documents.node(document, 0), "@id")
    if not iri:
        raise ValueError("A record without @id cannot be loaded.")
    created, modified = to_millisecond(created), to_millisecond(modified)
    return Version(
        short_id=short_id_of(iri),
        number=0,
        body=_body(document, created, modified, zone, deleted=False),
        created=created,
        modified=modified,
        sigel=documents.sigel_of_library(
            documents.link(documents.node(document, 0), "descriptionLastModifier")
        ),
    )


def _body(
    document: Document, created: datetime, modified: datetime, zone: ZoneInfo, *, deleted: bool
) -> bytes:
    """Write the document with the server's own fields in it, keys in the database's order."""
    record = {
        **documents.node(document, 0),
        "created": server_time(created, zone),
        "modified": server_time(modified, zone),
        "recordStatus": documents.DELETED if deleted else _status(created, modified),
    }
    graph = [record, *document["@graph"][1:]]
    ordered = _in_database_order({**document, "@graph": graph})
    text = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    if "\\u0000" in text and _NUL.search(text):
        raise UnstorableError("The database keeps no NUL character.")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise UnstorableError("The database keeps no half of a surrogate pair.") from error


def _status(created: datetime, modified: datetime) -> str:
    return "marc:New" if created == modified else "marc:CorrectedOrRevised"


def _in_database_order(value: Any) -> Any:
    """Return the value with the keys of its objects by length, those of one length by name."""
    if isinstance(value, dict):
        return {key: _in_database_order(value[key]) for key in sorted(sorted(value), key=len)}
    if isinstance(value, list):
        return [_in_database_order(item) for item in value]
    return value


def _is_weak(relation: str) -> bool:
    return (
        relation in _WEAK_RELATIONS
        or relation.startswith("bulk:changeSpec.")
        or relation.endswith(_WEAK_ENDINGS)
    )
