"""Turns a step as written into the domain's, and into what digests are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.adapters.manifests.operations import change_of
from bulkrunner.domain.functions import FunctionSource
from bulkrunner.domain.job import Source
from bulkrunner.domain.steps import (
    Step,
    StepAction,
    StepCreate,
    StepDelete,
    StepFunction,
    StepUpdate,
)

BESIDE = ("holdings", "where", "on_missing", "on_several", "on_duplicate")
"""Keys of a step that bound its action; absent they mean nothing, and digests leave them out."""


def action_of(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a step does in its long form, whichever way it was written."""
    expect = step.get("expect", {})
    if "function" in step:
        called = step["function"]
        return {
            "function": {
                "expect": expect,
                **({"call": called} if isinstance(called, str) else called),
            }
        }
    if "create" in step:
        return {"create": {"body": {}, "record": {}, **step["create"]}}
    if "delete" in step:
        own = step["delete"] if isinstance(step["delete"], dict) else {}
        return {"delete": {"expect": own.get("expect", expect)}}
    if "update" in step:
        return {"update": {"expect": expect, **step["update"]}}
    changes = step.get("changes") or [
        {kind: step[kind]} for kind in ("set", "remove", "append") if kind in step
    ]
    return {"update": {"changes": changes, "expect": expect}}


def head_of(step: Mapping[str, Any], function: FunctionSource | None = None) -> dict[str, Any]:
    """Return what a step means besides its selection, as plain data.

    Args:
        step: as written.
        function: of the step, as it was read.
    """
    does = action_of(step)
    if function is not None:
        told = {key: does["function"][key] for key in ("expect", "on") if key in does["function"]}
        does = {"function": {**told, **function.meaning()}}
    return does | {key: step[key] for key in BESIDE if key in step}


def step_of(
    step: Mapping[str, Any], number: int, source: Source, function: FunctionSource | None = None
) -> Step:
    """Return a step that fits the schema.

    Args:
        step: as written.
        number: among the manifest's steps, from 1.
        source: where it is written.
        function: of the step, where it has one.
    """
    long = action_of(step)
    ((_, arguments),) = long.items()
    holdings = step.get("holdings")
    return Step(
        number=number,
        source=source,
        name=step.get("name", ""),
        action=_action(long, function),
        holdings=tuple(holdings) if isinstance(holdings, list) else holdings,
        where=step.get("where"),
        expect=arguments.get("expect", {}),
        on_missing=step.get("on_missing"),
        on_several=step.get("on_several", "refuse"),
        on_duplicate=step.get("on_duplicate", "refuse"),
    )


def _action(long: Mapping[str, Any], function: FunctionSource | None) -> StepAction:
    if function is not None:
        return StepFunction(source=function, on_bibs=long["function"].get("on") == "bib")
    if "create" in long:
        create = long["create"]
        return StepCreate(sigel=create["sigel"], body=create["body"], record=create["record"])
    if "delete" in long:
        return StepDelete()
    update = long["update"]
    return StepUpdate(
        changes=tuple(change_of(change) for change in update.get("changes", ())),
        resave=update.get("resave", False),
    )
