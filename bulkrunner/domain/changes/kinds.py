"""The changes that a manifest can declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.conditions import Condition
from bulkrunner.domain.forms import Pattern
from bulkrunner.domain.values import Dynamic


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
    """Where a change is made, and on what condition.

    Attributes:
        within: None where nothing is said: the item, or the record part by ``@record.``.
        each: a place all objects at which are meant, instead of ``within``.
        when: tested on each of the objects.
    """

    within: Within | None = None
    each: str | None = None
    when: Condition | None = None

    @property
    def is_plain(self) -> bool:
        """Whether nothing is said."""
        return self == PLAIN


PLAIN = Scope()


@dataclass(frozen=True, kw_only=True)
class SetChange:
    """``set``: the place gets the value."""

    at: str
    to: Any
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RemoveChange:
    """``remove``: the place goes away."""

    at: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class AppendChange:
    """``append``: the list at the place gets the value unless an equal one is there."""

    at: str
    value: Any
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RemoveItemsChange:
    """``remove_items``: values of the list at the place go away where they match."""

    at: str
    matching: Condition
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class Table:
    """Old values and what each becomes; None takes the value away.

    Attributes:
        pairs: new values by old ones, as text.
        by_name: the same by the old values as the server stores them.
        results: the new values in comparable form, which are left alone when met again.
        digest: of all pairs.
    """

    pairs: Mapping[str, Any]
    by_name: Mapping[str, Any] = field(repr=False)
    results: frozenset[bytes] = field(repr=False)
    digest: str


@dataclass(frozen=True, kw_only=True)
class ReplaceValueChange:
    """``replace_value``: every value at the place becomes what the table says.

    Attributes:
        refuse_others: refuse a value that the table does not have; otherwise it is kept.
    """

    at: str
    table: Table
    refuse_others: bool = False
    scope: Scope = PLAIN


Template: TypeAlias = tuple[str | int | Dynamic, ...]
"""Pieces of what the matches of a pattern become; a number is a group."""


@dataclass(frozen=True, kw_only=True)
class ReplaceTextChange:
    """``replace_text``: in every text at the place something is replaced.

    Attributes:
        find: a text to be replaced, constant or dynamic; None where a pattern is given.
        pattern: a regular expression to be replaced, with ``template``.
        into: what ``find`` becomes, constant or dynamic.
        template: what the pattern becomes: constant and dynamic texts, and numbers for groups.
        trim: blanks at both ends go, in texts that were changed.
    """

    at: str
    find: Any = None
    pattern: Pattern | None = None
    into: Any = ""
    template: Template = ()
    trim: bool = False
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class MoveValueChange:
    """``move_value``: what stands at one place is put to another."""

    origin: str
    to: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class RetypeChange:
    """``retype``: every object at the place gets another ``@type``."""

    at: str
    to: str
    scope: Scope = PLAIN


@dataclass(frozen=True, kw_only=True)
class ExampleChange:
    """What looks like one example comes to look like the other; both constant or dynamic."""

    match: Any
    result: Any
    scope: Scope = PLAIN


Change: TypeAlias = (
    SetChange
    | RemoveChange
    | AppendChange
    | RemoveItemsChange
    | ReplaceValueChange
    | ReplaceTextChange
    | MoveValueChange
    | RetypeChange
    | ExampleChange
)
