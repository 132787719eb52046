"""Groups of a report: patterns of changes as sentences, changes of one pattern, outliers, reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypeVar, cast

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.expressions.values import written
from bulkrunner.domain.manifest import Create, Delete, Operation, Update
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.records import kind_said
from bulkrunner.domain.rules import Counterpart
from bulkrunner.domain.run import Attempt, Result
from bulkrunner.sentences import Sentence, as_sentence, joined

_Text = TypeVar("_Text", bound=str)

# Characters of a pattern before it is cut; the template of a cut one has the same number.
MAX_LENGTH = 300

_SEPARATOR = "; "


def pattern_of(what: Operation | Sequence[Difference], *, kind: str | None = None) -> Sentence:
    """Return a line such as ``update holding: set shelfMark.label; remove inventoryLevel``."""
    # ``kind``: ``holding`` or ``bib``; None where nobody knows.
    match what:
        case Update():
            return update_pattern(kind, parts_of_update(what))
        case Delete():
            return delete_pattern(kind)
        case Create():
            head = Sentence("pattern_create", kind=kind_said(what.creates.value))
            body, record = written(what.body), written(what.record)
            places = [*sorted(body), *(f"@record.{key}" for key in sorted(record))]
            return _bounded(head, [_contents(list(dict.fromkeys(places)))] if places else [])
        case _:
            return update_pattern(kind, [_difference_part(item) for item in what])


def delete_pattern(kind: str | None) -> Sentence:
    """Return the pattern of a deletion."""
    return Sentence("pattern_delete", kind=kind_said(kind))


def restoring_pattern(action: Action, kind: str | None) -> Sentence:
    """Return the pattern of taking back a change of an action."""
    match action:
        case Action.UPDATE:
            return Sentence("pattern_undo_update", kind=kind_said(kind))
        case Action.CREATE:
            return Sentence("pattern_undo_create", kind=kind_said(kind))
        case _:
            return Sentence("pattern_undo_delete", kind=kind_said(kind))


def is_restoring(pattern: str) -> bool:
    """Return True if a pattern is of taking back a change, whatever else is done with it."""
    said = as_sentence(pattern)
    match said.key:
        case "pattern_undo_update" | "pattern_undo_create" | "pattern_undo_delete":
            return True
        case "pattern_parts":
            return is_restoring(cast("str", said.values["head"]))
        case "pattern_cut":
            return is_restoring(cast("str", said.values["said"]))
    return False


def transfer_pattern(head: Sentence, part: Sentence) -> Sentence:
    """Return the pattern of one side of a transfer: the head names the transfer."""
    return Sentence("pattern_parts", head=head, parts=(part,))


def parts_of_update(op: Update) -> tuple[Sentence, ...]:
    """Return what an update does, values left out, in parts."""
    if op.resave:
        return (Sentence("part_resave"),)
    if op.repoint is not None:
        return (Sentence("part_repoint"),)
    if op.replace is not None:
        parts = {
            "record": Sentence("part_replace_record"),
            "item": Sentence("part_replace_item"),
        }
        return tuple(part for name, part in parts.items() if name in op.replace)
    return tuple(change.scope.pattern(change.pattern) for change in op.changes)


def update_pattern(kind: str | None, parts: Iterable[Sentence], *, earlier: str = "") -> Sentence:
    """Return the pattern of an update made of parts."""
    # ``earlier``: of what precedes in the same change.
    if not earlier:
        return _bounded(Sentence("pattern_update", kind=kind_said(kind)), list(parts))
    before = as_sentence(earlier)
    match before.key:
        case "pattern_cut":
            known = before.partition(": ")[2].split(_SEPARATOR)
            text = _SEPARATOR.join([before, *_once(part for part in parts if part not in known)])
            return _cut(cast("Sentence", before.values["said"]), text)
        case "pattern_parts" | "pattern_contents":
            head = cast("Sentence", before.values["head"])
            return _bounded(head, [*_flat(_parts(before)), *parts])
        case _:
            return _bounded(before, list(parts))


def _bounded(head: Sentence, parts: Sequence[Sentence]) -> Sentence:
    told = _once(parts)
    whole = _pattern(head, told)
    if len(whole) <= MAX_LENGTH:
        return whole
    return _cut(_pattern(head, [_shortened(part) for part in _leading(told)]), whole)


def _pattern(head: Sentence, parts: Sequence[Sentence]) -> Sentence:
    if not any(parts):
        return head
    if head.key == "pattern_create":
        return Sentence("pattern_contents", head=head, parts=parts)
    return Sentence("pattern_parts", head=head, parts=parts)


def _cut(beginning: Sentence, whole: str) -> Sentence:
    """Return a pattern that is cut; two that differ only behind the cut stay two patterns."""
    return Sentence("pattern_cut", said=beginning, digest=digest(str(whole))[7:15])


def _shortened(part: Sentence) -> Sentence:
    """Return a part without what is behind the cut in any case."""
    match part.key:
        case "part_contents":
            return _contents(_leading(cast("Sequence[str]", part.values["places"])))
        case "joined":
            return joined(_leading(_parts(part)))
    return part


def _leading(texts: Sequence[_Text]) -> list[_Text]:
    """Return the first of the texts, as many as fill a pattern."""
    found, length = list[_Text](), 0
    for text in texts:
        if length > MAX_LENGTH:
            break
        found.append(text)
        length += len(text)
    return found


def _once(parts: Iterable[Sentence]) -> list[Sentence]:
    return list(dict.fromkeys(parts))


def _flat(parts: Sequence[Sentence]) -> Iterator[Sentence]:
    """Yield the parts, those of an example by themselves."""
    for part in parts:
        yield from _parts(part) if part.key == "joined" else (part,)


def _parts(said: Sentence) -> Sequence[Sentence]:
    return cast("Sequence[Sentence]", said.values["parts"])


def _contents(places: Sequence[str]) -> Sentence:
    return Sentence("part_contents", places=places)


def _difference_part(item: Difference) -> Sentence:
    match item.kind:
        case "added":
            return Sentence("part_add", at=item.place)
        case "removed":
            return Sentence("part_remove", at=item.place)
        case _:
            return Sentence("part_change", at=item.place)


FEW = 3  # different values that are listed; more are told by what they begin with

MIN_PREFIX = 4

How: TypeAlias = Literal["absent", "same", "few", "prefix", "many"]


@dataclass(frozen=True, kw_only=True)
class General:
    """Values in general."""

    # ``absent``: there is never one. ``same``: always this one. ``few``: one of these. ``prefix``:
    # different ones that begin alike. ``many``: different ones.
    how: How
    texts: tuple[str, ...] = ()  # the value, the values in order, or the common beginning


class Values:
    """Takes values one by one and keeps what they have in common."""

    def __init__(self) -> None:
        self._few: set[str | None] | None = set()
        self._prefix: str | None = None

    def add(self, text: str | None) -> None:
        """Take one value; None where there is none."""
        if self._few is not None:
            if text in self._few:
                return
            self._few.add(text)
            if len(self._few) > FEW:
                self._few = None
        if text is not None:
            self._prefix = text if self._prefix is None else _shared(self._prefix, text)

    def general(self) -> General:
        """Return what was common to all values so far."""
        few = self._few
        if few is not None:
            texts = tuple(sorted(text for text in few if text is not None))
            if not texts:
                return General(how="absent")
            return General(how="same" if len(few) == 1 else "few", texts=texts)
        prefix = self._prefix or ""
        if len(prefix.strip()) >= MIN_PREFIX:
            return General(how="prefix", texts=(prefix,))
        return General(how="many")


def _shared(one: str, other: str) -> str:
    """Return what both begin with."""
    if other.startswith(one):
        return one
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return one[:index]
    return min(one, other, key=len)


def just(text: str | None) -> General:
    """Return one value as what it is."""
    return General(how="absent") if text is None else General(how="same", texts=(text,))


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a test run did with a change; ``link`` is the record's address there, where safe."""

    counterpart: Counterpart
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReportedChange:
    """One planned change as the report shows it."""

    change: PlannedChange
    # Between the document as read and the one to be sent; of a record to be deleted its content, as
    # removed; of one to be created its content, as added.
    differences: tuple[Difference, ...] = ()
    beyond: int = 0  # places of that content that are not among the differences
    result: Result | None = None  # None in the report of a plan
    attempts: tuple[Attempt, ...] = ()
    # Address of the record in the environment, None where it has none that is safe.
    link: str | None = None
    tried: Tried | None = None  # what a test run did with the same change, None where none did

    @property
    def words(self) -> str:
        """What the server said, at the last attempt that it said anything to."""
        return next((a.words for a in reversed(self.attempts) if a.words), "")

    @property
    def error_id(self) -> str:
        """The server's own number for its error, for a question to KB."""
        return next((a.error_id for a in reversed(self.attempts) if a.error_id), "")

    @property
    def status(self) -> int | None:
        """HTTP status of the last attempt that was answered."""
        return next((a.status for a in reversed(self.attempts) if a.status is not None), None)


