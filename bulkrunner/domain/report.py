"""What a report says of a plan, a run, or two plans: plain data, before any language or file format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

from bulkrunner.domain.approvals import Approval, WeighedAnswer, the_no
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.diff import contents
from bulkrunner.domain.environment import Kind, is_loopback
from bulkrunner.domain.iris import SHORT_ID
from bulkrunner.domain.plan import Action, Plan, PlannedChange
from bulkrunner.domain.policy import LooserValue
from bulkrunner.domain.records import Document
from bulkrunner.domain.report_groups import Grouped, ReportedChange
from bulkrunner.domain.rules import Evidence, GateResult, RuleResult
from bulkrunner.domain.run import Outcome, Run
from bulkrunner.domain.standing import Bounds, Resting, asked_of
from bulkrunner.domain.steps import InputLine
from bulkrunner.domain.undo import UNTRIED, undone_by


@dataclass(frozen=True, kw_only=True)
class Noted:
    """Something that is true of ``count`` changes, 0: of the plan."""

    # ``numbers`` are the first of them.

    code: str
    count: int = 0
    numbers: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StagingSummary:
    """What test runs did with the plan's changes."""

    # By word, one for each change that was tried.
    outcomes: Mapping[str, int] = field(default_factory=dict)
    # Where production will differ from what was seen: ``other_content`` (the record stood otherwise
    # in the test environment), ``not_as_predicted`` and ``cleanups`` (the server stored something
    # else than planned, or changed more).
    remarks: tuple[Noted, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """How long a run will take when nothing goes wrong."""

    writes: int
    requests: int  # by the attempt protocol, without retries
    seconds: float  # of sending, at ``rate`` writes per second
    rate: float
    windows: tuple[str, ...] = ()
    timezone: str = ""
    done_at: datetime | None = None  # when it would be done if it began now; None where it never is


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """How many changes of a run were decided when."""

    start: datetime
    end: datetime
    seconds: float  # width of a step
    steps: tuple[Mapping[Outcome, int], ...]  # by outcome, from ``start`` on, empty ones included
    per_second: float  # while it was at work, pauses left out


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Something that happened to a run as a whole."""

    at: datetime
    # ``started``, ``paused``, ``pause_lifted``, ``rate_set``, ``waiting``, ``went_on``,
    # ``taken_over``, or the state that the run came to, ``resumed`` for ``running``.
    kind: str
    by: str = ""  # who, or on which host; empty where nobody says
    reason: str = ""  # why
    rate: float | None = None  # of ``rate_set``
    until: datetime | None = None  # of ``waiting``, where it is known


@dataclass(frozen=True, kw_only=True)
class Exported:
    """Changes of a library's holdings, which go out to it with the next export."""

    sigel: str
    count: int


# Requests of one change by action and kind, when nothing goes wrong.
REQUESTS = {
    (Action.UPDATE, ""): 3,
    (Action.DELETE, ""): 4,
    (Action.CREATE, "holding"): 3,
    (Action.CREATE, "bib"): 2,
}


def requests_for(kinds: Mapping[tuple[Action, str], int]) -> int:
    """Return how many requests so many changes, by action and kind, take, the login's included."""
    total = 1
    for (action, kind), count in kinds.items():
        each = REQUESTS.get((action, kind), REQUESTS.get((action, ""), 0))
        total += each * count
    return total


REPORT_VERSION = 1  # of the JSON document; rises when a field changes its meaning or goes away

# What cannot be taken back comes first.
ORDER = (
    Action.DELETE,
    Action.UPDATE,
    Action.CREATE,
    Action.REFUSED,
    Action.NOT_FOUND,
    Action.UNCHANGED,
)

# Outcomes that a person should look at, in the order they are shown.
SAMPLES = 3  # changes shown for each pattern or reason

Stream = Callable[[], Iterator[ReportedChange]]


def nothing_left_out() -> Iterator[InputLine]:
    """Stand for the lines of a job without lists and tables."""
    return iter(())


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """Everything a report shows. Long lists are functions that start a new stream."""

    plan: Plan
    run: Run | None
    generated_at: datetime
    gates: tuple[GateResult, ...]
    loosened: tuple[LooserValue, ...]
    counts: Mapping[str, int]  # by action
    sigels: Mapping[str, Mapping[str, int]]  # by sigel, then action
    outcomes: Mapping[str, int] | None  # None in the report of a plan
    approvals: tuple[WeighedAnswer, ...]  # answers to the plan, oldest first
    evidence: Evidence | None
    grouped: Grouped
    problems: Stream  # changes of the run that a person should look at
    changes: Stream  # every change
    head: str  # the ledger's newest hash when the report was made
    # Lines of inputs that give no change.
    left_out: Callable[[], Iterator[InputLine]] = nothing_left_out
    inputs: tuple[Mapping[str, Any], ...] = ()  # how lists and tables were read
    reads: Mapping[str, int] = field(default_factory=dict)  # records by how they were read
    # What the environment answered to searches and libraries, by step.
    selections: tuple[Mapping[str, Any], ...] = ()
    libraries: Mapping[str, str] = field(default_factory=dict)  # names by sigel
    risks: tuple[Noted, ...] = ()  # what to look at twice
    not_restored: tuple[Noted, ...] = ()  # by an undo
    staging: StagingSummary = field(default_factory=StagingSummary)  # what test runs did
    estimate: Estimate | None = None  # of the run; None where the speed is not known
    # None in the report of a plan, and before anything was decided.
    timeline: Timeline | None = None
    moments: tuple[Moment, ...] = ()  # of the run, oldest first
    rules: tuple[RuleResult, ...] = ()  # how the plan stands to them
    excluded: int = 0  # refused outcomes of the run that the answer asked for
    # Outcome, code and count of what did not come about, the commonest first.
    causes: tuple[tuple[Outcome, str, int], ...] = ()
    # Of the run, by sigel and outcome; what the answer left out as ``excluded``.
    sigel_outcomes: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    rests_on: Resting | None = None  # a standing approval; None: answers of its own decide
    sigel: str = ""  # whose changes alone the report is on, empty: every library's

    @property
    def production(self) -> bool:
        """Return True if the plan is for a production environment."""
        return self.plan.addresses.get("kind") == Kind.PRODUCTION

    @property
    def rejected(self) -> Approval | None:
        """The no that stands, None where there is none."""
        return the_no(self.approvals)

    @property
    def asked(self) -> Bounds | None:
        """The standing approval that the manifest asks for; None where it asks for none."""
        return asked_of(self.plan)

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
        """Return True if there is something to say yes or no to."""
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


# ``added``, ``removed``: only in the newer or the older plan. ``action``: another action, such as a
# change that is refused now. ``operation``: the job asks for something else. ``content``: the same
# is asked for, but the record stands otherwise than before, so that something else is sent.
# ``reason``: refused or left out as before, for another reason.
DifferenceKind: TypeAlias = Literal["added", "removed", "action", "operation", "content", "reason"]

KINDS: tuple[DifferenceKind, ...] = ("action", "operation", "content", "added", "removed", "reason")
CHANGES_NAMED = 20


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One record that the plans say different things of; None where a plan does not name it."""

    kind: DifferenceKind
    older: PlannedChange | None
    newer: PlannedChange | None

    @property
    def places(self) -> list[tuple[str, Any, Any]]:
        """Return (place, older, newer) of what would be stored, or goes away; None: not there."""
        # Where that is the same, of what the change would be made in. Empty where the plans do not
        # do the same kind of thing with the record.
        if self.kind not in ("operation", "content") or self.older is None or self.newer is None:
            return []
        stored = _places(_content(self.older), _content(self.newer))
        return stored or _places(self.older.before or {}, self.newer.before or {})


def _places(older: Document, newer: Document) -> list[tuple[str, Any, Any]]:
    was, now = dict(contents(older)), dict(contents(newer))
    return [
        (place, was.get(place), now.get(place))
        for place in dict.fromkeys((*was, *now))
        if canonical_bytes(was.get(place)) != canonical_bytes(now.get(place))
    ]


def _content(change: PlannedChange) -> Document:
    return change.after or change.before or {}


@dataclass(frozen=True, kw_only=True)
class Difference:
    """Records that differ in the same way."""

    kind: DifferenceKind
    # was, now: action, with the code of a refusal; empty where a plan does not name the record.
    was: str
    now: str
    count: int
    samples: tuple[Compared, ...]  # the first of them


@dataclass(frozen=True, kw_only=True)
class PlanDiff:
    """What changed between two plans."""

    older: Plan
    newer: Plan
    heads: Mapping[str, tuple[Any, Any]]  # what differs in the plans' heads: name → (older, newer)
    same: int  # records that both plans say the same of
    differences: tuple[Difference, ...] = field(default=())
    swapped: bool = False  # they were given in the other order

    @property
    def changed(self) -> bool:
        """Return True if a run of the newer plan would do something else than one of the older."""
        return any(item.kind != "reason" for item in self.differences)


def head_differences(older: Plan, newer: Plan) -> dict[str, tuple[Any, Any]]:
    """Return what differs in two plans' heads, without their ids and times."""
    return {
        name: (mine, theirs)
        for (name, mine), (_, theirs) in zip(_head(older), _head(newer), strict=True)
        if canonical_bytes(mine) != canonical_bytes(theirs)
    }


def _head(plan: Plan) -> Iterator[tuple[str, Any]]:
    yield "job", plan.job
    yield "environment", plan.environment
    for key in ("kind", "base_url", "token_url", "base_uri"):
        yield key, plan.addresses.get(key)
    yield "manifest_digest", plan.manifest_digest
    yield "effect_digest", plan.effect_digest
    for key in ("title", "on_behalf_of", "active_sigel", "sigels", "ceilings", "accept"):
        yield key, plan.manifest.get(key)
    yield "agreement", plan.manifest.get("agreement")
    yield "policy", dict(plan.policy)
    yield "program_version", plan.program_version
    yield "counts", {name: count for name, count in plan.counts.items() if count}
