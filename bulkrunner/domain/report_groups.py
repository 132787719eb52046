"""Groups of a report: changes of one pattern, outliers, reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bulkrunner.domain.diff import Difference
from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.rules import Counterpart
from bulkrunner.domain.run import Attempt, Result

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
