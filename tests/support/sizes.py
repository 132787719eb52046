"""How large the tests of size are: a fifth, and the whole in ``make bench`` (``FULL_SIZE=1``)."""

import os

PART = 1 if os.environ.get("FULL_SIZE") else 5


def sized(full: int) -> int:
    return full // PART
