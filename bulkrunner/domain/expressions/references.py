"""References to places of record, bib, row and parameters, and what they are looked up in."""

# A plain place begins at the object that a change is made in, which is the item unless the change
# says otherwise.

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.places import (
    ABSENT,
    MAX_STEPS,
    Path,
    demand_length,
    parse_steps,
)
from bulkrunner.domain.records import Document, components, record_part, thing_part
from bulkrunner.domain.refusals import Refused
from bulkrunner.domain.stored_form import Storage, comparable, only_of
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence


def no_bib() -> Document | None:
    """Stand for the bib of a record that has none."""
    return None


def no_holdings(_sigel: str) -> Sequence[Document]:
    """Stand for the holdings on the bib of a record that has none."""
    return ()


def no_catalogue(_number: str, _meanings: Sequence[Number]) -> Sequence[str]:
    """Stand for the catalogue where there is none to be asked."""
    # That is never taken for an answer.
    raise RuntimeError("numbers are looked up while a plan is made")


@dataclass(frozen=True, kw_only=True)
class Context:
    """One record and what belongs to it."""

    document: Document  # the record as the steps before have left it
    iris: IriMap  # of the environment that it was read from
    # Reads the bib of a holding when something refers to it, once.
    bib: Callable[[], Document | None] = no_bib
    # Reads the other holdings on the bib, of one library or, without a sigel, of all.
    holdings: Callable[[str], Sequence[Document]] = no_holdings
    # Looks up the short ids of the records that bear a number.
    bearing: Callable[[str, Sequence[Number]], Sequence[str]] = no_catalogue
    # The input row that named the record; None where there was none.
    row: Mapping[str, str] | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the job
    here: Any = ABSENT  # the object that plain places begin at; the item where left out
    from_records: bool = False  # values that are written come from records

    @property
    def storage(self) -> Storage:
        """Return what puts values into the form in which the record will have them."""
        return Storage.of(self.document, from_records=self.from_records)

    @property
    def start(self) -> Any:
        """Return the value that plain places begin at."""
        return thing_part(self.document) if self.here is ABSENT else self.here

    def at(self, here: Any) -> Context:
        """Return the context with plain places beginning at another object."""
        return replace(self, here=here)

    def of(self, document: Document) -> Context:
        """Return the context of the same record after a change."""
        return replace(self, document=document)

    @property
    def short_id(self) -> str | None:
        """Return the record's short id."""
        return _short_id(self.document, self.iris)

    @property
    def bib_id(self) -> str | None:
        """Return the short id of the bib."""
        document = self.bib()
        return None if document is None else _short_id(document, self.iris)


def _short_id(document: Document, iris: IriMap) -> str | None:
    iri = record_part(document).get("@id")
    return iris.short_id(iri) if isinstance(iri, str) else None


class Origin(StrEnum):
    """Where a reference begins."""

    HERE = ""
    ITEM = "@item."
    RECORD = "@record."
    COMPONENT = "@component."
    BIB_RECORD = "@bib.@record."
    BIB = "@bib."
    HOLDING = "@bib.holdings"
    ROW = "@row."
    PARAM = "@param."
    SELF_ID = "@self.id"
    BIB_ID = "@bib.id"


_WHOLE = (Origin.SELF_ID, Origin.BIB_ID)

_NAMED = (Origin.ROW, Origin.PARAM)

_PREFIXES = (
    Origin.ITEM,
    Origin.RECORD,
    Origin.COMPONENT,
    Origin.BIB_RECORD,
    Origin.BIB,
    Origin.ROW,
    Origin.PARAM,
)

_BY_PREFIX = ", ".join(sorted({*(one.value for one in (*_PREFIXES, Origin.HOLDING)), *_WHOLE}))

_VALUE = r"""\s*"(?P<double>[^"]+)"\s*|\s*'(?P<single>[^']+)'\s*|(?P<bare>[^\[\]"']+)"""

_PICK = re.compile(rf"""\[(?P<place>[^\[\]=!"']+)(?:(?P<sign>!?=)(?:{_VALUE}))?\]""")

_PICKS = re.sub(r"\?P<[a-z]+>", "?:", _PICK.pattern)

_SEGMENT = re.compile(rf"(?P<key>[^.\[\]]+)(?P<picks>(?:{_PICKS})*)(?=\.|$)")

_INDEX = re.compile(r"0|[1-9][0-9]{0,5}")

