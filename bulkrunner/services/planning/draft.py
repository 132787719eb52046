"""What the steps of planning one change hand to each other, and how a draft of it is put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from bulkrunner.domain.iris import IriMap, RefKind
from bulkrunner.domain.plan import (
    HOLDING_KEY,
    Action,
    AppliedChange,
    BibSummary,
    Origin,
    Part,
    PlannedChange,
    operation_digest,
    record_key,
)
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.records import Document
from bulkrunner.domain.refusals import Refusal, Refused
from bulkrunner.domain.text import printable
from bulkrunner.errors import CatalogueUnreachable, Source
from bulkrunner.sentences import Sentence

NEW = "new"
"""Stands, in an operation, for the record that the same change creates."""

LEFT_BEHIND = ("left_behind", Sentence("left_behind"))
"""Note of a record from which nothing is taken, since there is a holding where it was to go."""

NOT_MET = "where_not_met"
"""Code of a record that a step does not mean."""

FAILED = (Action.REFUSED, Action.NOT_FOUND)

T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]
"""Fields of a planned change."""


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


INSTEAD = (PassedOver, NotFound, Refused, CatalogueUnreachable)
"""What may be raised instead of returning what a record becomes."""


def demand(refusal: Refusal | None) -> None:
    """Raise a refusal where there is one."""
    if refusal is not None:
        raise Refused.of(refusal)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What one entry of the manifest wants of one record.

    Attributes:
        ref: the record, or the bib that a holding is created on.
        verb: what it is called in the manifest.
        step: number of its step; None for an explicit operation, which never adds to another one.
        on_missing: ``report`` or ``refuse``; None: as the manifest says.
        on_duplicate: ``refuse`` or ``skip``.
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
    subject: bool = True
    operation: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class UpdateIntent:
    """A change to one existing record.

    Attributes:
        operation: in neutral form, equal in every environment.
        wish: the same before anything was looked up in the record; None where it is the same.
        pattern: what it does, values left out, in parts.
        resave: the record is sent even if nothing changes.
        origins: records whose content goes into it.
    """

    operation: Mapping[str, Any]
    pattern: tuple[Sentence, ...] = ()
    wish: Mapping[str, Any] | None = None
    resave: bool = False
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeleteIntent:
    """The deletion of one existing record; attributes as of an update."""

    operation: Mapping[str, Any]
    pattern: Sentence | None = None
    wish: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class CreateIntent:
    """A holding to be created; attributes as of an update."""

    sigel: str
    operation: Mapping[str, Any]
    pattern: Sentence
    wish: Mapping[str, Any] | None = None
    origins: tuple[Origin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FunctionIntent:
    """What a function is to say of one existing record.

    Attributes:
        wish: what is asked. operation: nothing, until it has answered.
        removal: the operation in neutral form where it answers to delete the record, among others.
    """

    wish: Mapping[str, Any]
    removal: Mapping[str, Any]
    operation: Mapping[str, Any] = field(default_factory=dict)


Intent: TypeAlias = UpdateIntent | DeleteIntent | CreateIntent | FunctionIntent


def intent_digest(intent: Intent) -> str:
    """Return the digest of what one entry wants of a record."""
    return operation_digest(intent.operation if intent.wish is None else intent.wish)


@dataclass(kw_only=True)
class Target:
    """What is known of the record so far, for whatever the change turns out to be.

    Attributes:
        read_by: as of a planned change.
        now: the record as what precedes in the plan will have left it; else as read.
        earlier: the change of this plan that concerns the record already, to be added to.
        hung: short id of the bib that earlier steps hang it on; None: none did.
        waits: numbers of changes of this plan that must end well first.
        place: ``holding:<bib>:<sigel>`` that the record goes over to.
        origins: records whose content goes into this one.
        operation: what is done to it, in neutral form. wish: digest of what is wanted of it.
        gone: it was deleted. repeated: the part in which the same step has named it already.
    """

    record: str
    kind: str | None = None
    sigel: str | None = None
    bib: BibSummary | None = None
    library: str = ""
    etag: str | None = None
    read_by: str = ""
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
    gone: NotFound | None = None
    repeated: Part | None = None

    @classmethod
    def of(cls, request: Request) -> Target:
        """Return a record of which nothing is known but its name."""
        return cls(record=request.ref, operation=request.operation)

    def intends(self, intent: Intent) -> str:
        """Note what is wanted of the record; returns the digest of that."""
        self.operation, self.wish = intent.operation, intent_digest(intent)
        return self.wish

    def wait_for(self, numbers: Sequence[int]) -> None:
        """Note changes that must end well first."""
        self.waits = tuple(sorted({*self.waits, *numbers}))

    @property
    def name(self) -> str:
        """What an operation calls the record: its id, or ``new`` where the plan creates it."""
        key = self.earlier.target_key if self.earlier is not None else None
        return NEW if key is not None and key.startswith(HOLDING_KEY) else self.record

    @property
    def on_bib(self) -> str:
        """The bib that it is on by now, by its short id; empty where none is known."""
        own = self.bib.id if self.bib is not None else ""
        return own if self.hung is None else self.hung

    @property
    def name_in_plan(self) -> str:
        """What entries of the plan call the record: its id, or the place of one to be made."""
        return self.record if self.name != NEW else self.target_key or self.record

    def as_origins(self) -> tuple[Origin, ...]:
        """Return the record as one whose content goes elsewhere; none where it is yet to be made."""
        if self.before is None:
            return ()
        earlier = self.earlier.after_fingerprint if self.earlier is not None else None
        prints = dict.fromkeys((before_fingerprint(self.before), earlier))
        return (Origin(record=self.record, fingerprints=tuple(one for one in prints if one)),)

    @property
    def is_stuck(self) -> bool:
        """Whether nothing more can come of the record in this plan."""
        earlier = self.earlier
        return earlier is not None and (
            earlier.action in FAILED
            or (earlier.action is Action.UNCHANGED and earlier.before is None)
        )


@contextmanager
def still_wanted(target: Target) -> Iterator[None]:
    """Forget what is wanted of a record that turns out not to be meant."""
    try:
        yield
    except PassedOver:
        target.operation, target.wish = {}, None
        raise


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
class Drafter:
    """Turns fields of changes, and what is raised instead, into planned changes."""

    iris: IriMap
    on_missing: str

    def change(self, request: Request, target: Target, plan: Callable[[], Fields]) -> PlannedChange:
        """Return what becomes of one record; refusals are changes too.

        ``plan`` returns the fields, or raises why there are none; it fills the target meanwhile.
        """
        try:
            fields = plan()
        except INSTEAD as error:
            fields = self._instead(request, error)
        return self._entered(request, target, fields)

    def attempt(
        self, request: Request, do: Callable[[], T], target: Target | None = None
    ) -> T | PlannedChange:
        """Return what something comes to, or the change that says why it comes to nothing."""
        try:
            return do()
        except INSTEAD as error:
            fields = self._instead(request, error)
        return self._entered(request, target or Target(record=request.ref), fields)

    def _instead(self, request: Request, error: Exception) -> Fields:
        """Return the fields of a change that comes of an error."""
        match error:
            case PassedOver():
                return unchanged(error.code, error.message) | {"passed": True}
            case Refused():
                return as_refused(error.refusal)
            case NotFound():
                policy = request.on_missing or self.on_missing
                action = Action.REFUSED if policy == "refuse" else Action.NOT_FOUND
                return {"action": action, "code": error.code, "message": error.message}
            case CatalogueUnreachable(code="unreadable_record"):
                # It came whole but is no record; asking again would not help.
                return as_refused(Refusal(error.code, error.message, error.hint))
        raise error

    def _named_key(self, request: Request, target: Target) -> str | None:
        """Return the key of the record that a refused entry names; None: it is no record's."""
        if request.verb == "create" or target.kind is not None:
            return None
        ref = self.iris.parse(target.record)
        return record_key(ref.value) if ref and ref.kind is RefKind.SHORT_ID else None

    def _entered(self, request: Request, target: Target, fields: Fields) -> PlannedChange:
        """Return the change, put together with the one that concerns the record already."""
        if fields.get("message"):
            fields["message"] = printable(fields["message"])
        passed, kept = fields.pop("passed", False), fields.pop("kept", False)
        own = fields.pop("own", {})
        earlier = target.earlier
        if target.target_key is None and fields["action"] is Action.REFUSED:
            target.target_key = self._named_key(request, target)
        told: Fields = {
            "number": 0,
            "record": target.record,
            "given": request.given,
            "source": request.source,
            "declared": request.verb,
            "operation": target.operation,
            "wish": _unless_same(target.wish, target.operation),
            "kind": target.kind,
            "sigel": target.sigel,
            "bib": target.bib,
            "library": target.library,
            "etag": target.etag,
            "read_by": target.read_by,
            "before": target.before,
            "target_key": target.target_key,
            "notes": target.notes,
            "prerequisites": target.waits,
            "origins": target.origins,
            "place": target.place,
            "step": request.step,
        }
        alone = PlannedChange(**{**told, **fields})
        part = _part_of(request, replace(alone, **own), target.wish or "")
        if earlier is None:
            return alone if request.subject else replace(alone, parts=(part,))
        parts = (*parts_of(earlier), part)
        if passed:
            return replace(earlier, parts=parts)
        joined = _joined_operation(earlier, target.operation)
        wish = _unless_same(joined_wish(earlier, part.wish) if part.wish else None, joined)
        if kept:
            return replace(earlier, parts=parts, operation=joined, wish=wish)
        return replace(
            alone,
            number=earlier.number,
            given=earlier.given,
            source=earlier.source,
            declared=earlier.declared,
            step=earlier.step,
            operation=joined,
            wish=wish,
            origins=tuple(dict.fromkeys((*earlier.origins, *target.origins))),
            parts=parts,
        )


