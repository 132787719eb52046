"""What the server will store of a document, as far as that is certain; fingerprints of content."""

# Left out, since it takes the server's own data: blank nodes that it links by label or code,
# aliases that it replaces by main IRIs, categories that others imply, old bib types that it
# converts.

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from bulkrunner.domain.canonical import canonical_bytes, digest
from bulkrunner.domain.iris import without_own_iri
from bulkrunner.domain.places import ABSENT, Path, path_text
from bulkrunner.domain.records import (
    WRITTEN_AT_CREATION,
    WRITTEN_AT_SAVE,
    Document,
    record_part,
    thing_part,
)
from bulkrunner.domain.stored_form import (
    BOM,
    IDENTIFIERS,
    NEVER_STORED,
    SPACELESS,
    Storage,
    composed,
    is_known,
    spelled,
    standard_number,
    trimmed,
)
from bulkrunner.sentences import Sentence
from bulkrunner.vocabulary import category, is_set

MAX_CLEANUPS = 50


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """The document as it will be stored."""

    document: Document
    cleanups: tuple[str, ...] = ()  # what the server changes by itself, as ``place: what``


def predict_stored(document: Document, *, declared: Iterable[Path] = ()) -> Prediction:
    """Return what the server will store of a document to be sent, which is left as it is."""
    # ``declared``: paths that the operation names; what the server changes there is no clean-up.
    work = _Work()
    sent = {key: value for key, value in document.items() if key != "@context"}
    stored = work.clean(sent, ())
    if not isinstance(stored, dict):
        stored = {}
    work.move_work_part(stored)
    work.type_identifiers(thing_part(stored))
    work.standard_numbers(thing_part(stored))
    work.tidy_parts(stored)
    work.point_to_thing(stored)
    work.announce_old_type(stored)
    return Prediction(document=stored, cleanups=work.cleanups(frozenset(declared)))