# How much the changes of a group have in common. ``values``: they do the very same. ``shape``: the
# same to the same places, with different values. ``others``: as ``shape``, those whose values got
# no group of their own. ``coarse``: they touch the same properties. ``all``: only action and kind
# of record. ``joint``: they are parts of one thing, such as a move, and are told by libraries.
Level: TypeAlias = Literal["values", "others", "shape", "coarse", "all", "joint"]

Why: TypeAlias = Literal["rare", "longest", "most"]


@dataclass(frozen=True, kw_only=True)
class PatternValue:
    """What stands in a changed place, or at a place inside it, in general."""

    at: str
    before: General
    after: General


@dataclass(frozen=True, kw_only=True)
class PatternPart:
    """A place that the changes of a group touch; of deletions a property that goes away."""

    place: str  # without list indexes
    kind: Literal["added", "removed", "changed"]
    values: tuple[PatternValue, ...] = ()  # empty where only the property is known


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The same values in ``count`` changes."""

    parts: tuple[PatternPart, ...]
    count: int


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A change that stands out in its group."""

    why: Why
    change: ReportedChange
    # Of ``rare`` how many have its values, of ``longest`` the characters of its longest value, of
    # ``most`` the places that it touches.
    measure: int


@dataclass(frozen=True, kw_only=True)
class Joint:
    """What changes that belong together come to."""

    verb: str  # ``move``, ``merge``, ``split``, ``repoint`` or ``copy``
    records: int  # how many holdings are moved, merged and so on
    # Patterns of what is saved and changed by the job as well, with how many.
    mixed: Mapping[str, int]
    actions: Mapping[Action, int]  # changes by action
    # origins, destinations: sigels that content leaves and comes to, with the changes of each side.
    origins: Mapping[str, int]
    destinations: Mapping[str, int]
    # Of each sample by its number, the changes that save what it takes away.
    partners: Mapping[int, tuple[ReportedChange, ...]]


