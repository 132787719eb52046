"""What the steps of planning one operation hand to each other: requests, intents, refusals, waits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from bulkrunner.domain.canonical import is_deeper
from bulkrunner.domain.fingerprints import before_fingerprint
from bulkrunner.domain.manifest import Source
from bulkrunner.domain.new_records import PREFIX, place_in_answer
from bulkrunner.domain.operations import Applied
from bulkrunner.domain.plan import (
    HOLDING_KEY,
    WRITING,
    Action,
    AppliedChange,
    BibSummary,
    Origin,
    Part,
    PlannedChange,
    operation_digest,
)
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.text import visible
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.services.planning.plan_so_far import Look

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")

MAX_DEPTH = 100

"""Levels of a record to be sent; real ones have a dozen. Components deeper than that go unseen."""

MAX_MESSAGE, MAX_VALUE = 1000, 200

NEW = "new"

"""Stands, in an operation, for the record that the same change creates."""

LEFT_BEHIND = ("left_behind", Sentence("left_behind"))

"""Note of a record from which nothing is taken, since there is a holding where it was to go."""

NOT_MET = "where_not_met"

"""Code of a record that a step does not mean."""


class PassedOver(Exception):
    """Nothing is done to the record, on purpose; never leaves planning."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class NotFound(Exception):
    """The record is not there; never leaves planning."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def demand(refusal: Refusal | None) -> None:
    """Go on where there is no refusal.

    Raises:
        Refused: there is one.
    """
    if refusal is not None:
        raise Refused.of(refusal)


@dataclass(kw_only=True)
class Known:
    """What is known of the record so far, for whatever the change turns out to be.

    Attributes:
        now: the record as what precedes in the plan will have left it; else as read.
        earlier: the change of this plan that concerns the record already, to be added to.
        hung: short id of the bib that earlier steps hang it on; None: none did.
        waits: numbers of changes of this plan that must end well first.
        place: ``holding:<bib>:<sigel>`` that the record goes over to.
        origins: records whose content goes into this one.
        operation: what is done to it, in neutral form. wish: digest of what is wanted of it.
    """

    record: str
    kind: str | None = None
    sigel: str | None = None
    bib: BibSummary | None = None
    library: str = ""
    etag: str | None = None
    before: Document | None = None
    now: Document | None = None
    target_key: str | None = None
    notes: tuple[tuple[str, str], ...] = ()
    earlier: PlannedChange | None = None
    hung: str | None = None
    waits: tuple[int, ...] = ()
    place: str | None = None
    origins: tuple[Origin, ...] = ()
    operation: Mapping[str, Any] = field(default_factory=dict)
    wish: str | None = None

    @property
    def name(self) -> str:
        """Return what an operation calls the record: its id, or ``new`` where the plan creates it."""
        key = self.earlier.target_key if self.earlier is not None else None
        return NEW if key is not None and key.startswith(HOLDING_KEY) else self.record

    @property
    def on_bib(self) -> str:
        """Return the bib that it is on by now, by its short id; empty where none is known."""
        own = self.bib.id if self.bib is not None else ""
        return own if self.hung is None else self.hung

    @property
    def name_in_plan(self) -> str:
        """Return what entries of the plan call the record: its id, or the place of one to be made."""
        return self.record if self.name != NEW else self.target_key or self.record

    def as_origins(self) -> tuple[Origin, ...]:
        """Return the record as one whose content goes elsewhere; none where it is yet to be made."""
        if self.before is None:
            return ()
        earlier = self.earlier.after_fingerprint if self.earlier is not None else None
        known = dict.fromkeys((before_fingerprint(self.before), earlier))
        return (Origin(record=self.record, fingerprints=tuple(one for one in known if one)),)

    @property
    def is_stuck(self) -> bool:
        """Tell whether nothing more can come of the record in this plan."""
        earlier = self.earlier
        return earlier is not None and (
            earlier.action in (Action.REFUSED, Action.NOT_FOUND)
            or (earlier.action is Action.UNCHANGED and earlier.before is None)
        )


def everything() -> None:
    """Go on in any case."""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change to one existing record.

    Attributes:
        operation: in neutral form, equal in every environment.
        wish: the same before anything was looked up in the record; None where it is the same.
        change: returns the document after it.
        pattern: what it does, values left out, in parts.
        done: tells, of what came of the change, the operation and the pattern's parts anew.
        admit: raises ``PassedOver`` where the step does not mean the record.
        first: does what must precede; raises ``Refused`` or ``PassedOver`` where that fails.
        resave: the record is sent even if nothing changes.
        origins: records whose content goes into it.
    """

    operation: Mapping[str, Any]
    change: Callable[[Document], Applied | Refusal]
    pattern: tuple[Sentence, ...]
    done: Callable[[Applied], tuple[Mapping[str, Any], tuple[Sentence, ...]]] | None = None
    admit: Callable[[], None] = everything
    first: Callable[[], None] = everything
    wish: Mapping[str, Any] | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    resave: bool = False
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Removal:
    """The deletion of one existing record; ``operation``, ``wish``, ``admit`` as of an edit."""

    operation: Mapping[str, Any]
    admit: Callable[[], None] = everything
    first: Callable[[], None] = everything
    pattern: Sentence | None = None
    wish: Mapping[str, Any] | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Creation:
    """A holding to be created.

    Attributes:
        operation, wish, admit, origins: as of an edit.
        document: returns the document to be posted, given the bib's graph[1].@id.
    """

    sigel: str
    operation: Mapping[str, Any]
    document: Callable[[str], Document]
    pattern: Sentence
    admit: Callable[[], None] = everything
    wish: Mapping[str, Any] | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """What a function is to say of one existing record; ``wish`` and ``admit`` as of an edit.

    Attributes:
        decide: asks it; raises ``PassedOver`` and ``Refused`` as well.
        removal: the operation in neutral form where it says to delete the record, among others.
    """

    wish: Mapping[str, Any]
    removal: Mapping[str, Any]
    decide: Callable[[], Edit | Removal]
    admit: Callable[[], None] = everything
    operation: Mapping[str, Any] = field(default_factory=dict)