_HOLDING = re.compile(
    r"@bib\.holdings(?:\[(?P<sigel>[^\[\]]{1,50})\])?(?:\.(?P<record>@record\.)?(?P<place>.+))?"
)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """Elements of a list that have a value at a place of theirs: ``[@type=ISBN]``."""

    path: Path  # of the place in the element
    text: str | None = None  # the value; None: any
    wanted: bool = True  # it is there

    def meets(self, element: Any, iris: IriMap) -> bool:
        """Return True if an element is one of those meant."""
        if not isinstance(element, dict):
            return False
        last = self.path[-1]
        values = [one for one in _walk(element, self.path, iris) if one is not None and one != []]
        if self.text is None:
            return bool(values) is self.wanted
        key = "@id" if last == "@id" else ""
        wanted = compared(self.text, iris, key)
        return any(compared(one, iris, key) == wanted for one in values) is self.wanted


def compared(value: Any, iris: IriMap, key: str = "") -> bytes:
    """Return what is equal for values that are stored alike, record IRIs without a base."""
    # ``key``: the last one of the place.
    value = only_of(value)
    if key == "@id" and isinstance(value, str):
        return comparable(iris.neutral({"@id": value})["@id"])
    return comparable(iris.neutral(value), key)


Steps: TypeAlias = tuple[str | int | Pick, ...]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A parsed reference."""

    text: str  # as written
    origin: Origin
    steps: Steps = ()  # keys, indexes and picks from the origin, for places
    name: str = ""  # of the column or parameter
    sigel: str = ""  # whose holdings on the bib are meant, empty for everybody's
    of_record: bool = False  # the place is in their record parts

    @property
    def is_id(self) -> bool:
        """Return True if it leads to an ``@id``, which differs from environment to environment."""
        return bool(self.steps) and self.steps[-1] == "@id"


def parse_reference(text: str) -> Reference:
    """Read a reference; Fault, where it is malformed, says why."""
    demand_length(text)
    if text in _WHOLE:
        return Reference(text=text, origin=Origin(text))
    if re.match(r"@bib\.holdings(?![^.\[])", text):
        return _of_holdings(text)
    for origin in _PREFIXES:
        if text.startswith(origin.value):
            rest = text.removeprefix(origin.value)
            if not rest:
                raise Fault(Sentence("reference_followed", origin=origin.value))
            if origin in _NAMED:
                return Reference(text=text, origin=origin, name=rest)
            return Reference(text=text, origin=origin, steps=_steps(rest))
    if text.startswith("@") and text.partition(".")[0] in {"@row", "@param", "@bib", "@self"}:
        raise Fault(Sentence("reference_begins", known=_BY_PREFIX))
    return Reference(text=text, origin=Origin.HERE, steps=_steps(text))


def _of_holdings(text: str) -> Reference:
    found = _HOLDING.fullmatch(text)
    if found is None:
        raise Fault(Sentence("reference_holdings"))
    return Reference(
        text=text,
        origin=Origin.HOLDING,
        steps=_steps(found["place"]) if found["place"] else (),
        sigel=found["sigel"] or "",
        of_record=bool(found["record"]),
    )


def _steps(text: str) -> Steps:
    if "[" not in text:
        return parse_steps(text)
    steps: list[str | int | Pick] = []
    at = 0
    while True:
        segment = _SEGMENT.match(text, at)
        if segment is None:
            raise Fault(Sentence("reference_picks"))
        key = segment["key"]
        steps += [int(key)] if steps and _INDEX.fullmatch(key) else parse_steps(key)
        steps += (_pick(found) for found in _PICK.finditer(segment["picks"]))
        at = segment.end()
        if at == len(text):
            break
        at += 1
    if len(steps) > MAX_STEPS:
        raise Fault(Sentence("place_steps", most=MAX_STEPS))
    return tuple(steps)


def _pick(found: re.Match[str]) -> Pick:
    value = next((found[name] for name in ("double", "single", "bare") if found[name]), None)
    path = parse_steps(found["place"].strip())
    return Pick(path=path, text=value and value.strip(), wanted=found["sign"] != "!=")


# --- every value, for conditions ---------------------------------------------------------------


def values_at(ref: Reference, context: Context) -> Iterator[Any]:
    """Yield what the place holds, every list walked through: each list and then its elements."""
    match ref.origin:
        case Origin.COMPONENT:
            for component in components(context.document):
                yield from _walk(component, ref.steps, context.iris)
        case Origin.HOLDING:
            for part in _holdings(ref, context):
                yield from _walk(part, ref.steps, context.iris)
        case Origin.ROW | Origin.PARAM | Origin.SELF_ID | Origin.BIB_ID:
            value = _named(ref, context)
            if value is not ABSENT:
                yield value
        case _:
            yield from _walk(_start(ref.origin, context), ref.steps, context.iris)


def _walk(node: Any, steps: Steps, iris: IriMap) -> Iterator[Any]:
    if not steps:
        yield node
        if isinstance(node, list):
            for item in node:
                yield from _walk(item, steps, iris)
    elif isinstance(steps[0], str) and isinstance(node, list):
        for item in node:
            yield from _walk(item, steps, iris)
    else:
        for inner in _inner(node, steps[0], iris):
            yield from _walk(inner, steps[1:], iris)


def _inner(node: Any, step: str | int | Pick, iris: IriMap) -> Sequence[Any]:
    """Return what lies one step inside; a single value and a list of one are the same place."""
    if isinstance(step, str):
        return [node[step]] if isinstance(node, dict) and step in node else []
    items = node if isinstance(node, list) else [node]
    if isinstance(step, int):
        return items[step : step + 1]
    picked = [item for item in items if step.meets(item, iris)]
    return [picked] if picked else []


# --- one value, for values ---------------------------------------------------------------------


def value_at(ref: Reference, context: Context) -> Any:
    """Return the one value of the place, ``ABSENT`` where there is none."""
    # Refused: ``ambiguous_place``.
    match ref.origin:
        case Origin.COMPONENT:
            return _only(ref, components(context.document), Sentence("components"), context.iris)
        case Origin.HOLDING:
            return _only(ref, _holdings(ref, context), Sentence("holdings"), context.iris)
        case Origin.ROW | Origin.PARAM | Origin.SELF_ID | Origin.BIB_ID:
            return _named(ref, context)
        case _:
            return _one(ref, _start(ref.origin, context), context.iris)


def _only(ref: Reference, nodes: Iterable[Any], what: Sentence, iris: IriMap) -> Any:
    found = [_one(ref, node, iris) for node in nodes]
    found = [value for value in found if value is not ABSENT]
    if len(found) > 1:
        raise _several(ref, len(found), what)
    return found[0] if found else ABSENT


def _holdings(ref: Reference, context: Context) -> Iterator[Any]:
    """Yield the parts of the other holdings on the bib that the reference begins at."""
    part = record_part if ref.of_record else thing_part
    return map(part, context.holdings(ref.sigel))


def _one(ref: Reference, node: Any, iris: IriMap) -> Any:
    for step in ref.steps:
        while isinstance(step, str) and isinstance(node, list):
            if len(node) > 1:
                raise _several(ref, len(node), Sentence("values_before", step=step))
            if not node:
                return ABSENT
            node = node[0]
        found = _inner(node, step, iris)
        if not found:
            return ABSENT
        node = found[0]
    if ref.steps and isinstance(ref.steps[-1], Pick):
        if len(node) > 1:
            raise _several(ref, len(node), Sentence("such_elements"))
        node = node[0]
    return ABSENT if node is None else node


def _several(ref: Reference, number: int, what: Sentence) -> Refused:
    return Refused(
        "ambiguous_place",
        Sentence("several_values", ref=ref.text, count=number, what=what),
        (
            Sentence("several_holdings_hint")
            if ref.origin is Origin.HOLDING and what.key == "holdings"
            else Sentence("give_index")
        ),
    )


def _start(origin: Origin, context: Context) -> Any:
    match origin:
        case Origin.HERE:
            return context.start
        case Origin.ITEM:
            return thing_part(context.document)
        case Origin.RECORD:
            return record_part(context.document)
    bib = context.bib()
    if bib is None:
        return ABSENT
    return thing_part(bib) if origin is Origin.BIB else record_part(bib)


def _named(ref: Reference, context: Context) -> Any:
    match ref.origin:
        case Origin.ROW:
            # A spreadsheet has no other way to say that there is no value.
            return (context.row or {}).get(ref.name) or ABSENT
        case Origin.PARAM:
            return context.parameters.get(ref.name, ABSENT)
        case Origin.SELF_ID:
            return context.short_id or ABSENT
        case _:
            return context.bib_id or ABSENT
