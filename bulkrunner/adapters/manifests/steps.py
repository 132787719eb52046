"""Turns a step as written into the domain's, and into what digests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.adapters.manifests.forms import TRANSFERS, Forms
from bulkrunner.domain.changes.neutral import written_change
from bulkrunner.domain.conditions import condition_data
from bulkrunner.domain.conditions.kinds import All
from bulkrunner.domain.expecting import expected_data
from bulkrunner.domain.functions import FunctionSource
from bulkrunner.domain.job import Source
from bulkrunner.domain.steps import (
    Step,
    StepAction,
    StepCopy,
    StepCreate,
    StepDelete,
    StepFunction,
    StepMerge,
    StepMove,
    StepRepoint,
    StepRevert,
    StepSplit,
    StepUpdate,
)
from bulkrunner.domain.values import written

BESIDE = ("holdings", "on_missing", "on_several", "on_duplicate")
"""Keys of a step that bound its action; absent they mean nothing, and digests leave them out."""


def called_of(step: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what is said of a step's function, in the long form."""
    called = step["function"]
    return {"call": called} if isinstance(called, str) else called


def head_of(
    step: Mapping[str, Any], forms: Forms, function: FunctionSource | None = None
) -> dict[str, Any]:
    """Return what a step means besides its selection, as plain data.

    Input files that its conditions and changes name count with their content.

    Args:
        step: as written.
        forms: its conditions, values and changes, read.
        function: of the step, as it was read.
    """
    head = _head(step, forms, function) | {key: step[key] for key in BESIDE if key in step}
    if forms.where is not None:
        head["where"] = condition_data(forms.where)
    return head


def _head(step: Mapping[str, Any], forms: Forms, function: FunctionSource | None) -> dict[str, Any]:
    expect = {place: expected_data(value) for place, value in forms.expect.items()}
    if function is not None:
        on = {key: step["function"][key] for key in ("on",) if key in called_of(step)}
        return {"function": {"expect": expect, **on, **function.meaning()}}
    if "create" in step:
        parts = {key: written(value) for key, value in forms.create.items()}
        return {"create": {"body": {}, "record": {}, "creates": step["create"]["creates"], **parts}}
    if "delete" in step:
        return {"delete": {"expect": expect}}
    if (verb := _transfer_of(step)) is not None:
        return {verb: _transfer_head(step[verb], forms) | {"expect": expect}}
    if _is_resave(step):
        return {"update": {"resave": True, "expect": expect}}
    changes = [written_change(change) for change in forms.changes]
    return {"update": {"changes": changes, "expect": expect}}


def step_of(
    step: Mapping[str, Any],
    number: int,
    source: Source,
    forms: Forms,
    function: FunctionSource | None = None,
) -> Step:
    """Return a step that fits the schema.

    Args:
        step: as written.
        number: among the manifest's steps, from 1.
        source: where it is written.
        forms: its conditions, values and changes, read.
        function: of the step, where it has one.
    """
    holdings = step.get("holdings")
    return Step(
        number=number,
        source=source,
        name=step.get("name", ""),
        action=_action(step, forms, function),
        holdings=tuple(holdings) if isinstance(holdings, list) else holdings,
        where=forms.where,
        expect=forms.expect,
        on_missing=step.get("on_missing"),
        on_several=step.get("on_several", "refuse"),
        on_duplicate=step.get("on_duplicate", "refuse"),
    )


def _action(step: Mapping[str, Any], forms: Forms, function: FunctionSource | None) -> StepAction:
    if function is not None:
        return StepFunction(source=function, on_bibs=called_of(step).get("on") == "bib")
    if "create" in step:
        create = forms.create
        return StepCreate(
            sigel=create.get("sigel"), body=create.get("body", {}), record=create.get("record", {})
        )
    if "delete" in step:
        return StepDelete()
    if (verb := _transfer_of(step)) is not None:
        return _transfer(verb, step[verb], forms)
    return StepUpdate(changes=tuple(forms.changes), resave=_is_resave(step))


def _transfer_of(step: Mapping[str, Any]) -> str | None:
    return next((verb for verb in (*sorted(TRANSFERS), "revert") if verb in step), None)


def _transfer_head(given: Mapping[str, Any], forms: Forms) -> dict[str, Any]:
    head = dict(given) | {key: written(value) for key, value in forms.transfer.items()}
    if "holding_of" in head:
        head["into"] = {"holding_of": head.pop("holding_of")}
    if forms.components is not None:
        head["components"] = condition_data(forms.components)
    return head


def _transfer(verb: str, given: Mapping[str, Any], forms: Forms) -> StepAction:
    values = forms.transfer
    match verb:
        case "move":
            return StepMove(to=values.get("to"))
        case "repoint":
            return StepRepoint(to=values.get("to"))
        case "copy":
            return StepCopy(
                sigel=values.get("sigel"),
                of=values.get("of"),
                without=tuple(given.get("without", ())),
            )
        case "merge":
            return StepMerge(
                into=values.get("into"),
                holding_of=values.get("holding_of"),
                take=tuple(given["take"]),
            )
        case "split":
            components = forms.components or All(parts=())
            return StepSplit(components=components, sigel=values.get("sigel"), of=values.get("of"))
        case _:
            before = given.get("before_run_of", {})
            return StepRevert(
                version=given.get("version"),
                before=values.get("before"),
                edit_by=values.get("before_edit_by"),
                since=values.get("since"),
                job=before.get("job", ""),
                effect_digest=before.get("effect_digest", ""),
            )


def _is_resave(step: Mapping[str, Any]) -> bool:
    if step.get("resave"):
        return True
    update = step.get("update")
    return isinstance(update, dict) and bool(update.get("resave", False))
