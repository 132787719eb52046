"""Places: dotted paths of keys and list indexes inside a record, as manifests write them."""

# A place begins at the thing (graph[1]), with ``@record.`` at the record part (graph[0]). On the
# way a list of one is walked through; a longer list needs an index.

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, TypeAlias

from bulkrunner.domain.records import (
    KEPT,
    RECORD_KEPT,
    Document,
    components,
    record_part,
    thing_part,
)
from bulkrunner.domain.refusals import Refused
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

RECORD_PREFIX = "@record."
ITEM_PREFIX = "@item."
MAX_LENGTH = 500
MAX_STEPS = 20

Step: TypeAlias = str | int
Path: TypeAlias = tuple[Step, ...]  # steps from the top of a document, list indexes included

RECORD_PATH: Final[Path] = ("@graph", 0)
THING_PATH: Final[Path] = ("@graph", 1)

_JSON_LD_KEYS = frozenset({"@id", "@type", "@value", "@language"})
_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")
_KEY = re.compile(r"[^\s\x00-\x1f\x7f.\[\]\"'\\]+")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A parsed place."""

    text: str  # as written
    in_record: bool  # begins at the record part
    steps: Path  # keys and list indexes

    @property
    def root(self) -> Path:
        """Return where the place begins."""
        return RECORD_PATH if self.in_record else THING_PATH


class Absent:
    """The type of ``ABSENT``."""

    def __repr__(self) -> str:
        return "absent"


ABSENT: Final = Absent()  # stands for the value of a place that is not there


@dataclass(frozen=True, kw_only=True)
class Spot:
    """Where a place leads in one document."""

    path: Path  # of the value; as far as it leads where the place is absent
    value: Any  # ``ABSENT`` where the place is absent
    creatable: bool = False  # only the last key is missing


@lru_cache(maxsize=4096)
def parse_place(text: str) -> Place:
    """Read a place as written in a manifest; Fault, where it is malformed, says why."""
    demand_length(text)
    in_record = text.startswith(RECORD_PREFIX)
    steps = parse_steps(text.removeprefix(RECORD_PREFIX))
    return Place(text=text, in_record=in_record, steps=steps)


def demand_length(text: str) -> None:
    """Raise Fault for a place or reference that is empty, or too long."""
    if not text:
        raise Fault(Sentence("place_empty"))
    if len(text) > MAX_LENGTH:
        raise Fault(Sentence("place_long", most=MAX_LENGTH))


def parse_steps(text: str) -> Path:
    """Read keys and list indexes that are joined by dots; Fault, where malformed, says why."""
    words = text.split(".")
    if len(words) > MAX_STEPS:
        raise Fault(Sentence("place_steps", most=MAX_STEPS))
    steps = tuple(_step(word) for word in words)
    if isinstance(steps[0], int):
        raise Fault(Sentence("place_begins_index"))
    return steps


def _step(word: str) -> Step:
    if _INDEX.fullmatch(word):
        return int(word)
    if not word:
        raise Fault(Sentence("place_empty_step"))
    if word.isdecimal() or re.fullmatch(r"-[0-9]+", word):
        raise Fault(Sentence("place_no_index", word=word))
    if word == "@record":
        raise Fault(Sentence("place_record_first"))
    if word.startswith("@") and word not in _JSON_LD_KEYS:
        raise Fault(Sentence("place_no_key", word=word))
    if not _KEY.fullmatch(word):
        raise Fault(Sentence("place_bad_key", word=word))
    return word


def writable_place(text: str) -> Place:
    """Read a place that a change is to be made at."""
    # Refused: ``forbidden_place``. Fault: malformed.
    place = parse_place(text)
    if place.steps[0] in (RECORD_KEPT if place.in_record else KEPT):
        raise forbidden(text)
    return place


def forbidden(text: str) -> Refused:
    """Return the refusal of a place that no change reaches."""
    return Refused(
        "forbidden_place",
        Sentence("forbidden_place", place=text),
        (Sentence("repoint_hangs") if text == "itemOf" else Sentence("take_out_of_job")),
    )


def locate(document: Document, place: Place) -> Spot:
    """Follow a place into a document; Refused: ``ambiguous_place`` or ``in_component``."""
    node: Any = record_part(document) if place.in_record else thing_part(document)
    refuse_component(document, place)
    return follow(node, place.root, place)


def follow(node: Any, path: Path, place: Place) -> Spot:
    """Follow the steps of a place from an object at a path of the document."""
    # Refused: ``ambiguous_place``.
    last = len(place.steps) - 1
    for number, step in enumerate(place.steps):
        if isinstance(step, str):
            node, path = _into_list_of_one(node, path, place, step)
        found = inner_of(node, step)
        path = (*path, step)
        if found is ABSENT:
            creatable = number == last and isinstance(step, str) and isinstance(node, dict)
            return Spot(path=path, value=ABSENT, creatable=creatable)
        node = found
    return Spot(path=path, value=node)


def inner_of(node: Any, step: Step) -> Any:
    """Return what one step leads to, ``ABSENT`` where it leads nowhere."""
    if isinstance(step, int):
        return node[step] if isinstance(node, list) and step < len(node) else ABSENT
    return node.get(step, ABSENT) if isinstance(node, dict) else ABSENT


def value_of(node: Any, path: Path) -> Any:
    """Return what stands at a path, ``ABSENT`` where nothing does."""
    for step in path:
        node = inner_of(node, step)
    return node


def _into_list_of_one(node: Any, path: Path, place: Place, step: Step) -> tuple[Any, Path]:
    while isinstance(node, list) and node:
        if len(node) > 1:
            raise ambiguous(place, len(node), before=str(step))
        node = node[0]
        path = (*path, 0)
    return node, path


def ambiguous(place: Place, length: int, *, before: str = "") -> Refused:
    """Return the refusal of a place that does not say which element of a list it means."""
    return Refused(
        "ambiguous_place",
        Sentence("ambiguous_place_here", place=place.text, count=length)
        if not before
        else Sentence("ambiguous_place_before", place=place.text, count=length, before=before),
        Sentence("give_index"),
    )


def refuse_component(document: Document, place: Place) -> None:
    """Refuse, as ``in_component``, a place that the item lacks but a component has."""
    first = place.steps[0]
    if place.in_record or first in thing_part(document):
        return
    if any(first in component for component in components(document)):
        raise Refused(
            "in_component",
            Sentence("in_component", first=first),
            Sentence("in_component_hint", place=place.text),
        )


def path_text(path: Path) -> str:
    """Write a path of a document as a place."""
    for root, prefix in ((THING_PATH, ""), (RECORD_PATH, RECORD_PREFIX)):
        if path[:2] == root:
            rest = ".".join(map(str, path[2:]))
            return f"{prefix}{rest}" if rest else (RECORD_PREFIX[:-1] if prefix else "@item")
    return ".".join(map(str, path))


def property_of(place: str) -> str:
    """Return the property that a place begins with, ``@record.`` kept."""
    head, _, rest = place.partition(".")
    return f"{head}.{rest.partition('.')[0]}" if head == "@record" else head
