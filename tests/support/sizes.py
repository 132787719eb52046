"""How large the tests of size and of any input are: a fifth, and the whole in ``make bench`` (``FULL_SIZE=1``)."""

import os

PART = 1 if os.environ.get("FULL_SIZE") else 5


def sized(full: int) -> int:
    return full // PART


def examples(full: int = 100) -> int:
    """Return how many inputs a property is tried with; others at each run."""
    return max(sized(full), min(full, 20))
