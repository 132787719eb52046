"""Shared set-up of the test suite."""

import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

# Generated cases take the time they take: a busy machine fails no test.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")

# What these assert is told as in a test.
pytest.register_assert_rewrite("tests.support.cases")
