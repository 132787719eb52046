"""What a report says of a plan or a run: plain data, before any language or file format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from bulkrunner.domain.approvals import Approval, WeighedAnswer, the_no
from bulkrunner.domain.diff import Difference
from bulkrunner.domain.environment import Kind, is_loopback
from bulkrunner.domain.gates import Evidence, GateResult, Twin
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import Action, Plan, PlannedChange
from bulkrunner.domain.policy import LooserValue
from bulkrunner.domain.rules import RuleResult
from bulkrunner.domain.run import Attempt, Outcome, Result, Run
from bulkrunner.domain.steps import InputLine
from bulkrunner.domain.undo import UNTRIED, undone_by

FEW = 3

"""Different values that are listed; more are told by what they begin with."""

MIN_PREFIX = 4

How: TypeAlias = Literal["absent", "same", "few", "prefix", "many"]


@dataclass(frozen=True, kw_only=True)
class General:
    """Values in general.

    Attributes:
        how: ``absent``: there is never one. ``same``: always this one. ``few``: one of these.
            ``prefix``: different ones that begin alike. ``many``: different ones.
        texts: the value, the values in order, or the common beginning.
    """

    how: How
    texts: tuple[str, ...] = ()


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
class Noted:
    """Something that is true of ``count`` changes; ``numbers`` are the first of them.

    ``count`` is 0 where it is true of the plan as a whole.
    """

    code: str
    count: int = 0
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StagingSummary:
    """What test runs did with the plan's changes.

    Attributes:
        outcomes: by word, one for each change that was tried.
        remarks: where production will differ from what was seen: ``other_content`` (the record
            stood otherwise in the test environment), ``not_as_predicted`` and ``cleanups`` (the
            server stored something else than planned, or changed more).
    """

    outcomes: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[Noted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run will take when nothing goes wrong.

    Attributes:
        requests: by the attempt protocol, without retries. seconds: of sending, at ``rate`` writes
            per second. done_at: when it would be done if it began now; None where it never is.
    """

    writes: int
    requests: int
    seconds: float
    rate: float
    windows: tuple[str, ...] = ()
    timezone: str = ""
    done_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """How many changes of a run were decided when.

    Attributes:
        seconds: width of a step. steps: by outcome, from ``start`` on, empty ones included.
        per_second: while it was at work, pauses left out.
    """

    start: datetime
    end: datetime
    seconds: float
    steps: tuple[Mapping[Outcome, int], ...]
    per_second: float


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened to a run as a whole.

    Attributes:
        kind: ``started``, ``paused``, ``pause_lifted``, ``rate_set``, ``waiting``, ``went_on``,
            ``taken_over``, or the state that the run came to, ``resumed`` for ``running``.
        by: who, or on which host; empty where nobody says. reason: why. rate: of ``rate_set``.
        until: of ``waiting``, where it is known.
    """

    at: datetime
    kind: str
    by: str = ""
    reason: str = ""
    rate: float | None = None
    until: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Changes of a library's holdings, which go out to it with the next export."""

    sigel: str
    count: int


REQUESTS = {
    (Action.UPDATE, ""): 3,
    (Action.DELETE, ""): 4,
    (Action.CREATE, "holding"): 3,
    (Action.CREATE, "bib"): 2,
}

"""Requests of one change by action and kind, when nothing goes wrong."""


def requests_for(kinds: Mapping[tuple[Action, str], int]) -> int:
    """Return how many requests so many changes take, the login's included.

    Args:
        kinds: by action and kind of record.
    """
    total = 1
    for (action, kind), count in kinds.items():
        each = REQUESTS.get((action, kind), REQUESTS.get((action, ""), 0))
        total += each * count
    return total


REPORT_VERSION = 1

"""Of the JSON document; rises when a field changes its meaning or goes away."""

ORDER = (
    Action.DELETE,
    Action.UPDATE,
    Action.CREATE,
    Action.REFUSED,
    Action.NOT_FOUND,
    Action.UNCHANGED,
)

"""What cannot be taken back comes first."""

PROBLEMS = (Outcome.CONFLICT, Outcome.UNKNOWN, Outcome.FAILED, Outcome.REFUSED)

"""Outcomes that a person should look at, in the order they are shown."""

SAMPLES = 3

