"""What a manifest declares, and its parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.domain.changes.change import Change


@dataclass(frozen=True, kw_only=True)
class Update:
    """Changes to one existing record. Exactly one of changes, replace, resave, repoint is given.

    ``repoint`` is the bib that a holding is hung on, also as ``new:N``. ``after`` holds the numbers, in the list of operations, of those that must end well first.
    """

    source: Source
    target: str
    changes: tuple[Change, ...] = ()
    replace: Mapping[str, Any] | None = None
    resave: bool = False
    repoint: str | None = None
    expect: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Delete:
    """Deletion of one existing record."""

    source: Source
    target: str
    expect: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


class Creates(StrEnum):
    """What a create makes."""

    HOLDING = "holding"
    BIB = "bib"


@dataclass(frozen=True, kw_only=True)
class Create:
    """A new record. ``of`` is the bib of a holding, also as ``new:N``; None for a bib."""

    source: Source
    creates: Creates
    sigel: str
    of: str | None
    body: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] = field(default_factory=dict)
    after: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Unreadable:
    """A line of an id list that names no record; it becomes a refusal of the plan, never silence.

    Attributes:
        on_missing: set where nothing was found, not misread: ``report`` or ``refuse``.
    """

    source: Source
    given: str
    code: str
    message: str
    on_missing: str | None = None


@dataclass(frozen=True, kw_only=True)
class Undo:
    """Restore what a job changed; planning resolves it to the environment's own runs of that job.

    Attributes:
        effect_digest: of the job's manifest, as its plans have it.
        only: short ids or legacy IRIs; nothing else is restored. None: everything.
    """

    source: Source
    job: str
    effect_digest: str
    only: frozenset[str] | None = None


Operation: TypeAlias = Update | Delete | Create

Declared: TypeAlias = Operation | Unreadable | Undo


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """What was agreed with KB."""

    reference: str = ""
    contact: str = ""
    agreed_on: date | None = None
    rate: float | None = None
    covers: tuple[str, ...] = ("holdings",)


@dataclass(frozen=True, kw_only=True)
class Accept:
    """Refusals of one code that the manifest lives with."""

    code: str
    at_most: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A manifest's head: all but its operations.

    Attributes:
        on_missing: ``report`` (a missing record is ``not_found``) or ``refuse``.
        policy: values of ``[policy]`` that the manifest overrides.
        manifest_digest: over everything, input files included.
        effect_digest: without title, purpose, agreement, ceilings, policy, accept and recurring.
        rule_digest: without the contents of input files and the values of parameters.
        recurring: the standing approval that is asked for, as plain data; empty where none is.
    """

    id: str
    title: str
    purpose: str
    on_behalf_of: str
    sigels: tuple[str, ...]
    active_sigel: str
    agreement: Agreement
    ceilings: Mapping[str, int]
    accept: tuple[Accept, ...]
    on_missing: str
    policy: Mapping[str, Any]
    manifest_digest: str
    effect_digest: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    rule_digest: str = ""
    recurring: Mapping[str, Any] = field(default_factory=dict)


Scalar: TypeAlias = str | int | float | bool

MOST = 10_000

"""Characters of a value."""

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})(?:\.[0-9]{1,17})?")

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


class Kind(StrEnum):
    """What values a parameter takes."""

    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A declared parameter; ``default`` is None where there is none."""

    name: str
    kind: Kind = Kind.TEXT
    default: Scalar | None = None
    required: bool = False
    description: str = ""


def declared(name: str, data: Any) -> Parameter:
    """Return a parameter as a manifest declares it.

    Raises:
        Fault: its default is of another kind.
    """
    if not isinstance(data, dict):
        data = {"type": _kind_of(data), "default": data}
    kind = Kind(data.get("type", Kind.TEXT))
    default = data.get("default")
    if default is not None:
        default = value_of(kind, default)
    return Parameter(
        name=name,
        kind=kind,
        default=default,
        required=data.get("required", default is None),
        description=data.get("description", ""),
    )


def _kind_of(value: Any) -> Kind:
    if isinstance(value, bool):
        return Kind.BOOLEAN
    return Kind.NUMBER if isinstance(value, (int, float)) else Kind.TEXT


def value_of(kind: Kind, given: Any) -> Scalar:
    """Return a value of a kind, from a text or a value of JSON.

    Raises:
        Fault: it is none of this kind.
    """
    if isinstance(given, str) and (len(given) > MOST or _CONTROL.search(given)):
        raise Fault(Sentence("parameter_takes_plain_text", most=MOST))
    match kind:
        case Kind.TEXT if isinstance(given, str):
            return given
        case Kind.BOOLEAN if isinstance(given, bool) or given in ("true", "false"):
            return given in (True, "true")
        case Kind.NUMBER:
            return _number(given)
        case Kind.DATE:
            return _date(given)
    is_truth = kind is Kind.BOOLEAN
    raise Fault(Sentence("parameter_takes_truth" if is_truth else "parameter_takes_text"))


def _number(given: Any) -> int | float:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        return float(given) if "." in given else int(given)
    raise Fault(Sentence("parameter_takes_number"))


def _date(given: Any) -> str:
    if isinstance(given, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        try:
            return date.fromisoformat(given).isoformat()
        except ValueError:
            pass
    raise Fault(Sentence("parameter_takes_day"))


def resolved(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the value of every parameter that has one.

    Raises:
        Fault: an unknown name, or a value that its parameter does not take.
    """
    for name in given:
        if name not in parameters:
            if not parameters:
                raise Fault(Sentence("parameter_none", name=name[:60]))
            known = ", ".join(parameters)[:300]
            raise Fault(Sentence("parameter_unknown", name=name[:60], known=known))
    values: dict[str, Scalar] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                values[name] = value_of(parameter.kind, given[name])
            except Fault as fault:
                raise Fault(Sentence("parameter", name=name, said=fault.said)) from None
        elif parameter.default is not None:
            values[name] = parameter.default
    return values


def missing(parameters: Mapping[str, Parameter], values: Mapping[str, Scalar]) -> list[Parameter]:
    """Return the required parameters that have no value."""
    return [one for name, one in parameters.items() if one.required and name not in values]
