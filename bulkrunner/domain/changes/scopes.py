"""Which objects of a record a change is made in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bulkrunner.domain.expressions import Outside, brief, meant
from bulkrunner.domain.expressions.condition_parsing import parse_condition
from bulkrunner.domain.expressions.conditions import Condition, condition_data
from bulkrunner.domain.expressions.wording import condition_said, place_said
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    RECORD_PATH,
    THING_PATH,
    Path,
    Place,
    forbidden,
    parse_place,
)
from bulkrunner.domain.records import (
    KEPT,
    RECORD_KEPT,
    Document,
    components_below,
    objects_in,
    record_part,
    thing_part,
)
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence, joined, says, verbatim


class Within(StrEnum):
    """In which objects of a record a change is made."""

    ITEM = "item"
    COMPONENTS = "components"
    ITEM_AND_COMPONENTS = "item_and_components"
    EACH_PLACE = "each_place"
    ANYWHERE = "anywhere"
    RECORD = "record"


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a change is made, and on what condition."""

    # None where nothing is said: the item, or the record part by ``@record.``.
    within: Within | None = None
    each: str | None = None  # a place all objects at which are meant, instead of ``within``
    when: Condition | None = None  # tested on each of the objects

    @property
    def is_plain(self) -> bool:
        """Return True if nothing is said."""
        return self == PLAIN

    @property
    def is_one_object(self) -> bool:
        """Return True if it is one object, the item or the record part, whatever the record."""
        return self.each is None and self.within in (None, Within.ITEM, Within.RECORD)

    def data(self, iris: IriMap | None) -> dict[str, Any]:
        """Return it as a manifest writes it; where ``iris`` is given, IRIs without a base."""
        data: dict[str, Any] = {}
        if self.within is not None:
            data["in"] = self.within.value
        if self.each is not None:
            data["in"] = {"each": self.each}
        if self.when is not None:
            data["when"] = condition_data(self.when, iris)
        return data

    def pattern(self, part: Sentence) -> Sentence:
        """Return what is done, with where it is done."""
        if self.each is not None:
            return Sentence("part_in_each", part=part, each=self.each)
        if self.within is not None:
            within = _IN_PATTERNS[self.within]
            if self.within is Within.EACH_PLACE and says(part, "part_set"):
                return Sentence("part_set_each_place", at=part.values["at"], within=within)
            return Sentence("part_within", part=part, within=within)
        return part


PLAIN = Scope()

KEYS = ("in", "when")

_IN_PATTERNS = {
    Within.ITEM: Sentence("within_item"),
    Within.COMPONENTS: Sentence("within_components"),
    Within.ITEM_AND_COMPONENTS: Sentence("within_item_and_components"),
    Within.EACH_PLACE: Sentence("within_each_place"),
    Within.ANYWHERE: Sentence("within_anywhere"),
    Within.RECORD: Sentence("within_record"),
}

_IN_WORDS = {
    Within.ITEM: Sentence("scope_item"),
    Within.COMPONENTS: Sentence("scope_components"),
    Within.ITEM_AND_COMPONENTS: Sentence("scope_item_and_components"),
    Within.EACH_PLACE: Sentence("scope_each_place"),
    Within.ANYWHERE: Sentence("scope_anywhere"),
    Within.RECORD: Sentence("scope_record"),
}


def parse_scope(data: Mapping[str, Any], outside: Outside) -> Scope:
    """Read ``in`` and ``when`` beside a verb; Fault where one is malformed."""
    within, each = _within(data["in"]) if "in" in data else (None, None)
    when = None
    if "when" in data:
        try:
            when = parse_condition(data["when"], outside)
        except Fault as error:
            raise error.below("when") from None
    return Scope(within=within, each=each, when=when)


def _within(data: Any) -> tuple[Within | None, str | None]:
    if isinstance(data, dict) and data.keys() == {"each"} and isinstance(data["each"], str):
        try:
            parse_place(data["each"])
        except Fault as error:
            raise no_place(data["each"], error).below("in", "each") from None
        return None, data["each"]
    known = [one.value for one in Within]
    if not isinstance(data, str) or data not in known:
        raise Fault(
            Sentence("scope_unknown", given=brief(data)),
            path=("in",),
            hint=joined((meant(str(data), known), Sentence("or_each", form="{each: place}"))),
        )
    return Within(data), None


