"""The head of a manifest and its explicit operations, as the domain has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any, NoReturn

from bulkrunner.adapters.manifests.ids import IdEntry, entry
from bulkrunner.adapters.regexes import Re2Engine
from bulkrunner.domain.canonical import canonical_bytes
from bulkrunner.domain.expressions.expectations import expected_data, parse_expected
from bulkrunner.domain.expressions.parsing import FormError, Outside
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.manifest import (
    Accept,
    Agreement,
    AppendChange,
    Change,
    Create,
    Creates,
    Declared,
    Delete,
    Job,
    Parameter,
    RemoveChange,
    Scalar,
    SetChange,
    Source,
    Undo,
    Unreadable,
    Update,
    declared,
)
from bulkrunner.domain.new_records import PREFIX, created_number
from bulkrunner.domain.refusals import Refusal
from bulkrunner.domain.steps import Entry, InputLine, StepEntry, StepSelection
from bulkrunner.sentences import Sentence


def operation_of(data: Mapping[str, Any], source: Source, iris: IriMap) -> Declared:
    """Return an explicit operation that fits the schema."""
    if data.get("create") == "bib":
        return Create(
            source=source,
            creates=Creates.BIB,
            sigel=data["sigel"],
            of=None,
            body=data["body"],
            record=data.get("record", {}),
            after=_after(data),
        )
    given = _named(data)
    if "create" in data and (number := created_number(given)) is not None:
        return create_on(data, f"{PREFIX}{number}", source)
    found = entry(0, given, iris)
    ref = found.ref
    if ref is None:
        return unreadable(found, source)
    if "repoint" in data:
        return _repointing(data, ref, source, iris)
    if "update" in data:
        return update_of(data, ref, source)
    if "delete" in data:
        return Delete(source=source, target=ref, expect=_expect(data), after=_after(data))
    return create_on(data, ref, source)


def update_of(data: Mapping[str, Any], target: str, source: Source) -> Update:
    """Return the update of a record from changes, replace or resave."""
    return Update(
        source=source,
        target=target,
        changes=tuple(change_of(change) for change in data.get("changes", ())),
        replace=data.get("replace"),
        resave=data.get("resave", False),
        expect=_expect(data),
        after=_after(data),
    )


def _repointing(
    data: Mapping[str, Any], target: str, source: Source, iris: IriMap
) -> Update | Unreadable:
    to = str(data["repoint"]["to"])
    number = created_number(to)
    found = entry(0, to, iris)
    bib = found.ref if number is None else f"{PREFIX}{number}"
    if bib is None:
        return unreadable(found, source)
    return replace(update_of(data, target, source), repoint=bib)


def _expect(data: Mapping[str, Any]) -> dict[str, Any]:
    return {place: expected_of(value) for place, value in data.get("expect", {}).items()}


def _expected(expect: Mapping[str, Any]) -> dict[str, Any]:
    return {place: expected_data(value) for place, value in expect.items()}


class _NoLists:
    """No files: an explicit operation stands by itself."""

    def values(self, _file: str, /) -> NoReturn:
        """Refuse a list."""
        raise FormError(Sentence("explicit_names_file"), hint=Sentence("explicit_write_values_out"))

    def table(self, _declared: Mapping[str, Any], /) -> NoReturn:
        """Refuse a table."""
        raise FormError(Sentence("explicit_names_file"))


_ALONE = Outside(engine=Re2Engine(), lists=_NoLists())


def expected_of(data: Any) -> Any:
    """Return what an explicit operation expects of a place.

    Raises:
        FormError: malformed.
    """
    return parse_expected(data, _ALONE)


def create_on(data: Mapping[str, Any], bib: str, source: Source) -> Create:
    """Return the creation of a holding on a bib."""
    return Create(
        source=source,
        creates=Creates.HOLDING,
        sigel=data["sigel"],
        of=bib,
        body=data.get("body", {}),
        record=data.get("record", {}),
        after=_after(data),
    )


def _after(data: Mapping[str, Any]) -> tuple[int, ...]:
    return tuple(sorted({int(number) for number in data.get("after", ())}))


def unreadable(found: IdEntry, source: Source) -> Unreadable:
    """Return what becomes of a text that names no record."""
    return Unreadable(
        source=source,
        given=found.given,
        code=found.code or "unreadable_id",
        message=found.message or Sentence("id_unknown", given=found.given),
    )


def kind_of(declared: Entry) -> str:
    """Return the word that the operation, or a step's entry, is counted under."""
    match declared:
        case InputLine(code=code):
            return code
        case StepSelection():
            return "selection"
        case StepEntry(refusal=Refusal()):
            return "unreadable"
        case StepEntry(step=step):
            return type(step.action).__name__.removeprefix("Step").lower()
        case Update():
            return "update"
        case Delete():
            return "delete"
        case Create():
            return "create"
        case Unreadable():
            return "unreadable"
        case Undo():
            return "undo"


def key_of(declared: Declared) -> str | None:
    """Return what no two operations of a job may share; None where nothing is shared."""
    match declared:
        case Update(target=target) | Delete(target=target):
            return f"record:{target}"
        case Create(of=str(bib), sigel=sigel):
            return f"holding:{bib}:{sigel}"
        case _:
            return None


def meaning_of(declared: Declared) -> bytes:
    """Return canonical bytes of what the operation means, without its place."""
    plain = _plain(declared)
    after = getattr(declared, "after", ())
    return canonical_bytes(plain | {"after": list(after)} if after else plain)


def _plain(declared: Declared) -> dict[str, Any]:
    match declared:
        case Update():
            return {
                "update": declared.target,
                "changes": [change.data() for change in declared.changes],
                "replace": declared.replace,
                "resave": declared.resave,
                "expect": _expected(declared.expect),
                **({} if declared.repoint is None else {"repoint": declared.repoint}),
            }
        case Delete():
            return {"delete": declared.target, "expect": _expected(declared.expect)}
        case Create():
            return {
                "create": declared.creates.value,
                "of": declared.of,
                "sigel": declared.sigel,
                "body": declared.body,
                "record": declared.record,
            }
        case Unreadable():
            return {"unreadable": declared.given}
        case Undo():
            only = None if declared.only is None else sorted(declared.only)
            return {"undo": declared.job, "effect": declared.effect_digest, "only": only}


def change_of(data: Mapping[str, Any]) -> Change:
    """Return a change that fits the schema."""
    if "set" in data:
        return SetChange(at=data["set"]["at"], to=data["set"]["to"])
    if "remove" in data:
        return RemoveChange(at=data["remove"]["at"])
    return AppendChange(at=data["append"]["at"], value=data["append"]["value"])


def _named(data: Mapping[str, Any]) -> str:
    for key in ("update", "delete", "of"):
        if key in data:
            return str(data[key])
    raise ValueError("an operation that names no record")


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
