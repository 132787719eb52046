"""A short soak; ``make soak`` is the long one."""

import os
import sys

import pytest

from tests.crashes.adversary.soak import Wish, soak
from tests.crashes.adversary.telling import table


@pytest.mark.slow
def test_the_ledger_says_what_the_server_did(tmp_path):
    wish = Wish(
        seed=int(os.environ.get("SOAK_SEED", "1")),
        changes=int(os.environ.get("SOAK_CHANGES", "120")),
        haste=20,
        lives=(0.2, 0.8),
        kills=4,
        severity=2,
        tokens_every=2,
        fails_every=5,
        pause=0.2,
        undo=True,
    )
    found = soak(wish, tmp_path)
    sys.stdout.write(table(found))
    assert [str(violation) for violation in found.violations] == []
    applied = sum(n for (_, outcome, _), n in found.judge.outcomes.items() if outcome == "applied")
    assert applied > wish.changes / 2
    assert found.figures["processes"] > 1
    assert found.undo.figures["brought back"] > wish.changes / 4