def unchanged(code: str, message: str) -> Fields:
    """Return the fields of a change that writes nothing."""
    return {"action": Action.UNCHANGED, "code": code, "message": message}


def _unless_same(wish: str | None, operation: Mapping[str, Any]) -> str | None:
    """Return a digest of what is wanted, None where it is the operation's own."""
    return None if wish is None or wish == operation_digest(operation) else wish


def as_refused(refusal: Refusal) -> Fields:
    """Return the fields of a refused change."""
    return {"action": Action.REFUSED, "code": refusal.code, "message": refusal.whole}


def made_earlier(target: Target, made: AppliedChange) -> Fields:
    """Return the fields of a change that an earlier run has made, as it was carried out."""
    if target.earlier is None and made.operation:
        target.operation = made.operation
    fingerprint = before_fingerprint(target.before) if target.before is not None else None
    return {
        "action": Action.UNCHANGED,
        "code": "applied_earlier",
        "message": Sentence("applied_earlier", run=made.run),
        "before_fingerprint": fingerprint,
    }


def _joined_operation(
    earlier: PlannedChange | None, operation: Mapping[str, Any]
) -> dict[str, Any]:
    """Return one operation in neutral form for what is done to a record by and by."""
    done = dict(earlier.operation) if earlier is not None else {}
    if not done:
        return dict(operation)
    if not operation:
        return done
    return {"steps": [*done.get("steps", [done]), dict(operation)]}


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


def _part_of(request: Request, change: PlannedChange, wish: str) -> Part:
    """Return an entry's own part in a change, which is as the entry would have it by itself."""
    return Part(
        step=request.step,
        source=request.source,
        given=request.given,
        action=change.action,
        code=change.code,
        message=change.message,
        wish=wish,
        subject=request.subject,
    )


def subject_part(change: PlannedChange, step: int | None) -> Part | None:
    """Return the part in which the same step has named the record already."""
    if step is None:
        return None
    return next((part for part in parts_of(change) if part.subject and part.step == step), None)
