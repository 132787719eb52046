"""Conditions on a record, its bib, its input row: parsed once, tested record by record.

A mapping of places to tests, of which all must hold; ``all``, ``any`` and ``not`` combine. A place
walks through every list, and it is enough that one value fits. Nothing is carried over from one
test to the next.
"""

from bulkrunner.domain.conditions.kinds import KINDS, MAX_SHOWN, Condition, Itself
from bulkrunner.domain.conditions.reading import parse_condition, parse_expected, parse_matching
from bulkrunner.domain.conditions.testing import fits, holds, unmet
from bulkrunner.domain.conditions.writing import (
    condition_data,
    condition_references,
    condition_text,
    ground_condition,
)

__all__ = [
    "KINDS",
    "MAX_SHOWN",
    "Condition",
    "Itself",
    "condition_data",
    "condition_references",
    "condition_text",
    "fits",
    "ground_condition",
    "holds",
    "parse_condition",
    "parse_expected",
    "parse_matching",
    "unmet",
]
