"""How a wish comes out: as a change of its own, or put together with an earlier one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar

from bulkrunner.domain.fingerprint import create_fingerprint
from bulkrunner.domain.iris import RefKind
from bulkrunner.domain.operations import Refusal
from bulkrunner.domain.plan import (
    Action,
    PlannedChange,
    operation_digest,
    record_key,
)
from bulkrunner.domain.prediction import predict_stored
from bulkrunner.errors import CatalogueUnreachable
from bulkrunner.services.planning.combining import (
    joined_operation,
    joined_wish,
    part_of,
    parts_of,
    with_part,
)
from bulkrunner.services.planning.reading import Reading
from bulkrunner.services.planning.steps import (
    Creation,
    Known,
    NotFound,
    PassedOver,
    Refused,
    Task,
    Wanted,
    as_refused,
    printable,
)

UNREADABLE_RECORD = "unreadable_record"
"""Error code of a record that came whole but is none; asking again would not help."""

T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]
"""Fields of a planned change."""


class Drafting(Reading):
    """Turns fields of changes, and what is raised instead, into planned changes."""

    def attempt(
        self, task: Task, do: Callable[[], T], known: Known | None = None
    ) -> T | PlannedChange:
        """Return what something comes to, or the change that says why it comes to nothing.

        Args:
            task: of the entry.
            do: it.
            known: filled meanwhile with what is known of the record that the entry names.

        Raises:
            CatalogueUnreachable: the environment does not answer.
        """
        found: list[T] = []

        def attempt() -> Fields:
            found.append(do())
            return {}

        planned = self._outcome(task, attempt)
        return found[0] if found else self._entered(task, known or Known(record=task.ref), planned)

    def _outcome(self, task: Task, attempt: Callable[[], Fields]) -> Fields:
        try:
            return attempt()
        except PassedOver as passed:
            return unchanged(passed.code, passed.message) | {"passed": True}
        except Refused as refused:
            return as_refused(refused.refusal)
        except CatalogueUnreachable as error:
            if error.code != UNREADABLE_RECORD:
                raise
            return as_refused(Refusal(code=error.code, message=error.message, hint=error.hint))
        except NotFound as missing:
            policy = task.on_missing or self._proofs.job.on_missing
            action = Action.REFUSED if policy == "refuse" else Action.NOT_FOUND
            return {"action": action, "code": missing.code, "message": missing.message}

    def _named_key(self, task: Task, known: Known) -> str | None:
        """Return the target key of the record that a refused entry names; None: it is no record's."""
        if task.verb == "create" or known.kind is not None:
            return None
        ref = self._iris.parse(known.record)
        return record_key(ref.value) if ref and ref.kind is RefKind.SHORT_ID else None

    def _entered(self, task: Task, known: Known, planned: Fields) -> PlannedChange:
        """Return the change, put together with the one that concerns the record already."""
        planned["message"] = printable(planned.get("message", ""))
        passed, kept = planned.pop("passed", False), planned.pop("kept", False)
        own = planned.pop("own", {})
        earlier = known.earlier
        if known.target_key is None and planned["action"] is Action.REFUSED:
            known.target_key = self._named_key(task, known)
        fields: Fields = {
            "number": 0,
            "record": known.record,
            "given": task.given,
            "source": task.source,
            "declared": task.verb,
            "operation": known.operation,
            "wish": _unless_same(known.wish, known.operation),
            "kind": known.kind,
            "sigel": known.sigel,
            "bib": known.bib,
            "library": known.library,
            "etag": known.etag,
            "before": known.before,
            "target_key": known.target_key,
            "notes": known.notes,
            "prerequisites": known.waits,
            "origins": known.origins,
            "place": known.place,
            "step": task.step,
        }
        alone = PlannedChange(**{**fields, **planned})
        part = part_of(task, replace(alone, **own), known.wish or "")
        if earlier is None:
            return alone if task.subject else replace(alone, parts=(part,))
        if passed:
            return with_part(earlier, part)
        joined = joined_operation(earlier, known.operation)
        wish = _unless_same(joined_wish(earlier, part.wish) if part.wish else None, joined)
        if kept:
            return replace(with_part(earlier, part), operation=joined, wish=wish)
        return replace(
            alone,
            number=earlier.number,
            given=earlier.given,
            source=earlier.source,
            declared=earlier.declared,
            step=earlier.step,
            operation=joined,
            wish=wish,
            origins=tuple(dict.fromkeys((*earlier.origins, *known.origins))),
            parts=(*parts_of(earlier), part),
        )


def admit_wish(wish: Wanted | Creation, known: Known) -> None:
    """Go on where the record is one that is meant.

    Raises:
        PassedOver: it is not, and nothing is wanted of it.
    """
    try:
        wish.admit()
    except PassedOver:
        known.operation, known.wish = {}, None
        raise


def _unless_same(wish: str | None, operation: Mapping[str, Any]) -> str | None:
    return None if wish is None or wish == operation_digest(operation) else wish


def as_create(document: dict[str, Any], pattern: str) -> Fields:
    """Return the fields of a record to be created."""
    prediction = predict_stored(document)
    return {
        "action": Action.CREATE,
        "after": document,
        "predicted": prediction.document,
        "cleanups": prediction.cleanups,
        "after_fingerprint": create_fingerprint(prediction.document),
        "pattern": pattern,
    }


def no_change() -> Fields:
    """Return the fields of a record that is as wanted."""
    return unchanged("no_change", "the record is already as the job wants it")


def unchanged(code: str, message: str) -> Fields:
    """Return the fields of a record that is left as it is."""
    return {"action": Action.UNCHANGED, "code": code, "message": message}


def deleted_in_plan(number: int) -> Refusal:
    """Return the refusal of a record that the plan deletes."""
    return Refusal(
        code="deleted_in_plan",
        message=f"change {number} of this plan deletes it",
        hint="put this step before the one that deletes",
    )


BIB_RIGHTS = ("bibs_not_agreed", "level_2_required")
"""Codes of a bib that must not be written."""


def a_bib(fault: Refusal, task: Task) -> Refusal:
    """Return the refusal of a bib that must not be written, where a holding may be meant."""
    hint = "say holdings: own to mean the holdings on it"
    if task.step is None:
        hint = "give the id of the holding that is meant"
    if task.verb != "delete":
        hint += f"; to change the bib itself: {fault.hint}"
    return Refusal(code=fault.code, message=f"the record is a bib, and {fault.message}", hint=hint)


def other_kind(kind: str | None, wanted: str) -> Refusal:
    """Return the refusal of a record that is of another kind than the step is for."""
    return Refusal(
        code="other_kind",
        message=f"the record is a {kind}, and the step is for a {wanted}",
        hint="take it off the list, or say holdings: own to mean the holdings of a bib",
    )
