"""What an operation is, in every environment: short ids, and IRIs without a base."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulkrunner.domain.changes.neutral import neutral_change, neutral_value
from bulkrunner.domain.conditions import Itself, condition_data
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.job import Create, Delete, Operation, Update
from bulkrunner.domain.values import written


def neutral_operation(op: Operation, iris: IriMap) -> dict[str, Any]:
    """Return the operation with short ids and ``libris:`` IRIs, equal in every environment."""
    match op:
        case Update():
            return _neutral_update(op, iris)
        case Delete():
            return {"delete": _short(op.target, iris)} | _neutral_expect(op.expect, iris)
        case Create():
            neutral: dict[str, Any] = {"create": op.creates.value, "sigel": op.sigel}
            if op.of is not None:
                neutral["of"] = _short(op.of, iris)
            for name, part in (("body", op.body), ("record", op.record)):
                if plain := written(part):
                    neutral[name] = iris.neutral(dict(plain))
            return neutral


def _neutral_update(op: Update, iris: IriMap) -> dict[str, Any]:
    neutral: dict[str, Any] = {"update": _short(op.target, iris)}
    if op.changes:
        neutral["changes"] = [neutral_change(change, iris) for change in op.changes]
    if op.replace is not None:
        neutral["replace"] = iris.neutral(dict(op.replace))
    if op.resave:
        neutral["resave"] = True
    if op.repoint is not None:
        neutral["repoint"] = _short(op.repoint, iris)
    return neutral | _neutral_expect(op.expect, iris)


def _neutral_expect(expect: Mapping[str, Any], iris: IriMap) -> dict[str, Any]:
    if not expect:
        return {}
    return {"expect": {at: _expected(at, value, iris) for at, value in expect.items()}}


def _expected(at: str, value: Any, iris: IriMap) -> Any:
    if isinstance(value, Itself):
        return condition_data(value, iris)
    return neutral_value(at, value, iris)


def _short(text: str, iris: IriMap) -> str:
    ref = iris.parse(text)
    return ref.value if ref else text
