"""Read records from files, so that a sandbox can start with them.

Accepted: JSON Lines, a JSON file with one record or a list of them, or a folder of such files. A
record is ``{"@graph": [record, thing]}``. Ids get the environment's base; records without an id of
today's kind get a lasting one; bibs and libraries that holdings need and that no file has are added.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from bulkrunner import vocabulary
from bulkrunner.sandbox import documents, seed_layout
from bulkrunner.sandbox.documents import ALPHABET, LIBRARY_BASE
from bulkrunner.sandbox.seed_documents import LEGACY_BASE, SeedRecord, Writer
from bulkrunner.sandbox.seed_layout import short_id

Node = dict[str, Any]

_LINES = frozenset({".jsonl", ".ndjson", ".jsonlines"})
_WHOLE = frozenset({".json", ".jsonld"})
_KB_BASES = tuple(f"https://libris{part}.kb.se/" for part in ("", "-stg", "-qa", "-edu"))
_OWN_ID = re.compile(rf"(https?://[^/?#]+/)([{ALPHABET}]{{15,16}})(#[^#]*)?")
_LEGACY_BIB = re.compile(re.escape(LEGACY_BASE) + r"(?:resource/)?bib/(\w+)")
_LINKS_ONLY = frozenset({"itemOf", "heldBy", "mainEntity"})
_UNDATED = datetime(2020, 1, 1, tzinfo=ZoneInfo("Europe/Stockholm"))


class LoadError(ValueError):
    """A file cannot be read as records; says which file and line."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A record in a file: graph[0] and graph[1], and where it stands."""

    place: str
    name: str
    graph: list[Node]


@dataclass(kw_only=True)
class _Index:
    """What the files are about: gathered before the first record is handed out."""

    bases: set[str]
    seen: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    things: set[str] = field(default_factory=set)
    wanted: dict[str, None] = field(default_factory=dict)
    sigels: dict[str, None] = field(default_factory=dict)


def read_records(path: Path, *, base_uri: str) -> Iterator[SeedRecord]:
    """Yield the records of a file or folder, with ids on ``base_uri``: libraries, bibs added, the rest.

    Raises:
        LoadError: a file or line is not what it should be; nothing has been yielded then.
    """
    files = _files(path)
    index = _Index(bases={base_uri, *_KB_BASES})
    for found in _all(files):
        _note_base(found, index)
    for found in _all(files):
        _note(found, index, base_uri)
    writer = Writer(base_uri=base_uri, seed=0, outdated=False)
    known = {library.sigel: library for library in seed_layout.LIBRARIES}
    for sigel in index.sigels:
        unnamed = seed_layout.Library(sigel=sigel, name=f"Bibliotek {sigel}", share=0)
        yield writer.library(known.get(sigel, unnamed))
    yield from _stubs(index, base_uri)
    taken: set[str] = set()
    for found in _all(files):
        yield _Rewriter(found, index, base_uri).record(taken)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.is_file():
            raise LoadError(f"{path}: there is no such file or folder")
        return [path]
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in _LINES | _WHOLE and p.is_file())
    if not files:
        raise LoadError(f"{path}: no .jsonl, .json or .jsonld file in this folder")
    return files


def _all(files: list[Path]) -> Iterator[_Found]:
    for file in files:
        for ordinal, (place, value) in enumerate(_values(file)):
            graph = _graph(place, value)
            if graph is not None:
                yield _Found(place=place, name=f"{file.name}/{ordinal}", graph=graph)


def _values(file: Path) -> Iterator[tuple[str, Any]]:
    if file.suffix.lower() in _WHOLE:
        value = _parse(str(file), file.read_bytes())
        for number, entry in enumerate(value if isinstance(value, list) else [value], start=1):
            yield (f"{file}, entry {number}" if isinstance(value, list) else str(file)), entry
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield f"{file}:{number}", _parse(f"{file}:{number}", line)


