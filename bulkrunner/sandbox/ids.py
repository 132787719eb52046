"""System ids: creation time in base 30 and seven random characters."""

from __future__ import annotations

import random
import re
from datetime import datetime

ALPHABET = "0123456789bcdfghjklmnpqrstvwxz"
_RANDOM_LENGTH = 7
_SHORT_ID = re.compile(rf"[{ALPHABET}]{{15,16}}")


def is_short_id(text: str) -> bool:
    """Whether the text has the form of a system id."""
    return _SHORT_ID.fullmatch(text) is not None


class IdGenerator:
    """Makes system ids; the same seed and times give the same ids."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311 (ids are no secrets)

    def next(self, moment: datetime) -> str:
        """Return a new id for a record created at this moment."""
        rest = int(moment.timestamp() * 1000)
        digits: list[int] = []
        while rest:
            rest, digit = divmod(rest, len(ALPHABET))
            digits.insert(0, digit)
        last = digits[-1]
        turned = [(digit + last) % len(ALPHABET) for digit in digits[:-1]] + [last]
        tail = (self._random.choice(ALPHABET) for _ in range(_RANDOM_LENGTH))
        return "".join(ALPHABET[digit] for digit in turned) + "".join(tail)
