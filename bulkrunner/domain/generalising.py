"""What many values have in common, told in one line. The order in which they come is no matter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

FEW = 3
"""Different values that are listed; more are told by what they begin with."""

MIN_PREFIX = 4

How: TypeAlias = Literal["absent", "same", "few", "prefix", "many"]


@dataclass(frozen=True, kw_only=True)
class General:
    """Values in general.

    Attributes:
        how: ``absent``: there is never one. ``same``: always this one. ``few``: one of these.
            ``prefix``: different ones that begin alike. ``many``: different ones.
        texts: the value, the values in order, or the common beginning.
    """

    how: How
    texts: tuple[str, ...] = ()


class Values:
    """Takes values one by one and keeps what they have in common."""

    def __init__(self) -> None:
        self._few: set[str | None] | None = set()
        self._prefix: str | None = None

    def add(self, text: str | None) -> None:
        """Take one value; None where there is none."""
        if self._few is not None:
            if text in self._few:
                return
            self._few.add(text)
            if len(self._few) > FEW:
                self._few = None
        if text is not None:
            self._prefix = text if self._prefix is None else _shared(self._prefix, text)

    def general(self) -> General:
        """Return what was common to all values so far."""
        few = self._few
        if few is not None:
            texts = tuple(sorted(text for text in few if text is not None))
            if not texts:
                return General(how="absent")
            return General(how="same" if len(few) == 1 else "few", texts=texts)
        prefix = self._prefix or ""
        if len(prefix.strip()) >= MIN_PREFIX:
            return General(how="prefix", texts=(prefix,))
        return General(how="many")


def _shared(one: str, other: str) -> str:
    """Return what both begin with."""
    if other.startswith(one):
        return one
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return one[:index]
    return min(one, other, key=len)


def just(text: str | None) -> General:
    """Return one value as what it is."""
    return General(how="absent") if text is None else General(how="same", texts=(text,))
