"""Parameters: declared once, given for a plan, and nothing else taken for them."""

from __future__ import annotations

from typing import Any

import pytest

from bulkrunner.domain.manifest import Kind, declared, missing, resolved, value_of
from bulkrunner.errors import Fault


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (Kind.TEXT, "0123", "0123"),
        (Kind.TEXT, "", ""),
        (Kind.NUMBER, "12", 12),
        (Kind.NUMBER, "-1.5", -1.5),
        (Kind.NUMBER, 7, 7),
        (Kind.BOOLEAN, "true", True),
        (Kind.BOOLEAN, False, False),
        (Kind.DATE, "2026-02-28", "2026-02-28"),
    ],
)
def test_values(kind: Kind, given: Any, value: Any) -> None:
    found = value_of(kind, given)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (Kind.TEXT, 1),
        (Kind.TEXT, "a\x00b"),
        (Kind.TEXT, "x" * 10_001),
        (Kind.NUMBER, "1,5"),
        (Kind.NUMBER, "0123"),
        (Kind.NUMBER, "1e999"),
        (Kind.NUMBER, True),
        (Kind.BOOLEAN, "yes"),
        (Kind.BOOLEAN, 1),
        (Kind.DATE, "2026-02-29"),
        (Kind.DATE, "20260228"),
    ],
)
def test_values_of_another_kind(kind: Kind, given: Any) -> None:
    with pytest.raises(Fault):
        value_of(kind, given)


def test_short_and_long_declarations() -> None:
    assert declared("a", "Hce").default == "Hce"
    assert declared("a", 3).kind is Kind.NUMBER
    assert declared("a", True).kind is Kind.BOOLEAN
    assert not declared("a", "").required
    assert declared("a", {"type": "date"}).required
    assert not declared("a", {"type": "date", "required": False}).required
    with pytest.raises(Fault):
        declared("a", {"type": "number", "default": "many"})


def test_what_is_given_goes_before_the_default() -> None:
    known = {name: declared(name, one) for name, one in {"a": "x", "b": {}, "c": 1}.items()}
    assert resolved(known, {"c": "2"}) == {"a": "x", "c": 2}
    assert [one.name for one in missing(known, resolved(known, {}))] == ["b"]
    assert missing(known, resolved(known, {"b": ""})) == []
    with pytest.raises(Fault, match="has: a, b, c"):
        resolved(known, {"d": "1"})
    with pytest.raises(Fault, match="parameter c takes a number"):
        resolved(known, {"c": "many"})
