"""A ledger damaged anywhere: every command says so in its own words, or finds nothing wrong."""

import random

import pytest

SEEDS = range(24)
PAGE = 4096


def damaged(good, seed):
    chance = random.Random(seed)
    data = bytearray(good)
    match seed % 3:
        case 0:
            for _ in range(chance.choice([1, 4, 64, 512])):
                data[chance.randrange(100, len(data))] = chance.randrange(256)
        case 1:
            start = chance.randrange(1, len(data) // PAGE) * PAGE
            data[start : start + PAGE] = chance.choice([bytes(PAGE), chance.randbytes(PAGE)])
        case 2:
            del data[chance.randrange(1, len(data)) :]
    return bytes(data)


@pytest.fixture
def stopped(mixed):
    """A run that is half done; returns its id and the ledger's bytes."""
    mixed.plan()
    options = ("--env", "staging", "--limit", "9")
    run = mixed.place("run", mixed.folder, *options, expect=6).document["run"]
    return run, mixed.place.ledger.read_bytes()


def test_a_ledger_damaged_anywhere(mixed, stopped, tmp_path):
    place, (run, good) = mixed.place, stopped
    staging = place.sandbox.staging
    commands = {
        ("status", run): {0, 4, 6},
        ("ledger", "check"): {0, 4},
        ("report", run, "--format", "json", "--out", str(tmp_path / "r.json")): {0, 4, 6},
        ("resume", run): {0, 4, 5, 6},
    }
    told = 0
    for seed in SEEDS:
        for command, allowed in commands.items():
            for left in place.folder.glob("bulkrunner.db-*"):
                left.unlink()
            place.ledger.write_bytes(damaged(good, seed))
            before = len(staging.writes())
            done = place(*command, expect=None)
            assert done.exit_code in allowed, (seed, command, done.document)
            told += done.exit_code != 0
            if done.exit_code in (4, 6):
                assert done.document["error"]["hint"], (seed, command)
            if done.exit_code == 4:
                assert len(staging.writes()) == before, (seed, command)
        assert max(mixed.written().values()) == 1, seed
    assert told > len(SEEDS)
