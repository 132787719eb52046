"""Named values of a job: declared in its manifest, given when a plan is made."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, TypeAlias

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


class BadValue(ValueError):
    """A value that the parameter does not take; the text says what it takes."""


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
        BadValue: its default is of another kind.
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
        BadValue: it is none of this kind.
    """
    if isinstance(given, str) and (len(given) > MOST or _CONTROL.search(given)):
        raise BadValue(f"takes a text of at most {MOST:,} characters without control characters")
    match kind:
        case Kind.TEXT if isinstance(given, str):
            return given
        case Kind.BOOLEAN if isinstance(given, bool) or given in ("true", "false"):
            return given in (True, "true")
        case Kind.NUMBER:
            return _number(given)
        case Kind.DATE:
            return _date(given)
    raise BadValue("takes true or false" if kind is Kind.BOOLEAN else "takes a text")


def _number(given: Any) -> int | float:
    if isinstance(given, (int, float)) and not isinstance(given, bool):
        return given
    if isinstance(given, str) and _NUMBER.fullmatch(given):
        return float(given) if "." in given else int(given)
    raise BadValue("takes a number")


def _date(given: Any) -> str:
    if isinstance(given, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", given):
        try:
            return date.fromisoformat(given).isoformat()
        except ValueError:
            pass
    raise BadValue("takes a day of the calendar as YYYY-MM-DD")


def resolved(parameters: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Scalar]:
    """Return the value of every parameter that has one.

    Raises:
        BadValue: an unknown name, or a value that its parameter does not take.
    """
    for name in given:
        if name not in parameters:
            known = ", ".join(parameters) or "none"
            raise BadValue(f"the manifest has no parameter `{name[:60]}` (it has: {known[:300]})")
    values: dict[str, Scalar] = {}
    for name, parameter in parameters.items():
        if name in given:
            try:
                values[name] = value_of(parameter.kind, given[name])
            except BadValue as error:
                raise BadValue(f"the parameter {name} {error}") from None
        elif parameter.default is not None:
            values[name] = parameter.default
    return values


def missing(parameters: Mapping[str, Parameter], values: Mapping[str, Scalar]) -> list[Parameter]:
    """Return the required parameters that have no value."""
    return [one for name, one in parameters.items() if one.required and name not in values]
