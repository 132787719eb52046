"""The verbs of a change, each a class: how it is read, made, written, named and explained."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from bulkrunner.domain.canonical import same
from bulkrunner.domain.changes.change import (
    Change,
    read_at,
    read_placed_value,
)
from bulkrunner.domain.changes.edits import Add, Edit, EditSet, Put, Take
from bulkrunner.domain.changes.replacements import ReplaceTextChange, ReplaceValueChange
from bulkrunner.domain.changes.scopes import (
    KEYS,
    Here,
    Scope,
    leaves,
    no_place,
    parse_scope,
    spots,
)
from bulkrunner.domain.expressions import Outside, brief, meant
from bulkrunner.domain.expressions.condition_parsing import parse_matching
from bulkrunner.domain.expressions.conditions import Condition, condition_data, holds
from bulkrunner.domain.expressions.references import Context
from bulkrunner.domain.expressions.values import localised, portable
from bulkrunner.domain.expressions.wording import (
    matching_said,
    name_said,
    place_said,
    value_said,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    ABSENT,
    ITEM_PREFIX,
    RECORD_PATH,
    RECORD_PREFIX,
    THING_PATH,
    Path,
    Place,
    Spot,
    ambiguous,
    follow,
    parse_place,
    writable_place,
)
from bulkrunner.domain.records import record_part, thing_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import Storage, linked
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class SetChange(Change):
    """``set``: the place gets the value."""

    verb = "set"
    values = ("to",)
    values_at_place = True
    leaves_emptied = True

    to: Any

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        return cls(at=read_at(data, scope), to=read_placed_value(data, "to", scope), scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        place = parse_place(self.at)
        value = localised(place, self.to, context)
        spot = _findable(here, place)
        path = spot.path
        if isinstance(spot.value, list) and not isinstance(value, list):
            if len(spot.value) > 1:
                raise ambiguous(place, len(spot.value))
            if spot.value:
                path = (*path, 0)
                spot = Spot(path=path, value=spot.value[0])
        value = context.storage.form(value, path, spot.value)
        if same(linked(spot.value), linked(value)):
            return EditSet(named=(path,))
        return EditSet(edits=(Put(path=path, value=value),), named=(path,))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"at": self.at, "to": portable(self.at, self.to, iris)}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_set", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        return Sentence("change_set", at=place_said(given["at"]), to=value_said(given["to"]))


@dataclass(frozen=True, kw_only=True)
class RemoveChange(Change):
    """``remove``: the place goes away."""

    verb = "remove"
    leaves_emptied = True
    takes_away = True

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        return cls(at=read_at(data, scope), scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        spot = follow(here.node, here.path, parse_place(self.at))
        if spot.value is ABSENT:
            return EditSet(named=(_named_by_taking(spot),))
        return EditSet(edits=(Take(path=spot.path),), named=(_named_by_taking(spot),))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"at": self.at}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_remove", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        return Sentence("change_remove", at=place_said(given["at"]))


@dataclass(frozen=True, kw_only=True)
class AppendChange(Change):
    """``append``: the list at the place gets the value unless an equal one is there."""

    verb = "append"
    values = ("value",)
    values_at_place = True
    leaves_emptied = True

    value: Any

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        at, value = read_at(data, scope), read_placed_value(data, "value", scope)
        return cls(at=at, value=value, scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        place = parse_place(self.at)
        spot = _findable(here, place)
        if isinstance(place.steps[-1], int) and not isinstance(spot.value, list):
            raise Refused(
                "no_such_place",
                Sentence("element_no_list", place=place.text),
                Sentence("element_no_list_hint"),
            )
        value = localised(place, self.value, context)
        value = context.storage.form(value, spot.path, spot.value)
        return EditSet(edits=(Add(path=spot.path, value=value, as_list=True),), named=(spot.path,))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"at": self.at, "value": portable(self.at, self.value, iris)}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_append", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        at, value = place_said(given["at"]), value_said(given["value"])
        return Sentence("change_append", at=at, value=value)


@dataclass(frozen=True, kw_only=True)
class RemoveItemsChange(Change):
    """``remove_items``: values of the list at the place go away where they match."""

    verb = "remove_items"
    conditions = ("matching",)
    takes_away = True

    matching: Condition

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        try:
            matching = parse_matching(data["matching"], outside)
        except Fault as error:
            raise error.below("matching") from None
        return cls(at=read_at(data, scope), matching=matching, scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        takes: list[Edit] = []
        named = []
        for path, value in spots(here.node, here.path, parse_place(self.at).steps):
            named.append(path)
            if isinstance(value, list):
                elements = [((*path, index), item) for index, item in enumerate(value)]
            else:
                # A single value is a list of one.
                elements = [(path, value)]
            # Each is tested by itself, on the record as it was before this change.
            takes += [
                Take(path=spot) for spot, item in elements if holds(self.matching, context.at(item))
            ]
        return EditSet(edits=tuple(takes), named=tuple(named))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"at": self.at, "matching": condition_data(self.matching, iris)}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_remove_items", at=self.at)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        at, matching = place_said(given["at"]), matching_said(given["matching"])
        return Sentence("change_remove_items", at=at, matching=matching)


@dataclass(frozen=True, kw_only=True)
class MoveValueChange(Change):
    """``move_value``: what stands at one place is put to another."""

    verb = "move_value"

    to: str

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        origin = read_at(data, scope, key="from")
        place, (in_record, steps) = parse_place(origin), cls._goal_of(data["to"])
        if place.in_record == in_record and not data["to"].startswith(ITEM_PREFIX):
            shorter = min(len(place.steps), len(steps))
            if place.steps[:shorter] == steps[:shorter]:
                raise Fault(Sentence("places_inside"), path=("to",))
        return cls(at=origin, to=data["to"], scope=scope)

    @staticmethod
    def _goal_of(text: str) -> tuple[bool, Path]:
        try:
            place = parse_place(text.removeprefix(ITEM_PREFIX))
        except Fault as error:
            raise no_place(text, error).below("to") from None
        if text.startswith(ITEM_PREFIX) and place.in_record:
            raise Fault(Sentence("begins_twice", text=brief(text)), path=("to",))
        return text.startswith(RECORD_PREFIX), place.steps

    def edits_in(self, here: Here, context: Context) -> EditSet:
        spot = follow(here.node, here.path, parse_place(self.at))
        if spot.value is ABSENT:
            return EditSet()
        target = _findable(*self._goal(here, context))
        moved = Storage.of(context.document, from_records=True).form(spot.value, target.path)
        return EditSet(
            edits=(
                Add(path=target.path, value=moved, as_list=False),
                Take(path=spot.path),
            ),
            named=(_named_by_taking(spot), target.path),
        )

    def _goal(self, here: Here, context: Context) -> tuple[Here, Place]:
        """Return the object that the value goes to, and the place in it."""
        document = context.document
        if self.to.startswith(ITEM_PREFIX):
            place = writable_place(self.to.removeprefix(ITEM_PREFIX))
            return Here(path=THING_PATH, node=thing_part(document)), place
        place = parse_place(self.to)
        if place.in_record:
            return Here(path=RECORD_PATH, node=record_part(document)), writable_place(self.to)
        if place.steps[0] in here.kept:
            writable_place(self.to)
        return here, place

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"from": self.at, "to": self.to}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_move", origin=self.at, to=self.to)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        return Sentence("change_move", source=place_said(given["from"]), to=place_said(given["to"]))


_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9:_-]{0,99}")


@dataclass(frozen=True, kw_only=True)
class RetypeChange(Change):
    """``retype``: every object at the place gets another ``@type``."""

    verb = "retype"

    to: str

    @classmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        if not isinstance(data["to"], str) or not _TYPE.fullmatch(data["to"]):
            raise Fault(Sentence("no_type", given=brief(data["to"])), path=("to",))
        return cls(at=read_at(data, scope), to=data["to"], scope=scope)

    def edits_in(self, here: Here, context: Context) -> EditSet:
        edits: list[Edit] = []
        named: list[Path] = []
        for path, value in leaves(here.node, here.path, parse_place(self.at).steps):
            # A link has no type of its own.
            if not isinstance(value, dict) or value.keys() == {"@id"}:
                continue
            named.append((*path, "@type"))
            if not same(value.get("@type", ABSENT), self.to):
                edits.append(Put(path=(*path, "@type"), value=self.to))
        return EditSet(edits=tuple(edits), named=tuple(named))

    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        return {"at": self.at, "to": self.to}

    @property
    def pattern(self) -> Sentence:
        return Sentence("part_retype", at=self.at, to=self.to)

    @classmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        return Sentence("change_retype", at=place_said(given["at"]), to=name_said(given["to"]))


def _findable(here: Here, place: Place) -> Spot:
    spot = follow(here.node, here.path, place)
    if spot.value is ABSENT and not spot.creatable:
        raise Refused(
            "no_such_place",
            Sentence("no_such_place", place=place.text),
            Sentence("no_such_place_hint"),
        )
    return spot


def _named_by_taking(spot: Spot) -> Path:
    # Taking out a list element moves those after it, so the whole list is what may change.
    return spot.path[:-1] if isinstance(spot.path[-1], int) else spot.path


# In the order in which messages list them.
VERBS: Mapping[str, type[Change]] = {
    change.verb: change
    for change in (
        SetChange,
        RemoveChange,
        AppendChange,
        RemoveItemsChange,
        ReplaceValueChange,
        ReplaceTextChange,
        MoveValueChange,
        RetypeChange,
    )
}


def parse_change(data: Mapping[str, Any], outside: Outside) -> Change:
    """Read a verb with its arguments, and perhaps ``in`` and ``when``; Fault says where not."""
    verbs = [key for key in data if key not in KEYS]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        strange = next((key for key in verbs if key not in VERBS), "")
        raise Fault(
            Sentence("change_of_one_verb", verbs=", ".join(VERBS)),
            key=strange or None,
            hint=meant(strange, list(VERBS)) if strange else "",
        )
    verb = verbs[0]
    scope = parse_scope(data, outside)
    try:
        return VERBS[verb].parse(data[verb], scope, outside)
    except Fault as error:
        raise error.below(verb) from None


def change_said(data: Mapping[str, Any]) -> Sentence:
    """Return what one change does, where, and when, by what a manifest has."""
    return next(VERBS[key] for key in VERBS if key in data).explained(data)
