"""What conditions are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

from bulkrunner.domain.canonical import digest
from bulkrunner.domain.forms import Pattern
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.references import Reference
from bulkrunner.domain.stored_form import comparable
from bulkrunner.domain.values import Dynamic, written

MAX_SHOWN = 20
"""Values of a list that a plan keeps of a condition; of longer ones it keeps the digest."""


class Kind(StrEnum):
    """How a value is tested."""

    EQUALS = "equals"
    IN = "in"
    IN_FILE = "in_file"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    ENDS_WITH = "ends_with"
    MATCHES = "matches"
    EXISTS = "exists"
    BEFORE = "before"
    AFTER = "after"


KINDS = tuple(kind.value for kind in Kind)


@dataclass(frozen=True, kw_only=True)
class Check:
    """One test of a value.

    Attributes:
        value: what is compared with, constant or ``Dynamic``; of a list of values the tuple.
        known: the comparable form of the plain values of a list, to be looked up.
        odd: the other values of a list.
        digest: of a list too long to be shown.
        pattern: of ``matches``.
        file: of ``in_file``.
    """

    kind: Kind
    value: Any = None
    known: frozenset[bytes] = frozenset()
    odd: tuple[Any, ...] = ()
    digest: str = ""
    pattern: Pattern | None = None
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class Count:
    """How many values fit; ``most`` None: any number."""

    least: int = 0
    most: int | None = None

    @property
    def data(self) -> Any:
        """Return it as it is written in a manifest."""
        if self.least == self.most:
            return self.least
        most = {} if self.most is None else {"at_most": self.most}
        return ({"at_least": self.least} if self.least else {}) | most


@dataclass(frozen=True, kw_only=True)
class Test:
    """A place some value of which must fit all the checks; without checks it must be absent.

    Attributes:
        count: how many values must fit, the least and the most; None: at least one.
    """

    __test__ = False

    ref: Reference
    checks: tuple[Check, ...]
    wanted: bool = True
    count: Count | None = None


@dataclass(frozen=True, kw_only=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Some:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    """The part does not hold."""

    part: Condition


@dataclass(frozen=True, kw_only=True)
class Itself:
    """The value itself fits: what an element of a list is tested by."""

    checks: tuple[Check, ...]


@dataclass(frozen=True, kw_only=True)
class InCatalogue:
    """Another record of the catalogue bears a number.

    Attributes:
        number: the number, or a value that leads to it. meanings: what bare numbers are.
    """

    number: Any
    meanings: tuple[Number, ...] = ()


Condition: TypeAlias = Test | All | Some | Not | Itself | InCatalogue


def listed(kind: Kind, values: tuple[Any, ...]) -> Check:
    """Return the check that a value is one of several."""
    odd = tuple(value for value in values if isinstance(value, (Dynamic, dict, list)))
    plain = (value for value in values if not isinstance(value, (Dynamic, dict, list)))
    long = len(values) > MAX_SHOWN
    return Check(
        kind=kind,
        value=values,
        known=frozenset(map(comparable, plain)),
        odd=odd,
        digest=digest([written(value) for value in values]) if long else "",
    )
