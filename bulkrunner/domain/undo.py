"""Restoring: what an undo does with one change that a run applied."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bulkrunner.domain.canonical import canonical_bytes, same
from bulkrunner.domain.places import RECORD_PATH, THING_PATH, Path
from bulkrunner.domain.plan import Action, Plan, PlannedChange, operation_digest
from bulkrunner.domain.records import WRITTEN_AT_SAVE, Document, record_part, thing_part
from bulkrunner.domain.run import Result
from bulkrunner.domain.stored_form import comparable
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.domain.settlement.updates import Left

# What an approval says, word for word, to an undo that no test environment has tried.
UNTRIED = "undo, untried"


def undone_by(plan: Plan) -> Mapping[str, Any] | None:
    """Return ``{job, effect_digest}`` of what the plan's job undoes; None for any other job."""
    found = plan.manifest.get("undo")
    return found if isinstance(found, dict) else None


def undo_operation(run: str, digest: str) -> dict[str, Any]:
    """Return the operation, in neutral form, that takes back a run's change, by its operation's digest."""
    return {"undo": digest, "run": run}


def undo_digest(run: str, digest: str) -> str:
    """Return the digest of ``undo_operation``."""
    return operation_digest(undo_operation(run, digest))


@dataclass(frozen=True, kw_only=True)
class Precedent:
    """What must be restored first: what waited for a change goes back before it."""

    key: str | None  # by which its restoration is found in the plan; None where the plan has none
    what: str  # for people


@dataclass(frozen=True, kw_only=True)
class Restore:
    """One change that a run applied and that is to be taken back."""

    source: Source
    run: str
    change: PlannedChange
    result: Result
    sigel: str  # as whom the run wrote
    behind: tuple[Precedent, ...] = ()  # what must be restored before it
    # Keys of restorations, planned already, that must not be carried out before it.
    ahead: tuple[str, ...] = ()

    @property
    def record(self) -> str:
        """Short id of the record that was written."""
        return self.result.record or self.change.record

    def operation(self) -> dict[str, Any]:
        """Return the operation in neutral form."""
        return undo_operation(self.run, self.change.wish_digest())

    def kind_of_restoring(self) -> Sentence:
        """Return what staging must have tried, as a pattern."""
        from bulkrunner.domain.report_groups import restoring_pattern

        return restoring_pattern(self.change.action, self.change.kind)

    def wanted(self) -> Document | None:
        """Return the content to bring back: before the change, or as it was when removed."""
        if self.change.action is Action.DELETE and self.result.stored is not None:
            return self.result.stored
        return self.change.before

    def left(self) -> Left:
        """Return what the run left of the record."""
        from bulkrunner.domain.settlement.updates import Left

        return Left.by(self.change, self.result, self.sigel)


def again_key(record: str) -> str:
    """Return the place by which the change that creates a record again is found in its plan."""
    return f"again:{record}"


def as_stored(old: Any, sent: Any, stored: Any) -> Any:
    """Return old content as the server will store it, by what it made of what a run sent."""
    # What the run sent unchanged and the server tidied or linked, it would tidy and link again.
    if same(old, sent):
        return stored
    match old, sent, stored:
        case dict(), dict(), dict():
            return {
                key: as_stored(value, sent[key], stored[key])
                if key in sent and key in stored
                else value
                for key, value in old.items()
                if not (key in sent and key not in stored and same(value, sent[key]))
            }
        case list(), list(), list() if len(sent) == len(stored):
            made = _paired(sent, stored)
            return [_element(old, index, sent, made) for index in range(len(old))]
    return old


def _paired(sent: Sequence[Any], stored: Sequence[Any]) -> dict[int, Any]:
    """Return by the place of what was sent what became of it."""
    # Somebody may have turned the list round since, so elements are known by what they are or by
    # their own ``@id``, not by their places; of several that cannot be told apart none is paired.
    pairs: dict[int, Any] = {}
    left = list(stored)
    for form in (canonical_bytes, comparable, _name):
        forms = [form(item) for item in left]
        for place, item in enumerate(sent):
            own = form(item)
            if place not in pairs and own is not None and own in forms:
                at = forms.index(own)
                pairs[place] = left.pop(at)
                forms.pop(at)
    unpaired = [place for place in range(len(sent)) if place not in pairs]
    if len(unpaired) == 1:
        pairs[unpaired[0]] = left[0]
    return pairs


def _name(item: Any) -> bytes | None:
    iri = item.get("@id") if isinstance(item, dict) else None
    return iri.encode() if isinstance(iri, str) else None


def _element(old: Sequence[Any], index: int, sent: Sequence[Any], made: Mapping[int, Any]) -> Any:
    item = old[index]
    for place, one in enumerate(sent):
        if same(item, one):
            return made.get(place, item)
    if len(old) == len(sent) and index in made:
        return as_stored(item, sent[index], made[index])
    return item


def restored(now: Document, before: Document) -> Document:
    """Return the old content with the fields that are the server's own as they are now."""
    # Other names of the record stay as they are too: the server lets none of them go.
    graph = [
        _with_own(record_part(now), record_part(before), WRITTEN_AT_SAVE | {"sameAs"}),
        _with_own(thing_part(now), thing_part(before), {"sameAs"}),
    ]
    content = {key: value for key, value in before.items() if key != "@context"}
    return {**content, "@graph": [*graph, *before["@graph"][2:]]}


def _with_own(now: Document, before: Document, own: Collection[str]) -> Document:
    old = {key: value for key, value in before.items() if key not in own}
    return old | {key: value for key, value in now.items() if key in own}


def changed_paths(now: Document, after: Document) -> Iterator[Path]:
    """Yield the properties of record and thing that differ."""
    for root, part in ((RECORD_PATH, record_part), (THING_PATH, thing_part)):
        one, other = part(now), part(after)
        for key in one.keys() | other.keys():
            if key not in one or key not in other or not same(one[key], other[key]):
                yield (*root, key)
