"""Steps: which records, and what is done with each of them.

A manifest's steps are streamed as entries: one for each line, row or id of a step's selection, or
one for a selection that only an environment can answer. Planning turns each entry into changes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from bulkrunner.domain.manifest import Declared, Job

if TYPE_CHECKING:
    from bulkrunner.domain.changes.change import Change
    from bulkrunner.domain.expressions.conditions import Condition
    from bulkrunner.domain.functions import FunctionSource
    from bulkrunner.domain.refusals import Refusal
    from bulkrunner.errors import Source

Value: TypeAlias = Any
"""JSON, or a ``Dynamic`` where it refers to the record, its bib, the row or a parameter."""


@dataclass(frozen=True, kw_only=True)
class StepUpdate:
    """Each record is changed; exactly one of changes and resave is given."""

    changes: tuple[Change, ...] = ()
    resave: bool = False


@dataclass(frozen=True, kw_only=True)
class StepDelete:
    """Each record is deleted."""


@dataclass(frozen=True, kw_only=True)
class StepCreate:
    """Each selected bib gets a holding of the sigel."""

    sigel: Value
    body: Mapping[str, Value] = field(default_factory=dict)
    record: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StepMove:
    """Each holding goes over to another library: created anew there, then deleted here."""

    to: Value


@dataclass(frozen=True, kw_only=True)
class StepRepoint:
    """Each holding is hung on another bib."""

    to: Value


@dataclass(frozen=True, kw_only=True)
class StepCopy:
    """Each holding is copied to another library, another bib, or both; None: as it has it.

    Attributes:
        without: places that a copy does not get.
    """

    sigel: Value = None
    of: Value = None
    without: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class StepMerge:
    """The places taken of each holding are added to another one; then the first is deleted.

    Attributes:
        into: names the other one. holding_of: or the library whose holding on the same bib it is.
    """

    into: Value = None
    holding_of: Value = None
    take: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class StepSplit:
    """The components that meet a condition become a holding of their own."""

    components: Condition
    sigel: Value = None
    of: Value = None


@dataclass(frozen=True, kw_only=True)
class StepRevert:
    """Each record gets back the content of a version: one of these says which.

    Attributes:
        version: as the server counts: -2 is the one before the newest, 0 the first.
        before: the moment up to which edits count. edit_by: the library before whose first edit, of
            those after ``since`` where that is given.
        job, effect_digest: of the job whose runs are meant.
    """

    version: int | None = None
    before: Value = None
    edit_by: Value = None
    since: Value = None
    job: str = ""
    effect_digest: str = ""


@dataclass(frozen=True, kw_only=True)
class StepFunction:
    """Each record is given to a function of the job folder.

    Attributes:
        on_bibs: the records are bibs, which the function only looks at: it returns operations.
    """

    source: FunctionSource
    on_bibs: bool = False


StepTransfer: TypeAlias = StepMove | StepRepoint | StepCopy | StepMerge | StepSplit | StepRevert
"""Actions that are more than one plain operation."""

StepAction: TypeAlias = (
    StepUpdate
    | StepDelete
    | StepCreate
    | StepMove
    | StepRepoint
    | StepCopy
    | StepMerge
    | StepSplit
    | StepRevert
    | StepFunction
)


@dataclass(frozen=True, kw_only=True)
class Step:
    """A step without its selection.

    Attributes:
        number: among the manifest's steps, from 1.
        holdings: whose holdings of the selected bibs are meant: ``own``, ``all`` or sigels; None:
            the selected records themselves.
        where: condition on the fetched record; what does not meet it is passed over.
        expect: values that the record must have, or it is refused.
        on_missing: ``report`` or ``refuse``; None: as the manifest says.
        on_several: ``refuse`` or ``all``: where one input names several records.
        on_duplicate: ``refuse`` or ``skip``: where the library has a holding on the bib already.
    """

    number: int
    source: Source
    action: StepAction
    name: str = ""
    holdings: str | tuple[str, ...] | None = None
    where: Condition | None = None
    expect: Mapping[str, Value] = field(default_factory=dict)
    on_missing: str | None = None
    on_several: str = "refuse"
    on_duplicate: str = "refuse"

    @property
    def concerns_selected(self) -> bool:
        """Whether the selected records themselves are changed, not others that belong to them."""
        return self.holdings is None and not isinstance(self.action, StepCreate)


@dataclass(frozen=True, kw_only=True)
class StepEntry:
    """One input of a step.

    Attributes:
        given: what names the record, as written.
        ref: the same in its normal form: short id, legacy IRI, or a dialect that planning resolves.
        row: the row's columns where the selection is a table.
        query: what the record must fit where a search or a dump named it.
        refusal: why the input cannot be used, though it names a record: it refuses that.
    """

    source: Source
    step: Step
    given: str
    ref: str
    row: Mapping[str, str] | None = None
    query: Mapping[str, Any] | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, kw_only=True)
class StepSelection:
    """A selection that only the environment can answer; resolved once for each plan.

    Attributes:
        selects: as declared: ``{"find": …}`` or ``{"library": …}``.
    """

    source: Source
    step: Step
    selects: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class InputLine:
    """A line or row of an input that gives no change, so that every line is accounted for.

    Attributes:
        code: ``blank``, ``comment``, ``repeat`` (of the line in ``message``) or ``other_outcome``.
        given: what stands there, cut where it is long.
    """

    source: Source
    code: str
    given: str = ""
    message: str = ""


Entry: TypeAlias = Declared | StepEntry | StepSelection | InputLine
"""What a manifest's stream is made of."""


class JobSource(Protocol):
    """A checked manifest whose operations and steps are streamed from its files."""

    @property
    def job(self) -> Job:
        """The manifest's head and digests."""

    @property
    def folder(self) -> str:
        """The job folder, as an absolute path."""

    def operations(self) -> Iterator[Entry]:
        """Yield every operation, then the entries of every step; the same sequence each time."""