Wish: TypeAlias = Edit | Removal

Wanted: TypeAlias = Edit | Removal | Undecided


@dataclass(frozen=True, kw_only=True)
class Task:
    """What one entry of the manifest wants.

    Attributes:
        ref: the record, or the bib that a holding is created on.
        verb: what it is called in the manifest.
        step: number of its step; None for an explicit operation, which never adds to another one.
        on_missing: ``report`` or ``refuse``; None: as the manifest says.
        on_duplicate: ``refuse`` or ``skip``.
        after: numbers of changes that must end well first.
        subject: the record is the one that the entry names.
        operation: in neutral form, as far as it is known before anything is read.
    """

    source: Source
    given: str
    ref: str
    verb: str
    step: int | None = None
    on_missing: str | None = None
    on_duplicate: str = "refuse"
    after: tuple[int, ...] = ()
    subject: bool = True
    operation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A change that is not yet in the plan; with a number it takes the place of that one.

    Attributes:
        needs: places, among the drafts made together, of those that must end well first.
        alone: it never adds to another change: a second one for a record is refused.
        refers: by numbers of records to be created that stand in the change, the places of the
            drafts that create them.
    """

    change: PlannedChange
    needs: tuple[int, ...] = ()
    alone: bool = False
    refers: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Portion:
    """What becomes of one record that an entry means.

    Attributes:
        asked: the parts of the plan that it depends on.
        act: resolves the record, as often as need be, with a look at the plan.
    """

    drafts: Sequence[Draft]
    act: Callable[[Look], Sequence[Draft]]
    asked: frozenset[str] = frozenset()


def as_refused(refusal: Refusal) -> dict[str, Any]:
    """Return the fields of a refused change."""
    return {"action": Action.REFUSED, "code": refusal.code, "message": refusal.whole}


def made_earlier(known: Known, made: AppliedChange) -> dict[str, Any]:
    """Return the fields of a change that an earlier run has made, as it was carried out."""
    if known.earlier is None and made.operation:
        known.operation = made.operation
    fingerprint = before_fingerprint(known.before) if known.before is not None else None
    return {
        "action": Action.UNCHANGED,
        "code": "applied_earlier",
        "message": Sentence("applied_earlier", run=made.run),
        "before_fingerprint": fingerprint,
    }


def printable(text: str) -> str:
    """Return text that may hold parts of records on one line, bounded, without control characters.

    A sentence stays one: what it tells of is made so.
    """
    if isinstance(text, Sentence):
        for most in (MAX_MESSAGE, MAX_VALUE):
            told = {name: _printable(value, most) for name, value in text.values.items()}
            said = Sentence.from_data({"say": text.key, **told})
            if len(said) <= MAX_MESSAGE:
                return said
    return _on_one_line(text, MAX_MESSAGE)


def _printable(value: Any, most: int) -> Any:
    if isinstance(value, Sentence):
        told = {name: _printable(one, most) for name, one in value.values.items()}
        return {"say": value.key, **told}
    if isinstance(value, str):
        return _on_one_line(value, most)
    return [_printable(one, most) for one in value] if isinstance(value, Sequence) else value


def _on_one_line(text: str, most: int) -> str:
    shown = "".join(letter if letter.isprintable() else " " for letter in text[: most + 1])
    return shown if len(text) <= most else shown[:most] + "…"


def shown_of(all_of: Sequence[Any], few: str, shown: int) -> str:
    """Return the first few of many as they are told, and how many more there are."""
    left = len(all_of) - shown
    return Sentence("and_more", shown=few, count=left) if left > 0 else few


def library_said(sigel: str | None) -> str:
    """Return the sigel of a library, or that there is none."""
    return sigel or Sentence("no_library")


def shallow(document: Document) -> Refusal | None:
    """Refuse a record that would be nested more deeply than any real one."""
    if not is_deeper(document, MAX_DEPTH):
        return None
    return Refusal(
        code="unreadable_record",
        message=Sentence("record_too_deep", most=MAX_DEPTH),
        hint=Sentence("record_too_deep_hint"),
    )


def named(document: Document) -> Refusal | None:
    """Refuse a record with a key that is empty, or that holds a control character."""
    left: list[Any] = [document]
    while left:
        node = left.pop()
        if isinstance(node, dict):
            bad = next((key for key in node if not key.strip() or _CONTROL.search(key)), None)
            if bad is not None:
                return _bad_key(bad)
            left += node.values()
        elif isinstance(node, list):
            left += node
    return None


def _bad_key(key: str) -> Refusal:
    shown = visible(key[:40]).replace("\n", " ").replace("\t", " ")
    return Refusal(
        code="unreadable_record",
        message=Sentence("key_control_character", shown=shown)
        if key.strip()
        else Sentence("key_without_name"),
        hint=Sentence("key_hint"),
    )


def joined_operation(earlier: PlannedChange | None, operation: Mapping[str, Any]) -> dict[str, Any]:
    """Return one operation in neutral form for what is done to a record by and by."""
    done = dict(earlier.operation) if earlier is not None else {}
    if not done:
        return dict(operation)
    if not operation:
        return done
    return {"steps": [*done.get("steps", [done]), dict(operation)]}


def wish_of(wish: Wanted | Creation) -> str:
    """Return the digest of what one entry wants of a record."""
    return operation_digest(wish.operation if wish.wish is None else wish.wish)


def joined_wish(earlier: PlannedChange | None, wish: str) -> str:
    """Return the digest of what all entries up to this one want of a record."""
    if earlier is None or not earlier.operation:
        return wish
    wanted = [part.wish for part in parts_of(earlier) if part.wish]
    return operation_digest({"steps": [*wanted, wish]}) if wanted else wish


def parts_of(change: PlannedChange) -> tuple[Part, ...]:
    """Return every entry that concerns the change's record."""
    return change.parts or (
        Part(
            step=change.step,
            source=change.source,
            given=change.given,
            action=change.action,
            code=change.code,
            message=change.message,
            wish=change.wish_digest() if change.operation else "",
        ),
    )


