"""A manifest's head: everything but its operations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from bulkrunner.domain.job import Accept, Agreement, Job
from bulkrunner.domain.parameters import Parameter, Scalar, declared

WITHOUT_EFFECT = frozenset({"title", "purpose", "agreement", "ceilings", "policy", "accept"})
"""Keys that the effect digest leaves out."""


def normal_head(data: Mapping[str, Any], parameters: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return a valid manifest's head as plain data, defaults filled in.

    Args:
        data: the manifest.
        parameters: the value of each parameter that has one.
    """
    agreement = data.get("agreement", {})
    return {
        "bulkrunner": 1,
        "job": data["job"],
        "title": data["title"],
        "purpose": data["purpose"],
        "on_behalf_of": data["on_behalf_of"],
        "sigels": sorted(data["sigels"]),
        "active_sigel": data.get("active_sigel", data["on_behalf_of"]),
        "agreement": {**agreement, "covers": sorted(agreement.get("covers", ["holdings"]))},
        "ceilings": {key: int(most) for key, most in data.get("ceilings", {}).items()},
        "accept": [{**one, "at_most": int(one["at_most"])} for one in data.get("accept", [])],
        "on_missing": data.get("on_missing", "report"),
        "policy": dict(data.get("policy", {})),
        "parameters": dict(parameters),
        **_undone(data),
    }


def _undone(data: Mapping[str, Any]) -> dict[str, Any]:
    for step in data.get("steps", ()):
        if "undo" in step:
            undo = step["undo"]
            return {"undo": {"job": undo["job"], "effect_digest": undo["effect_digest"]}}
    return {}


def parameters_of(data: Mapping[str, Any]) -> dict[str, Parameter]:
    """Return the parameters that a valid manifest declares, by name."""
    return {name: declared(name, one) for name, one in data.get("parameters", {}).items()}


def effect_of(head: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of the head decides what is written."""
    return {key: value for key, value in head.items() if key not in WITHOUT_EFFECT}


def job_from_head(head: Mapping[str, Any], *, manifest_digest: str, effect_digest: str) -> Job:
    """Return the job of a head, as ``normal_head`` made it or a plan stored it."""
    return Job(
        id=head["job"],
        title=head["title"],
        purpose=head["purpose"],
        on_behalf_of=head["on_behalf_of"],
        sigels=tuple(head["sigels"]),
        active_sigel=head["active_sigel"],
        agreement=_agreement(head["agreement"]),
        ceilings=dict(head["ceilings"]),
        accept=tuple(Accept(**one) for one in head["accept"]),
        on_missing=head["on_missing"],
        policy=dict(head["policy"]),
        manifest_digest=manifest_digest,
        effect_digest=effect_digest,
        parameters=dict(head["parameters"]),
    )


def _agreement(data: Mapping[str, Any]) -> Agreement:
    agreed_on, rate = data.get("agreed_on"), data.get("rate")
    return Agreement(
        reference=data.get("reference", ""),
        contact=data.get("contact", ""),
        agreed_on=date.fromisoformat(agreed_on) if agreed_on else None,
        rate=float(rate) if rate is not None else None,
        covers=tuple(data["covers"]),
    )