@dataclass(frozen=True, kw_only=True)
class PatternGroup:
    """Changes that do the same to different records."""

    action: Action
    kind: str | None
    level: Level
    parts: tuple[PatternPart, ...]
    count: int
    sigels: Mapping[str, int]  # how many by sigel, the largest first
    samples: tuple[ReportedChange, ...]  # at most ``SAMPLES``, chosen to differ
    outliers: tuple[Outlier, ...] = ()
    variants: tuple[Variant, ...] = ()  # the commonest values
    rarer: int = 0  # changes with any other values
    # How many sets of values there are; None where they were too many to count.
    different: int | None = None
    origin: str = ""  # the planner's name of what an undo restores, empty in any other plan
    verb: str = ""  # ``revert``, ``resave`` or ``replace`` where the job says so
    joint: Joint | None = None  # of level ``joint``


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Operations that come to nothing for one reason."""

    action: Action
    code: str
    count: int
    occurrences: int  # those that two steps say alike of one line of input counted once
    samples: tuple[ReportedChange, ...]
    # Refusals of this code that the manifest accepts, None where it names none.
    at_most: int | None = None
    accepted_because: str = ""

    @property
    def accepted(self) -> bool:
        """Return True if the manifest lives with all of them."""
        return self.at_most is not None and self.occurrences <= self.at_most


@dataclass(frozen=True, kw_only=True)
class TextGroup:
    """A remark on several changes: a clean-up by the server, or a note of the planner."""

    text: str
    count: int
    numbers: tuple[int, ...]
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class Grouped:
    """What the changes of a plan have in common."""

    patterns: tuple[PatternGroup, ...] = ()
    reasons: tuple[ReasonGroup, ...] = ()
    cleanups: tuple[TextGroup, ...] = ()
    notes: tuple[TextGroup, ...] = ()
    # Changes by action and kind of record.
    kinds: Mapping[tuple[Action, str], int] = field(default_factory=dict)
    looks: int = 0  # other records that are read just before changes are sent
    beyond_cleanups: int = 0  # what is not listed
    # Which of the patterns a change is in, counted from 0; -1: in none.
    pattern_of: Callable[[ReportedChange], int] = field(default=lambda _: -1, compare=False)