def part_of(task: Task, change: PlannedChange, wish: str) -> Part:
    """Return an entry's own part in a change.

    Args:
        task: of the entry.
        change: as the entry would have it by itself.
        wish: digest of what the entry wants of the record, empty where it wants nothing.
    """
    return Part(
        step=task.step,
        source=task.source,
        given=task.given,
        action=change.action,
        code=change.code,
        message=change.message,
        wish=wish,
        subject=task.subject,
    )


def subject_part(change: PlannedChange, step: int | None) -> Part | None:
    """Return the part in which the same step has named the record already."""
    if step is None:
        return None
    return next((part for part in parts_of(change) if part.subject and part.step == step), None)


def with_part(earlier: PlannedChange, part: Part) -> PlannedChange:
    """Return a change as it stands, with one more entry that concerns its record."""
    return replace(earlier, parts=(*parts_of(earlier), part))


FAILED = (Action.REFUSED, Action.NOT_FOUND)


def refused_entry(task: Task, refusal: Refusal) -> PlannedChange:
    """Return what becomes of an entry of whose record nothing is known."""
    return PlannedChange(
        number=0,
        record=task.ref,
        given=task.given,
        source=task.source,
        declared=task.verb,
        operation=task.operation,
        step=task.step,
        **as_refused(refusal),
    )