"""Changes shown for each pattern or reason."""


@dataclass(frozen=True, kw_only=True)
class Tried:
    """What a test run did with a change; ``link`` is the record's address there, where safe."""

    twin: Twin
    link: str | None = None


@dataclass(frozen=True, kw_only=True)
class ReportedChange:
    """One planned change as the report shows it.

    Attributes:
        differences: between the document as read and the one to be sent; of a record to be
            deleted its content, as removed; of one to be created its content, as added.
        beyond: places of that content that are not among the differences.
        result: None in the report of a plan.
        link: address of the record in the environment, None where it has none that is safe.
        tried: what a test run did with the same change, None where none did.
    """

    change: PlannedChange
    differences: tuple[Difference, ...] = ()
    beyond: int = 0
    result: Result | None = None
    attempts: tuple[Attempt, ...] = ()
    link: str | None = None
    tried: Tried | None = None

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


Level: TypeAlias = Literal["values", "others", "shape", "coarse", "all", "joint"]

"""How much the changes of a group have in common.

``values``: they do the very same. ``shape``: the same to the same places, with different values.
``others``: as ``shape``, those whose values got no group of their own. ``coarse``: they touch the
same properties. ``all``: only action and kind of record. ``joint``: they are parts of one thing, such
as a move, and are told by libraries.
"""

Why: TypeAlias = Literal["rare", "longest", "most"]


@dataclass(frozen=True, kw_only=True)
class PatternValue:
    """What stands in a changed place, or at a place inside it, in general."""

    at: str
    before: General
    after: General


