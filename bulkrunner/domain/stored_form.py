"""What the server will store of a value, in the kind that its place has."""

# Whatever writes a value or compares one goes by this: texts are composed and freed of blanks at
# their ends, a node with a known ``@id`` is a link, standard numbers are written in one way; and a
# number, a text or a truth value becomes what stands at its place already, else what the vocabulary
# says of it.

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from bulkrunner.domain.canonical import canonical_bytes, listed
from bulkrunner.domain.iris import NEUTRAL, SHORT_ID
from bulkrunner.domain.places import ABSENT, Path, inner_of, path_text, value_of
from bulkrunner.domain.records import Document, item_of, record_part, sigel_of_iri
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.text import visible
from bulkrunner.sentences import Sentence, verbatim
from bulkrunner.vocabulary import is_object_property, is_vocab_typed, literal_kind

NEVER_STORED: Final = frozenset({"@reverse", "computedLabel", "_categoryByCollection"})
BOM = "\ufeff"
BLANKS: Final = "\t \u00a0\u1680\u202f\u205f\u3000\u2060" + "".join(map(chr, range(0x2000, 0x200B)))
LIGATURES: Final = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
IDENTIFIERS = ("identifiedBy", "indirectlyIdentifiedBy")
SPACELESS = ("ISNI", "ORCID")

_SPELLED_OUT = str.maketrans(LIGATURES)
_ENDS = BLANKS + "\r\n"
_TERMS = "https://id.kb.se/"
# Classes of nodes that the server links by their code, and the folder of their addresses.
_BY_CODE: Final = {"Language": "language", "Country": "country"}

_STANDARD_NUMBER = re.compile(r"[0-9][0-9-]{7,15}[0-9Xx]")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")
_SHOWN = 40

Plain: TypeAlias = str | int | float  # a text, a number or a truth value


# --- texts -------------------------------------------------------------------------------------


def composed(text: str) -> str:
    """Return the text in Unicode's composed form (NFC)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def spelled(text: str) -> str:
    """Return the text composed, ligatures spelled out, U+FEFF left out."""
    return text if text.isascii() else composed(text).translate(_SPELLED_OUT).replace(BOM, "")


def trimmed(text: str) -> str:
    """Return the text without blanks, word joiners and line breaks at its ends."""
    # A single blank stays.
    return text if text == " " else text.lstrip(BLANKS).rstrip(_ENDS)


def stored_text(text: str) -> str:
    """Return the text as the server stores it."""
    return trimmed(spelled(text))


def standard_number(kind: Any, text: str) -> str:
    """Return the value of an identifier of a class as the server stores it."""
    match kind:
        case "ISBN":
            return text.replace("-", "").upper()
        case "ISSN":
            return text.upper()
        case "ISNI" | "ORCID":
            return text.replace(" ", "")
    return text


def is_known(iri: Any, bases: Sequence[str] = ()) -> bool:
    """Return True if the server surely, or almost surely, has a record of a node's IRI."""
    # The IRI may be one without an environment's base; ``bases`` are the environment's.
    if not isinstance(iri, str):
        return False
    if sigel_of_iri(iri) is not None or iri.startswith(_TERMS):
        return True
    short = iri.removesuffix("#it")
    return any(
        short.startswith(base) and SHORT_ID.fullmatch(short, len(base)) is not None
        for base in (NEUTRAL, *bases)
    )


def is_link(value: Any, bases: Sequence[str] = ()) -> bool:
    """Return True if a node is a link, or the server will make it one."""
    return isinstance(value, dict) and (
        value.keys() == {"@id"} or is_known(value.get("@id"), bases)
    )


# --- comparing ---------------------------------------------------------------------------------


def only_of(value: Any) -> Any:
    """Return the value of a list of one, at any depth; any other as it is."""
    while isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value


def comparable(value: Any, key: str = "") -> bytes:
    """Return what is equal for values that the server stores alike, kinds left out of account."""
    # Record IRIs are without a base; a list of one counts as its value, at any depth. ``key``: of
    # the place; at ``value`` standard numbers are compared without hyphens.
    value = only_of(value)
    if key == "value" and isinstance(value, str) and _STANDARD_NUMBER.fullmatch(value.strip()):
        value = value.replace("-", "").upper()
    return canonical_bytes(_plain(value))


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {key: _plain(inner) for key, inner in tidied_node(value).items()}
        case list():
            kept = [item for item in value if item is not None]
            return _plain(kept[0]) if len(kept) == 1 else [_plain(item) for item in kept]
        case float() if value.is_integer():
            return in_words(int(value))
        case None | bool() | int() | float() | str():
            return None if value is None else stored_text(in_words(value))
    return value