def refused(change: PlannedChange, refusal: Refusal) -> PlannedChange:
    """Return a change that is refused after all."""
    bare = replace(
        change,
        after=None,
        predicted=None,
        before_fingerprint=None,
        after_fingerprint=None,
        cleanups=(),
        pattern="",
        prerequisites=(),
        links=(),
    )
    return replace(bare, **as_refused(refusal))


def is_for(other: PlannedChange, change: PlannedChange) -> bool:
    """Tell whether a change is made, also, for the sake of another one: it takes its content in."""
    own = [(part.step, part.source) for part in parts_of(change)]
    return other.action in WRITING and any(
        not part.subject and (part.step, part.source) in own for part in parts_of(other)
    )


def fallen(needed: PlannedChange) -> Refusal:
    """Return the refusal of a change that belongs to one that is refused."""
    which = (
        Sentence("change", number=needed.number) if needed.number else Sentence("change_of_step")
    )
    return Refusal(
        code="prerequisite",
        message=Sentence("prerequisite", which=which, code=needed.code),
        hint=Sentence("prerequisite_hint"),
    )


Earlier: TypeAlias = Callable[[int], PlannedChange | None]

"""Finds an earlier change by its number."""

NAME_LENGTH = 16

"""Characters of a digest that stand for a record to be created, alike in every environment."""


@dataclass(frozen=True, kw_only=True)
class Waits:
    """Prerequisites of a change.

    Attributes:
        numbers: changes that must end well first.
        records: short ids of records that an earlier run created already, by number.
        names: what stands for a record to be created in an operation's neutral form, by number.
        creates: the changes that create the records referred to, by number.
    """

    numbers: tuple[int, ...] = ()
    records: dict[int, str] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    creates: dict[int, PlannedChange] = field(default_factory=dict)


def waits(after: Iterable[int], references: Iterable[int], earlier: Earlier) -> Waits:
    """Return what an operation waits for.

    Args:
        after: numbers that the manifest names.
        references: numbers of those whose records the operation refers to.
        earlier: finds the change by its number.

    Raises:
        Refused: one of them is not carried out, or creates nothing.
    """
    found = Waits(numbers=_numbers(after, earlier))
    numbers = list(found.numbers)
    for number in sorted(references):
        change = _carried_out(number, earlier)
        created = change.action is Action.CREATE
        if not created and change.made is None:
            raise _unmet(number, Sentence("creates_no_record"))
        found.creates[number] = change
        found.names[number] = PREFIX + change.wish_digest().removeprefix("sha256:")[:NAME_LENGTH]
        if created:
            numbers.append(number)
        elif change.made is not None:
            found.records[number] = change.made
    return Waits(
        numbers=tuple(sorted(set(numbers))),
        records=found.records,
        names=found.names,
        creates=found.creates,
    )


def _numbers(after: Iterable[int], earlier: Earlier) -> tuple[int, ...]:
    changes = {number: _carried_out(number, earlier) for number in after}
    return tuple(number for number, change in changes.items() if change.action in WRITING)


def _carried_out(number: int, earlier: Earlier) -> PlannedChange:
    change = earlier(number)
    if change is None:
        raise _unmet(number, Sentence("is_not_in_plan"))
    if change.action in (Action.REFUSED, Action.NOT_FOUND):
        raise _unmet(number, ended_so(change))
    return change


def ended_so(change: PlannedChange) -> Sentence:
    """Return what became of a change that is not carried out, as the end of a sentence."""
    match change.action:
        case Action.REFUSED:
            return Sentence("is_refused", code=change.code)
        case Action.NOT_FOUND:
            return Sentence("is_not_found", code=change.code)
    return Sentence("is_unchanged", code=change.code)


def _named(number: int) -> Sentence:
    place = place_in_answer(number)
    if place is None:
        return Sentence("change", number=number)
    return Sentence("operation_of_function", place=place)


def _unmet(number: int, why: Sentence) -> Refused:
    return Refused.of(
        Refusal(
            code="prerequisite",
            message=Sentence("waits_for", what=_named(number), why=why),
            hint=Sentence("prerequisite_hint"),
        )
    )
