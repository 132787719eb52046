"""A fresh small environment for each test."""

import pytest

from tests.support.lab import Lab


@pytest.fixture
def lab() -> Lab:
    return Lab()