def tidied_node(node: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a node as the server has it: a link where it makes one, standard numbers its way."""
    iri = node.get("@id")
    if len(node) > 1 and is_known(iri):
        return {"@id": iri}
    if (link := _link_by_code(node)) is not None:
        return {"@id": link}
    kept = {
        key: inner for key, inner in node.items() if inner is not None and key not in NEVER_STORED
    }
    note = kept.get("typeNote")
    if isinstance(note, str) and note.upper() in SPACELESS:
        kept = {key: inner for key, inner in kept.items() if key != "typeNote"}
        kept["@type"] = note.upper()
    text = kept.get("value")
    if isinstance(text, str):
        kept["value"] = standard_number(kept.get("@type"), stored_text(text))
    return kept


def _link_by_code(node: Mapping[str, Any]) -> str | None:
    folder, code = _BY_CODE.get(str(node.get("@type"))), node.get("code")
    code = only_of(code)
    if folder is None or "@id" in node or not isinstance(code, str) or not code.isalpha():
        return None
    return f"{_TERMS}{folder}/{code}"


def linked(value: Any) -> Any:
    """Return the value with the nodes that the server links by their code as these links."""
    match value:
        case dict():
            link = _link_by_code(value)
            return {"@id": link} if link else {key: linked(inner) for key, inner in value.items()}
        case list():
            return [linked(item) for item in value]
    return value


def in_words(value: Any) -> str:
    """Return a text as it is; a number or a truth value as JSON writes it."""
    return value if isinstance(value, str) else json.dumps(value)


# --- writing -----------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Storage:
    """Puts values into the form in which one record will have them."""

    document: Document  # the record
    bases: tuple[str, ...] = ()  # of the environment, by which links to records are known
    # The values come from records: they keep their kind, and what the server takes away of them is
    # no fault of who moves them.
    from_records: bool = False

    @classmethod
    def of(cls, document: Document, *, from_records: bool = False) -> Storage:
        """Return the storage of a record."""
        # A new record's own id is a stand-in; its bib then tells the environment's base.
        names = (record_part(document).get("@id"), item_of(document))
        bases = tuple(iri[: iri.rfind("/") + 1] for iri in names if isinstance(iri, str))
        return cls(document=document, bases=bases, from_records=from_records)

    def form(self, value: Any, path: Path, found: Any = ABSENT) -> Any:
        """Return a plain value as the record will have it at a path."""
        # Refused: ``tidied_away``, ``wrong_kind``.
        # ``found``: what stands there, or beside it in its list.
        match value:
            case None if not self.from_records:
                raise _taken_away(path, verbatim("null"), Sentence("take_value_away"))
            case str():
                return self._text(value, path, found)
            case bool() | int() | float():
                return value if self.from_records else _in_kind(value, path, found)
            case list():
                return self._list(value, path, found)
            case dict():
                return self._node(value, path, found)
        return value

    def _list(self, items: list[Any], path: Path, found: Any) -> list[Any]:
        if not self.from_records and any(isinstance(item, list) for item in items):
            raise Refused("wrong_kind", Sentence("list_in_list", path=path_text(path)))
        there = found if isinstance(found, list) else [] if found is ABSENT else [found]
        paired = there if len(there) == len(items) else [there] * len(items)
        formed = [
            self.form(item, (*path, index), other)
            for index, (item, other) in enumerate(zip(items, paired, strict=True))
        ]
        return [item for item in formed if item is not None]

    def _node(self, node: dict[str, Any], path: Path, found: Any) -> dict[str, Any]:
        iri = node.get("@id")
        there = found if isinstance(found, dict) else {}
        if not self.from_records:
            _demand_node(path, found)
        if len(node) > 1 and is_known(iri, self.bases):
            if there == {"@id": iri} and not self.from_records:
                more = next(key for key in node if key != "@id")
                raise below_link((*path, more), path, there)
            return {"@id": iri}
        formed: dict[str, Any] = {}
        for key, inner in node.items():
            if key in NEVER_STORED and not self.from_records:
                raise _taken_away((*path, key), verbatim(key), Sentence("leave_key_out"))
            value = self.form(inner, (*path, key), there.get(key, ABSENT))
            if value is not None and key not in NEVER_STORED:
                formed[key] = value
        if isinstance(formed.get("value"), str) and _is_identifier(path):
            formed["value"] = standard_number(formed.get("@type"), formed["value"])
        return formed

    def _text(self, text: str, path: Path, found: Any) -> Any:
        stored = stored_text(text)
        if self.from_records:
            return stored
        if text and not stored.strip(_ENDS + BOM):
            raise _taken_away(path, Sentence("only_blanks"), Sentence("take_value_away"))
        if ligature := next((letter for letter in text if letter in LIGATURES), ""):
            name = f"U+{ord(ligature):04X} {unicodedata.name(ligature)}"
            raise _taken_away(
                path,
                Sentence("ligature", name=name),
                Sentence("write_in_its_place", text=LIGATURES[ligature]),
            )
        value = _in_kind(stored, path, found)
        parent = path[-2] if isinstance(path[-1], int) else path[-1]
        if isinstance(value, str) and parent == "value" and _is_identifier(path[:-1]):
            node = value_of(self.document, path[:-1])
            return standard_number(node.get("@type") if isinstance(node, dict) else None, value)
        return value

    def refuse_below_link(self, path: Path) -> None:
        """Refuse, as ``below_link``, a path that leads into what is a link."""
        node: Any = self.document
        for number, step in enumerate(path):
            if number > len(("@graph", 0)) and step != "@id" and is_link(node, self.bases):
                raise below_link(path, path[:number], node)
            node = inner_of(node, step)
            if node is ABSENT:
                return


def demand_kept(value: Any, path: Path) -> None:
    """Refuse, as ``tidied_away``, a constant of which the server takes something away, in any record."""
    try:
        Storage(document={}).form(value, path)
    except Refused as refused:
        if refused.refusal.code == "tidied_away":
            raise


def below_link(path: Path, link: Path, node: Mapping[str, Any]) -> Refused:
    """Return the refusal of a place below a link."""
    return Refused(
        "below_link",
        Sentence(
            "below_link",
            path=path_text(path),
            link=path_text(link),
            target=visible(str(node.get("@id"))[:200]),
        ),
        Sentence("below_link_hint"),
    )


def is_same_text(one: Any, other: Any, *, ends: bool = True) -> bool:
    """Return True if two plain values, or any others, are the same but for kind and composition."""
    # ``ends``: blanks at the ends count.
    if kind_of(one) is None or kind_of(other) is None:
        return True
    texts = (composed(in_words(one)), composed(in_words(other)))
    return texts[0] == texts[1] if ends else trimmed(texts[0]) == trimmed(texts[1])


def undone(path: Path, value: Any) -> Refused:
    """Return the refusal of a value that the server would turn back into what stands there."""
    shown = visible(in_words(value)[:_SHOWN])
    return Refused(
        "tidied_away",
        Sentence("would_become", path=path_text(path), shown=shown),
        Sentence("as_the_server_keeps"),
    )


def _taken_away(path: Path, what: Sentence, hint: Sentence) -> Refused:
    return Refused(
        "tidied_away",
        Sentence("would_get", path=path_text(path), what=what),
        hint,
    )


def _first_plain(items: Sequence[Any]) -> Any:
    return next((item for item in items if not isinstance(item, (dict, list))), ABSENT)


def _is_identifier(path: Path) -> bool:
    return len(path) > 2 and path[1] == 1 and path[2] in IDENTIFIERS


# --- kinds -------------------------------------------------------------------------------------


def kind_of(value: Any) -> str | None:
    """Return the kind of a plain value: ``text``, ``number`` or ``boolean``; None of any other."""
    match value:
        case str():
            return "text"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
    return None


def _in_kind(value: Plain, path: Path, found: Any) -> Any:
    """Return a plain value in the kind that its place has; Refused: ``wrong_kind``."""
    beside, key = listed(found), _key_of(path)
    found = _first_plain(beside)
    kinds = {kind_of(item) for item in beside} - {None}
    if len(kinds) > 1:
        return value  # what is there is of no one kind
    kind = kind_of(found) or literal_kind(key)
    if kind is None and any(isinstance(item, dict) for item in beside):
        kind = "node"
    match kind:
        case None:
            return value
        case "text" if not isinstance(value, float) or _certain(value):
            return in_words(value)
        case "number" if isinstance(number := _as_number(value), (int, float)):
            # A record that has a whole number gets no other that is the same.
            whole = isinstance(found, int) and isinstance(number, float) and number.is_integer()
            return int(number) if whole else number
        case "boolean" if in_words(value) in ("true", "false"):
            return in_words(value) == "true"
    shown = visible(in_words(value)[:_SHOWN])
    raise _wrong_kind(path, kind, Sentence("not_written_so", shown=shown))


def _certain(value: float) -> bool:
    """Return True if there is one way to write a number as text: ``1.0`` may be meant as ``1``."""
    return not value.is_integer() and _NUMBER.fullmatch(repr(value)) is not None


def _demand_node(path: Path, found: Any) -> None:
    """Refuse, as ``wrong_kind``, an object or a link for a place that has a plain value."""
    kinds = {kind_of(item) for item in listed(found) if item is not ABSENT}
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind is not None and not _takes_nodes(_key_of(path)):
        raise _wrong_kind(path, kind, Sentence("object_is_none"))


def _kind_said(kind: str) -> Sentence:
    match kind:
        case "text":
            return Sentence("a_text")
        case "number":
            return Sentence("a_number")
        case "boolean":
            return Sentence("a_truth_value")
    return Sentence("an_object_or_link")


def _wrong_kind(path: Path, kind: str, why: Sentence) -> Refused:
    return Refused(
        "wrong_kind",
        Sentence("wrong_kind", path=path_text(path), kind=_kind_said(kind), why=why),
        Sentence("wrong_kind_hint"),
    )


def _key_of(path: Path) -> str:
    return next((step for step in reversed(path) if isinstance(step, str)), "")


def _takes_nodes(key: str) -> bool:
    return is_object_property(key) and not is_vocab_typed(key)


def _as_number(value: Plain) -> int | float | None:
    """Return a number, or a text that is written as JSON writes a number, as a number."""
    if isinstance(value, bool):
        return None
    if not isinstance(value, str):
        return value
    if not _NUMBER.fullmatch(value):
        return None
    number = float(value) if "." in value else int(value)
    return number if json.dumps(number) == value else None