def _parse(place: str, content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise LoadError(f"{place}: not JSON ({error})") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _graph(place: str, value: Any) -> list[Node] | None:
    """Return record and thing, or nothing for a line that only holds a context."""
    if not isinstance(value, dict):
        raise LoadError(f"{place}: a record is a JSON object")
    if set(value) == {"@context"} or set(value) == {"@id", "@context"}:
        return None
    graph = value.get("@graph")
    if not isinstance(graph, list) or len(graph) < 2 or not all(isinstance(x, dict) for x in graph):
        raise LoadError(f"{place}: a record needs a @graph of at least two objects")
    record, thing = graph[0], graph[1]
    for node in (record, thing):
        if not isinstance(node.get("@id"), str) or not node["@id"]:
            raise LoadError(f"{place}: record and thing need an @id")
    return [record, thing]


def _note_base(found: _Found, index: _Index) -> None:
    own = _OWN_ID.fullmatch(found.graph[0]["@id"])
    if own:
        index.bases.add(own[1])


def _identity(found: _Found, base_uri: str) -> tuple[str, str]:
    """Return the record's and the thing's id in this environment."""
    record, thing = found.graph
    own = _OWN_ID.fullmatch(record["@id"])
    if own and not own[3]:
        identifier = own[2]
    elif "://" in record["@id"]:
        identifier = short_id("loaded", record["@id"])
    else:
        content = json.dumps(found.graph, sort_keys=True, ensure_ascii=False)
        identifier = short_id("loaded", found.name, content)
    record_id = base_uri + identifier
    old: str = thing["@id"]
    if old.startswith(record["@id"]) and old != record["@id"]:
        return record_id, record_id + old[len(record["@id"]) :]
    if old.startswith(LEGACY_BASE + "resource/") or "://" not in old:
        return record_id, record_id + "#it"
    return record_id, old


def _note(found: _Found, index: _Index, base_uri: str) -> None:
    record, thing = found.graph
    record_id, thing_id = _identity(found, base_uri)
    if record_id in index.seen:
        raise LoadError(f"{found.place}: the same record stands in {index.seen[record_id]}")
    index.seen[record_id] = found.place
    index.things.add(thing_id)
    for node, main in ((record, record_id), (thing, thing_id)):
        for iri in (node["@id"], *documents.aliases(node)):
            if "://" in iri:
                index.aliases.setdefault(iri, main)
    if _collection(thing) == "hold":
        target = documents.link(thing, "itemOf")
        if target is not None:
            index.wanted.setdefault(target)
    _note_sigels(found.graph, index)
    if isinstance(thing.get("sigel"), str):
        index.sigels.pop(thing["sigel"], None)


def _collection(thing: Node) -> str | None:
    kind = thing.get("@type")
    return vocabulary.collection(kind) if isinstance(kind, str) else None


def _note_sigels(value: Any, index: _Index) -> None:
    if isinstance(value, list):
        for element in value:
            _note_sigels(element, index)
    elif isinstance(value, dict):
        iri = value.get("@id")
        sigel = documents.sigel_of_library(iri)
        if sigel and "/" not in sigel and iri not in index.things:
            index.sigels.setdefault(sigel)
        for element in value.values():
            _note_sigels(element, index)


def _stubs(index: _Index, base_uri: str) -> Iterator[SeedRecord]:
    """Yield a bib with a title only for each that a holding names and no file has."""
    for target in index.wanted:
        legacy = _LEGACY_BIB.fullmatch(target)
        own = _OWN_ID.fullmatch(target)
        if target in index.aliases:
            continue
        if legacy:
            number = legacy[1]
            main = base_uri + short_id("loaded", f"{LEGACY_BASE}bib/{number}")
            index.aliases[f"{LEGACY_BASE}bib/{number}"] = main
            index.aliases[f"{LEGACY_BASE}resource/bib/{number}"] = main + "#it"
        elif own and own[1] in index.bases:
            number, main = own[2], base_uri + own[2]
        else:
            continue
        if main in index.seen:
            continue
        index.seen[main] = "added"
        yield _stub(main, number, is_legacy=legacy is not None)


def _stub(main: str, number: str, *, is_legacy: bool) -> SeedRecord:
    stamp = _UNDATED.isoformat(timespec="milliseconds")
    record: Node = {
        "@id": main,
        "@type": "Record",
        "mainEntity": {"@id": main + "#it"},
        "controlNumber": number if is_legacy else main.rpartition("/")[2],
        "created": stamp,
        "modified": stamp,
        "recordStatus": "marc:New",
    }
    thing: Node = {
        "@id": main + "#it",
        "@type": "PhysicalResource",
        "hasTitle": [{"@type": "Title", "mainTitle": f"[Titel saknas: {number}]"}],
        "instanceOf": {"@type": "Monograph"},
    }
    if is_legacy:
        record["sameAs"] = [{"@id": f"{LEGACY_BASE}bib/{number}"}]
        thing["sameAs"] = [{"@id": f"{LEGACY_BASE}resource/bib/{number}"}]
    return SeedRecord(document={"@graph": [record, thing]}, created=_UNDATED, modified=_UNDATED)


def _times(found: _Found) -> tuple[datetime, datetime]:
    """Return when the record was created and modified."""
    created = _moment(found, "created", _UNDATED)
    return created, _moment(found, "modified", created)


def _moment(found: _Found, key: str, default: datetime) -> datetime:
    value = found.graph[0].get(key)
    if not isinstance(value, str):
        return default
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return default  # very old records have dates such as 730000
    return moment if moment.tzinfo else moment.replace(tzinfo=_UNDATED.tzinfo)


class _Rewriter:
    """Gives one record its ids and links in this environment."""

    def __init__(self, found: _Found, index: _Index, base_uri: str) -> None:
        self._found = found
        self._index = index
        self._base = base_uri
        self._old = [node["@id"] for node in found.graph]
        self._new = _identity(found, base_uri)

    def record(self, taken: set[str]) -> SeedRecord:
        """Return the record; ids in ``taken`` belong to others and are left out of sameAs."""
        nodes = [self._node(node, own=True) for node in self._found.graph]
        for node, new, old in zip(nodes, self._new, self._old, strict=True):
            node["@id"] = new
            wanted = [*documents.aliases(node), *([old] if old.startswith(LEGACY_BASE) else [])]
            free = [iri for iri in dict.fromkeys(wanted) if iri != new and iri not in taken]
            taken.update(free)
            node.pop("sameAs", None)
            if free:
                node["sameAs"] = [{"@id": iri} for iri in free]
        record, thing = nodes
        record["mainEntity"] = {"@id": thing["@id"]}
        if not isinstance(record.get("controlNumber"), str):
            record["controlNumber"] = record["@id"].removeprefix(self._base)
        created, modified = _times(self._found)
        record["created"] = created.isoformat(timespec="milliseconds")
        record["modified"] = modified.isoformat(timespec="milliseconds")
        record["recordStatus"] = "marc:New" if created == modified else "marc:CorrectedOrRevised"
        return SeedRecord(document={"@graph": nodes}, created=created, modified=modified)

    def _node(self, node: Node, *, own: bool = False) -> Node:
        result: Node = {}
        for key, value in node.items():
            if key == "@context":
                continue
            result[key] = value if key == "sameAs" and own else self._value(key, value)
        return result

    def _value(self, key: str, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(key, element) for element in value]
        if not isinstance(value, dict):
            return value
        if not isinstance(value.get("@id"), str):
            return self._node(value)
        iri, is_known = self._iri(value["@id"])
        rest = {k: v for k, v in value.items() if k != "@id"}
        if not rest or is_known or key in _LINKS_ONLY:
            return {"@id": iri}
        node = self._node(rest)
        node["sameAs"] = [*node.get("sameAs", []), {"@id": iri}]
        return node

    def _iri(self, iri: str) -> tuple[str, bool]:
        """Return the link as it is in this environment, and whether it is known to lead somewhere."""
        for old, new in zip(reversed(self._old), reversed(self._new), strict=True):
            if iri == old or ("://" not in old and iri.startswith(old)):
                return new + iri[len(old) :], True
        if iri in self._index.aliases:
            return self._index.aliases[iri], True
        own = _OWN_ID.fullmatch(iri)
        if own and own[1] in self._index.bases:
            return f"{self._base}{own[2]}{own[3] or ''}", True
        return iri, iri.startswith(LIBRARY_BASE)