class _Work:
    """One prediction: takes steps in the server's order and notes what they changed."""

    def __init__(self) -> None:
        self._notes: list[tuple[Path, Sentence]] = []

    def cleanups(self, declared: frozenset[Path]) -> tuple[Sentence, ...]:
        """Return the notes outside the declared paths as text."""
        lines = [
            Sentence("cleanup", place=path_text(path), what=what)
            for path, what in self._notes
            if not any(path[:length] in declared for length in range(len(path) + 1))
        ]
        lines = list(dict.fromkeys(lines))
        if len(lines) > MAX_CLEANUPS:
            lines[MAX_CLEANUPS:] = [Sentence("cleanups_more", count=len(lines) - MAX_CLEANUPS)]
        return tuple(lines)

    def _note(self, path: Path, what: Sentence) -> None:
        self._notes.append((path, what))

    # --- strings, nulls, what is never stored ---

    def clean(self, value: Any, path: Path) -> Any:
        """Return a copy of the value with clean strings and without nulls; may be ``ABSENT``."""
        match value:
            case str():
                return self._clean_text(value, path)
            case None:
                self._note(path, Sentence("tidied_null"))
                return ABSENT
            case dict():
                return self._clean_object(value, path)
            case list():
                items = [self.clean(item, (*path, index)) for index, item in enumerate(value)]
                kept = [item for item in items if item is not ABSENT]
                return ABSENT if value and not kept else kept
        return value

    def _clean_object(self, value: dict[str, Any], path: Path) -> Any:
        kept: dict[str, Any] = {}
        emptied = held = False
        for key, inner in value.items():
            if key in NEVER_STORED:
                self._note((*path, key), Sentence("tidied_never_stored"))
                # It goes after the nulls have gone, and so the object stays where it stood.
                gone = _Work().clean(inner, ()) is ABSENT
                emptied, held = emptied or gone, held or not gone
                continue
            cleaned = self.clean(inner, (*path, key))
            if cleaned is ABSENT:
                emptied = True
            else:
                kept[key] = cleaned
        return ABSENT if emptied and not kept and not held else kept

    def _clean_text(self, text: str, path: Path) -> str:
        found = text
        if not text.isascii():
            found = composed(text)
            if found != text:
                self._note(path, Sentence("tidied_composed"))
            stored = spelled(text)
            if stored != found.replace(BOM, ""):
                self._note(path, Sentence("tidied_ligatures"))
            if BOM in found:
                self._note(path, Sentence("tidied_invisible"))
            found = stored
        ends = trimmed(found)
        if ends != found:
            self._note(path, Sentence("tidied_ends"))
        return ends

    # --- the thing's parts ---

    def move_work_part(self, document: Document) -> None:
        """Put a work that stands as graph[2] into the instance."""
        graph = document.get("@graph")
        thing = thing_part(document)
        if not isinstance(graph, list) or len(graph) < 3 or not isinstance(graph[2], dict):
            return
        work = graph[2]
        if "@id" in work and thing.get("instanceOf") == {"@id": work["@id"]}:
            thing["instanceOf"] = {key: value for key, value in work.items() if key != "@id"}
            del graph[2]
            self._note(("@graph", 1, "instanceOf"), Sentence("tidied_work"))

    def type_identifiers(self, thing: dict[str, Any]) -> None:
        """Make ISNI and ORCID notes types, and take the blanks out of their values."""
        for identifier, path in _nodes(thing, "identifiedBy"):
            note = identifier.get("typeNote")
            if isinstance(note, str) and note.upper() in SPACELESS:
                identifier["@type"] = note.upper()
                del identifier["typeNote"]
                self._note(path, Sentence("tidied_type_note"))
            if identifier.get("@type") in SPACELESS:
                self._rewrite(identifier, path)

    def standard_numbers(self, thing: dict[str, Any]) -> None:
        """Take hyphens out of ISBNs; ISBN and ISSN in upper case."""
        for name in IDENTIFIERS:
            for identifier, path in _nodes(thing, name):
                if identifier.get("@type") not in SPACELESS:
                    self._rewrite(identifier, path)

    def _rewrite(self, node: dict[str, Any], path: Path) -> None:
        value = node.get("value")
        if isinstance(value, str) and (new := standard_number(node.get("@type"), value)) != value:
            node["value"] = new
            self._note((*path, "value"), Sentence("tidied_number"))

    # --- links ---

    def tidy_parts(self, document: Document) -> None:
        """Reduce nodes with an id and other data to what the server keeps of them."""
        bases = Storage.of(document).bases
        for index, part in ((0, record_part(document)), (1, thing_part(document))):
            for key, value in part.items():
                if key not in {"sameAs", "mainEntity"}:
                    part[key] = self._tidy(value, ("@graph", index, key), bases)

    def _tidy(self, value: Any, path: Path, bases: tuple[str, ...]) -> Any:
        if isinstance(value, list):
            return [self._tidy(item, (*path, index), bases) for index, item in enumerate(value)]
        if not isinstance(value, dict):
            return value
        iri = value.get("@id")
        if isinstance(iri, str) and len(value) > 1:
            if is_known(iri, bases):
                self._note(path, Sentence("tidied_link"))
                return {"@id": iri}
            self._note(path, Sentence("tidied_unknown_id"))
            value = _with_alias({key: item for key, item in value.items() if key != "@id"}, iri)
        return {
            key: inner if key == "sameAs" else self._tidy(inner, (*path, key), bases)
            for key, inner in value.items()
        }

    def point_to_thing(self, document: Document) -> None:
        """Make mainEntity a link to the thing."""
        record, iri = record_part(document), thing_part(document).get("@id")
        if record and isinstance(iri, str) and record.get("mainEntity") != {"@id": iri}:
            record["mainEntity"] = {"@id": iri}
            self._note(("@graph", 0, "mainEntity"), Sentence("tidied_main_entity"))

    def announce_old_type(self, document: Document) -> None:
        """Note a bib type that the server converts in a way not foretold here."""
        name = thing_part(document).get("@type")
        if isinstance(name, str) and "pending" in category(name):
            self._note(("@graph", 1, "@type"), Sentence("tidied_type", type=name))


def _nodes(thing: dict[str, Any], name: str) -> Iterable[tuple[dict[str, Any], Path]]:
    value = thing.get(name)
    path: Path = ("@graph", 1, name)
    if isinstance(value, dict):
        yield value, path
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict):
                yield item, (*path, index)


def _with_alias(node: dict[str, Any], iri: str) -> dict[str, Any]:
    same = node.get("sameAs", [])
    return {**node, "sameAs": [*(same if isinstance(same, list) else [same]), {"@id": iri}]}


SELF = "self:"  # stands for a new record's own IRI, which nobody knows beforehand


# The server's own fields are left out. Lists of properties that are ``@set`` in the vocabulary
# compare without order; a single value and a list of one do not compare equal, since both are
# stored as sent.


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