@dataclass(frozen=True, kw_only=True)
class PatternPart:
    """A place that the changes of a group touch; of deletions a property that goes away.

    Attributes:
        place: without list indexes. values: empty where only the property is known.
    """

    place: str
    kind: Literal["added", "removed", "changed"]
    values: tuple[PatternValue, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Variant:
    """The same values in ``count`` changes."""

    parts: tuple[PatternPart, ...]
    count: int


@dataclass(frozen=True, kw_only=True)
class Outlier:
    """A change that stands out in its group.

    Attributes:
        measure: of ``rare`` how many have its values, of ``longest`` the characters of its longest
            value, of ``most`` the places that it touches.
    """

    why: Why
    change: ReportedChange
    measure: int


@dataclass(frozen=True, kw_only=True)
class Joint:
    """What changes that belong together come to.

    Attributes:
        verb: ``move``, ``merge``, ``split``, ``repoint`` or ``copy``.
        records: how many holdings are moved, merged and so on.
        mixed: patterns of what is saved and changed by the job as well, with how many.
        actions: changes by action. origins, destinations: sigels that content leaves and comes to,
            with the changes of each side.
        partners: of each sample by its number, the changes that save what it takes away.
    """

    verb: str
    records: int
    mixed: Mapping[str, int]
    actions: Mapping[Action, int]
    origins: Mapping[str, int]
    destinations: Mapping[str, int]
    partners: Mapping[int, tuple[ReportedChange, ...]]


@dataclass(frozen=True, kw_only=True)
class PatternGroup:
    """Changes that do the same to different records.

    Attributes:
        sigels: how many by sigel, the largest first.
        samples: at most ``SAMPLES``, chosen to differ.
        variants: the commonest values. rarer: changes with any other values.
        different: how many sets of values there are; None where they were too many to count.
        origin: the planner's name of what an undo restores, empty in any other plan.
        verb: ``revert``, ``resave`` or ``replace`` where the job says so. joint: of level ``joint``.
    """

    action: Action
    kind: str | None
    level: Level
    parts: tuple[PatternPart, ...]
    count: int
    sigels: Mapping[str, int]
    samples: tuple[ReportedChange, ...]
    outliers: tuple[Outlier, ...] = ()
    variants: tuple[Variant, ...] = ()
    rarer: int = 0
    different: int | None = None
    origin: str = ""
    verb: str = ""
    joint: Joint | None = None


@dataclass(frozen=True, kw_only=True)
class ReasonGroup:
    """Operations that come to nothing for one reason.

    Attributes:
        occurrences: those that two steps say alike of one line of input counted once.
        at_most: refusals of this code that the manifest accepts, None where it names none.
    """

    action: Action
    code: str
    count: int
    occurrences: int
    samples: tuple[ReportedChange, ...]
    at_most: int | None = None
    accepted_because: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the manifest lives with all of them."""
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
    """What the changes of a plan have in common.

    Attributes:
        kinds: changes by action and kind of record.
        looks: other records that are read just before changes are sent.
        beyond_cleanups: what is not listed. pattern_of: which of the patterns a change is in,
            counted from 0; -1: in none.
    """

    patterns: tuple[PatternGroup, ...] = ()
    reasons: tuple[ReasonGroup, ...] = ()
    cleanups: tuple[TextGroup, ...] = ()
    notes: tuple[TextGroup, ...] = ()
    kinds: Mapping[tuple[Action, str], int] = field(default_factory=dict)
    looks: int = 0
    beyond_cleanups: int = 0
    pattern_of: Callable[[ReportedChange], int] = field(default=lambda _: -1, compare=False)


Stream = Callable[[], Iterator[ReportedChange]]


def nothing_left_out() -> Iterator[InputLine]:
    """Stand for the lines of a job without lists and tables."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything a report shows. Long lists are functions that start a new stream.

    Attributes:
        counts: by action. sigels: by sigel, then action. outcomes: None in the report of a plan.
        problems: changes of the run that a person should look at. changes: every change.
        left_out: lines of inputs that give no change. inputs: how lists and tables were read.
        selections: what the environment answered to searches and libraries, by step.
        head: the ledger's newest hash when the report was made.
        libraries: names by sigel. risks: what to look at twice. not_restored: by an undo.
        staging: what test runs did. estimate: of the run; None where the speed is not known.
        timeline: None in the report of a plan, and before anything was decided.
        moments: of the run, oldest first.
        rules: how the plan stands to them.
        approvals: answers to the plan, oldest first.
        excluded: refused outcomes of the run that the answer asked for.
    """

    plan: Plan
    run: Run | None
    generated_at: datetime
    gates: tuple[GateResult, ...]
    loosened: tuple[LooserValue, ...]
    counts: Mapping[str, int]
    sigels: Mapping[str, Mapping[str, int]]
    outcomes: Mapping[str, int] | None
    approvals: tuple[WeighedAnswer, ...]
    evidence: Evidence | None
    grouped: Grouped
    problems: Stream
    changes: Stream
    head: str
    left_out: Callable[[], Iterator[InputLine]] = nothing_left_out
    inputs: tuple[Mapping[str, Any], ...] = ()
    selections: tuple[Mapping[str, Any], ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)
    risks: tuple[Noted, ...] = ()
    not_restored: tuple[Noted, ...] = ()
    staging: StagingSummary = field(default_factory=StagingSummary)
    estimate: Estimate | None = None
    timeline: Timeline | None = None
    moments: tuple[Moment, ...] = ()
    rules: tuple[RuleResult, ...] = ()
    excluded: int = 0

    @property
    def production(self) -> bool:
        """Whether the plan is for a production environment."""
        return self.plan.addresses.get("kind") == Kind.PRODUCTION

    @property
    def rejected(self) -> Approval | None:
        """The no that stands, None where there is none."""
        return the_no(self.approvals)

    @property
    def statements(self) -> tuple[str, ...]:
        """What an approval must contain, word for word."""
        untried = undone_by(self.plan) is not None and any(
            gate.name == "staging" and not gate.open for gate in self.gates
        )
        looser = tuple(item.statement() for item in self.loosened)
        return (*looser, UNTRIED) if untried else looser

    @property
    def answerable(self) -> bool:
        """Whether there is something to say yes or no to."""
        return self.production and self.plan.plan_digest is not None

    def head_text(self, *keys: str) -> str:
        """Return a text of the manifest's head, empty where it has none."""
        value: Any = self.plan.manifest
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return "" if value is None else str(value)


def record_link(base_url: str, record: str | None) -> str | None:
    """Return the record's address where it is safe to click: https, or http on this machine."""
    if record is None or not SHORT_ID.fullmatch(record):
        return None
    try:
        scheme = urlsplit(base_url).scheme
        safe = scheme == "https" or (scheme == "http" and is_loopback(base_url))
    except ValueError:
        return None
    return f"{base_url.rstrip('/')}/{record}" if safe else None
