"""A change of a manifest: what every verb has in common, and how one is made in a document."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, ClassVar, Self

from bulkrunner.domain.changes.edits import EditSet, Take, carry_out
from bulkrunner.domain.changes.scopes import (
    PLAIN,
    Here,
    Scope,
    Within,
    no_place,
    objects,
    scope_said,
)
from bulkrunner.domain.expressions import Outside, brief
from bulkrunner.domain.expressions.conditions import (
    bind_condition,
    condition_references,
    holds,
)
from bulkrunner.domain.expressions.references import Context, Reference
from bulkrunner.domain.expressions.value_parsing import parse_value
from bulkrunner.domain.expressions.values import Dynamic, bind, freeze, references_of
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    Path,
    parse_place,
    refuse_component,
    writable_place,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import demand_kept
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Change(ABC):
    """What is to be done to a record: a verb with its arguments, in the objects of a scope.

    A verb is a class of its own below this one: it reads its arguments (``parse``), says what it
    comes down to in one object (``edits_in``), and how it is written (``arguments``), named in
    reports (``pattern``) and explained (``said``). ``VERBS`` of ``verbs`` lists them all.
    """

    verb: ClassVar[str]

    # Fields that hold a value, constant or ``Dynamic``, or a tuple of such.
    values: ClassVar[tuple[str, ...]] = ()
    # They are written at the place itself.
    values_at_place: ClassVar[bool] = False
    # Fields that hold a condition.
    conditions: ClassVar[tuple[str, ...]] = ()

    # Without a scope it leaves emptied objects and lists as they are.
    leaves_emptied: ClassVar[bool] = False
    # It takes whole values away, so that its explanation says what else goes.
    takes_away: ClassVar[bool] = False

    at: str  # the place that it begins at
    scope: Scope = PLAIN

    @classmethod
    @abstractmethod
    def parse(cls, data: Any, scope: Scope, outside: Outside) -> Self:
        """Read what stands below the verb; it fits the schema. Fault where it is malformed."""

    def edits_in(self, here: Here, context: Context) -> EditSet:
        """Return what it comes down to in one object; Refused where that cannot be made."""
        raise NotImplementedError

    @abstractmethod
    def arguments(self, iris: IriMap | None) -> dict[str, Any]:
        """Return what stands below the verb."""
        # Where ``iris`` is given, record IRIs without a base.

    @property
    @abstractmethod
    def pattern(self) -> Sentence:
        """What it does, values left out."""

    @classmethod
    @abstractmethod
    def said(cls, given: Mapping[str, Any]) -> Sentence:
        """Return what a verb does, by what a manifest has below it."""

    # --- the same for all ------------------------------------------------------------------------

    def data(self, iris: IriMap | None = None) -> dict[str, Any]:
        """Return it as it is declared, with its files' content."""
        # With ``iris``, record IRIs without a base.
        return {self.verb: self.arguments(iris)} | self.scope.data(iris)

    def references(self) -> Iterator[Reference]:
        """Yield every reference, those of its conditions included."""
        if self.scope.when is not None:
            yield from condition_references(self.scope.when)
        for name in self.values:
            value = getattr(self, name)
            for piece in value if isinstance(value, tuple) else (value,):
                yield from references_of(piece)
        for name in self.conditions:
            yield from condition_references(getattr(self, name))

    def bound(self, context: Context) -> Self:
        """Return it with the row's cells and the parameters put in."""
        bound: dict[str, Any] = {
            name: bind_condition(getattr(self, name), context) for name in self.conditions
        }
        if (when := self.scope.when) is not None:
            bound["scope"] = replace(self.scope, when=bind_condition(when, context))
        return self._with_values(partial(bind, context=context), bound)

    def frozen(self, context: Context) -> Self:
        """Return it with the values that it was carried out with."""
        # Those of components and other objects that it was made in stay references: each has its
        # own.
        at_id = self.values_at_place and is_id(self.at)
        whole = self.scope.is_one_object
        return self._with_values(partial(freeze, context=context, at_id=at_id, whole=whole))

    def _with_values(
        self, made: Callable[[Any], Any], others: Mapping[str, Any] = MappingProxyType({})
    ) -> Self:
        fields = dict(others)
        for name in self.values:
            value = getattr(self, name)
            fields[name] = tuple(map(made, value)) if isinstance(value, tuple) else made(value)
        return replace(self, **fields) if fields else self

    def edits_on(self, document: Document, context: Context) -> EditSet:
        """Return what it comes down to in all objects that are meant."""
        one = self.scope.is_one_object
        place = writable_place(self.at) if one else parse_place(self.at)
        if self.scope.within is None and self.scope.each is None:
            refuse_component(document, place)
        when = self.scope.when
        return EditSet.joined(
            self.edits_in(here, context.at(here.node))
            for here in objects(document, self.scope, place)
            if when is None or holds(when, context.at(here.node))
        )

    @classmethod
    def explained(cls, data: Mapping[str, Any]) -> Sentence:
        """Return what a change does, where, and when, by what a manifest has."""
        said = scope_said(data, cls.said(data[cls.verb]))
        leaves = cls.leaves_emptied and not ("in" in data or "when" in data)
        return Sentence("change_prunes", said=said) if cls.takes_away and not leaves else said