def no_place(text: str, error: Fault) -> Fault:
    """Return the fault of a text that is no place."""
    form = "in: {each: hasNote}, when: {…}"
    hint = Sentence("some_elements", form=form) if "[" in text else ""
    return Fault(
        Sentence("no_place", text=brief(text), why=error.said), hint=hint, code="bad_place"
    )


def scope_said(data: Mapping[str, Any], said: Sentence) -> Sentence:
    """Return what a change does, with where and when as a manifest writes it."""
    if scope := data.get("in"):
        each = isinstance(scope, dict)
        where = (
            Sentence("scope_each", place=place_said(str(scope.get("each", ""))))
            if each
            else _IN_WORDS.get(scope, verbatim(""))
        )
        said = Sentence("listed", parts=(said, where))
    if when := data.get("when"):
        said = Sentence("change_where", said=said, condition=condition_said(when))
    return said


@dataclass(frozen=True, kw_only=True)
class Here:
    """One object that a change is made in, and where it stands."""

    path: Path
    node: Any

    @property
    def kept(self) -> frozenset[str]:
        """Return the keys of the object that no change reaches."""
        if self.path == THING_PATH:
            return KEPT
        return RECORD_KEPT if self.path == RECORD_PATH else frozenset()


def objects(document: Document, scope: Scope, place: Place) -> list[Here]:
    """Return the objects that a change is made in, in the document's order."""
    # Refused: ``forbidden_place``.
    if scope.each is not None:
        return list(_each(document, parse_place(scope.each)))
    first = place.steps[0]
    found: Iterator[Here]
    match scope.within:
        case Within.ANYWHERE:
            return [
                here
                for here in _anywhere(document)
                if first in here.node and first not in here.kept
            ]
        case Within.RECORD:
            found = iter([_record(document)])
        case Within.COMPONENTS:
            found = _components(_item(document))
        case Within.ITEM_AND_COMPONENTS:
            found = _with_components(document)
        case Within.EACH_PLACE:
            found = (here for here in _with_components(document) if first in here.node)
        case _:
            found = iter([_record(document) if place.in_record else _item(document)])
    return [_writable(here, place) for here in found]


def _writable(here: Here, place: Place) -> Here:
    if place.steps[0] in here.kept:
        raise forbidden(place.text)
    return here


def _item(document: Document) -> Here:
    return Here(path=THING_PATH, node=thing_part(document))


def _record(document: Document) -> Here:
    return Here(path=RECORD_PATH, node=record_part(document))


def _with_components(document: Document) -> Iterator[Here]:
    yield _item(document)
    yield from _components(_item(document))


def _components(here: Here) -> Iterator[Here]:
    for path, node in components_below(here.node, here.path):
        yield Here(path=path, node=node)


def _each(document: Document, place: Place) -> Iterator[Here]:
    root = _writable(_record(document) if place.in_record else _item(document), place)
    for path, value in spots(root.node, root.path, place.steps):
        for inner, node in objects_in(value, path):
            yield Here(path=inner, node=node)


def _anywhere(document: Document) -> Iterator[Here]:
    for root in (_record(document), _item(document)):
        yield root
        for key, value in root.node.items():
            if key not in root.kept:
                yield from _inside(value, (*root.path, key))


def _inside(value: Any, path: Path) -> Iterator[Here]:
    for inner, node in objects_in(value, path):
        yield Here(path=inner, node=node)
        for key, item in node.items():
            yield from _inside(item, (*inner, key))


def spots(node: Any, path: Path, steps: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every path and value that steps lead to, all lists on the way walked through."""
    if not steps:
        yield path, node
        return
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        if isinstance(node, list):
            if step < len(node):
                yield from spots(node[step], (*path, step), rest)
        elif step == 0:
            # A single value and a list of one are the same place.
            yield from spots(node, path, rest)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            yield from spots(item, (*path, index), steps)
    elif isinstance(node, dict) and step in node:
        yield from spots(node[step], (*path, step), rest)


def leaves(node: Any, path: Path, steps: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every single value that steps lead to, lists at the end walked through as well."""
    for found, value in spots(node, path, steps):
        yield from _leaves(value, found)


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _leaves(item, (*path, index))
    else:
        yield path, value
