"""A short soak; ``python -m tests.adversary.soak`` is the long one."""

import os
import sys

import pytest

from tests.adversary.soak import Wish, soak


@pytest.mark.slow
def test_the_ledger_says_what_the_server_did(tmp_path):
    wish = Wish(
        seed=int(os.environ.get("SOAK_SEED", "1")),
        changes=int(os.environ.get("SOAK_CHANGES", "75")),
        kills=int(os.environ.get("SOAK_KILLS", "4")),
        severity=float(os.environ.get("SOAK_SEVERITY", "1")),
    )
    found = soak(wish, tmp_path)
    sys.stdout.write(f"{found}\n")
    assert found.violations == []
    assert found.figures["applied"] > wish.changes / 2
    assert found.figures["killed"] + found.figures["signalled"] > 0