@dataclass(frozen=True, kw_only=True)
class Changed:
    """What one change made of a document."""

    document: Document
    declared: tuple[Path, ...]  # paths at or under which it may have changed something
    change: Change  # with the values in it that it was carried out with
    effective: bool  # it found something to do


def apply_change(document: Document, change: Change, context: Context) -> Changed:
    """Return the document after one change; Refused where it cannot be made."""
    context = context.of(document)
    wanted = change.edits_on(document, context)
    for edit in wanted.edits:
        if not isinstance(edit, Take):
            context.storage.refuse_below_link(edit.path)
    prune = not (change.leaves_emptied and change.scope.is_plain)
    edited = carry_out(document, wanted.edits, prune=prune)
    effective = edited.document is not document
    return Changed(
        document=edited.document,
        declared=tuple(dict.fromkeys((*wanted.named, *edited.declared))),
        change=change.frozen(context) if effective else change,
        effective=effective,
    )


def is_id(at: str) -> bool:
    """Return True if a place is that of an ``@id``."""
    return at == "@id" or at.endswith(".@id")


# --- reading arguments ---------------------------------------------------------------------------


def read_at(data: Mapping[str, Any], scope: Scope, *, key: str = "at") -> str:
    """Return the place of a change; Fault where it is none, or does not go with the scope."""
    text = data[key]
    try:
        place = parse_place(text)
    except Fault as error:
        raise no_place(text, error).below(key) from None
    if place.in_record and not (scope.within is None and scope.each is None):
        raise Fault(
            Sentence("place_in_record_twice", text=brief(text)),
            path=(key,),
            hint=Sentence("place_in_record_twice_hint"),
        )
    return str(text)


def read_value(data: Mapping[str, Any], key: str) -> Any:
    """Return a value, constant or ``Dynamic``; Fault where it is malformed."""
    try:
        return parse_value(data[key])
    except Fault as error:
        raise error.below(key) from None


def read_placed_value(data: Mapping[str, Any], key: str, scope: Scope) -> Any:
    """Return a value that is to stand at the place ``at``; Fault where it cannot."""
    value, at = read_value(data, key), str(data["at"])
    try:
        demand_kept_at(at, value)
    except Fault as error:
        raise error.below(key) from None
    # Where all places are meant, the value would be met again in itself.
    if scope.within is Within.ANYWHERE and _has_key(value, at.partition(".")[0]):
        raise Fault(
            Sentence("place_within_value", at=at), path=(key,), hint=Sentence("scope_narrower")
        )
    return value


def _has_key(value: Any, key: str) -> bool:
    match value:
        case dict():
            return key in value or any(_has_key(inner, key) for inner in value.values())
        case list():
            return any(_has_key(inner, key) for inner in value)
    return False


def demand_kept_at(at: str, value: Any, key: str | None = None) -> None:
    """Raise Fault, about ``key``, where a constant holds what the server takes away again."""
    if isinstance(value, Dynamic):
        return
    try:
        place = parse_place(at)
        demand_kept(value, (*place.root, *place.steps))
    except Fault:
        return  # told by itself
    except Refused as refused:
        found = refused.refusal
        raise Fault(found.message, key=key, hint=found.hint, code=found.code) from None
