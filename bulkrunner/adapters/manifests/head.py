"""The head of a manifest: all but its operations and steps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from bulkrunner.adapters.manifests.folder import JobFolder
from bulkrunner.adapters.manifests.problems import KeyPath, PathKey, Problems, shown
from bulkrunner.adapters.manifests.tree import Tree
from bulkrunner.domain.expressions import Outside, nearest, proposal
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import Accept, Agreement, Job, Parameter, Scalar, declared
from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest that is being read, whether or not it fits the schema.

    Attributes:
        outside: compiles expressions, reads files.
        problems: gets every fault.
    """

    tree: Tree
    folder: JobFolder
    iris: IriMap
    outside: Outside
    problems: Problems

    @property
    def data(self) -> Mapping[str, Any]:
        """The manifest as written."""
        data: Mapping[str, Any] = self.tree.data
        return data

    @property
    def sigels(self) -> Sequence[Any]:
        """The job's libraries."""
        sigels = self.data.get("sigels")
        return sigels if isinstance(sigels, list) else ()

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Parameters that are declared, by name."""
        parameters = self.data.get("parameters")
        return parameters if isinstance(parameters, dict) else {}

    @property
    def covers_bibs(self) -> bool:
        """Whether bibs may be written."""
        agreement = self.data.get("agreement")
        covers = agreement.get("covers") if isinstance(agreement, dict) else ()
        return isinstance(covers, list) and "bibs" in covers

    def source(self, path: Sequence[PathKey] = (), *, key: str | None = None) -> Source:
        """Return the place of the value at the path, or of a key of the object there."""
        return self.tree.source(path, key=key)

    def note(self, faults: Iterable[Fault], prefix: KeyPath = ()) -> bool:
        """Note faults below a path; return True if there were none."""
        before = self.problems.total
        for one in faults:
            self.problems.note(one.at(self.source((*prefix, *one.path), key=one.key)))
        return self.problems.total == before


def head_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what the keys of a manifest's head demand of each other."""
    sigels = data.get("sigels")
    owner = data.get("on_behalf_of")
    if isinstance(sigels, list) and isinstance(owner, str) and owner and owner not in sigels:
        yield Fault(
            Sentence("owner_not_in_job", owner=shown(owner)),
            code="sigel_not_in_job",
            hint=_sigel_hint(owner, sigels),
            path=("on_behalf_of",),
        )
    agreement = data.get("agreement")
    agreed_on = agreement.get("agreed_on") if isinstance(agreement, dict) else None
    if isinstance(agreed_on, str) and not _is_date(agreed_on):
        yield Fault(
            Sentence("agreed_on_no_day", agreed_on=shown(agreed_on)),
            code="wrong_value",
            path=("agreement", "agreed_on"),
        )

    yield from _undo_faults(data)
    yield from _parameter_faults(data)
    yield from _recurring_faults(data)


def _sigel_hint(owner: str, sigels: Sequence[Any]) -> str:
    clean = [one for one in sigels if isinstance(one, str) and one == one.strip()]
    near = nearest(owner.strip(), clean)
    return proposal(owner, near) if near else Sentence("rules_name_sigels")


def _parameter_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    parameters = data.get("parameters")
    for name, one in parameters.items() if isinstance(parameters, dict) else ():
        try:
            declared(name, one)
        except Fault as fault:
            yield Fault(
                Sentence("parameter_default", name=name[:60], error=fault.said),
                code="wrong_value",
                path=("parameters", name),
            )
        except ValueError:
            continue  # an unknown type is the schema's to tell


def _undo_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    steps = data.get("steps")
    steps = steps if isinstance(steps, list) else []
    undoing = any(isinstance(step, dict) and "undo" in step for step in steps)
    if undoing and (len(steps) > 1 or "operations" in data):
        yield Fault(
            Sentence("undo_alone"),
            code="undo_alone",
            hint=Sentence("undo_alone_hint"),
            path=("steps",),
        )


def _recurring_faults(data: Mapping[str, Any]) -> Iterator[Fault]:
    """Yield what is wrong with a standing approval that fits the schema; else that is to tell."""
    recurring = data.get("recurring")
    if not isinstance(recurring, dict):
        return
    until = recurring.get("until")
    if isinstance(until, str) and not _is_date(until):
        said = Sentence("recurring_until_no_day", until=shown(until))
        yield Fault(said, code="wrong_value", path=("recurring", "until"))
    steps = data.get("steps")
    if any(isinstance(step, dict) and "undo" in step for step in steps or ()):
        yield Fault(Sentence("recurring_undo"), code="recurring_undo", path=("recurring",))
    try:
        bounds = _recurring(data)["recurring"]
    except (KeyError, TypeError, ValueError, AttributeError):
        return
    per_run, per_day = bounds["per_run"], bounds["per_day"]
    if not any(per_run.values()):
        said = Sentence("recurring_nothing")
        yield Fault(said, code="recurring_nothing", path=("recurring", "at_most", "per_run"))
    for action, most in per_run.items():
        if most > min(per_day[action], per_day["records"]):
            yield Fault(
                Sentence("recurring_day_below_run", action=action, most=most),
                code="recurring_day_below_run",
                path=("recurring", "at_most", "per_day"),
            )


def _is_date(text: str) -> bool:
    # Another form than YYYY-MM-DD is the schema's to tell.
    if len(text) != len("2026-11-02"):
        return True
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


# Keys that the effect digest leaves out.
WITHOUT_EFFECT = frozenset(
    {"title", "purpose", "agreement", "ceilings", "policy", "accept", "recurring"}
)


def normal_head(data: Mapping[str, Any], parameters: Mapping[str, Scalar]) -> dict[str, Any]:
    """Return a valid manifest's head as plain data, defaults filled in."""
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
        **_recurring(data),
        **_undone(data),
    }


def _recurring(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the standing approval that a manifest asks for, each bound as a number."""
    if (recurring := data.get("recurring")) is None:
        return {}
    at_most = recurring["at_most"]
    per_run = {action: int(at_most["per_run"].get(action, 0)) for action in _WRITES}
    given = at_most["per_day"]
    if isinstance(given, dict):
        per_day = {action: int(given.get(action, 0)) for action in _WRITES}
        per_day["records"] = int(given.get("records", sum(per_day.values())))
    else:
        # What is made and what is taken away count apart: no more than two runs may have.
        per_day = {action: min(int(given), 2 * most) for action, most in per_run.items()}
        per_day |= {"update": int(given) if per_run["update"] else 0, "records": int(given)}
    return {
        "recurring": {
            "until": recurring["until"],
            "every": recurring.get("every", "day"),
            "per_run": per_run,
            "per_day": per_day,
        }
    }


_WRITES = ("update", "create", "delete")


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


def job_from_head(
    head: Mapping[str, Any], *, manifest_digest: str, effect_digest: str, rule_digest: str = ""
) -> Job:
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
        rule_digest=rule_digest,
        recurring=dict(head.get("recurring") or {}),
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
