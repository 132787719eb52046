"""The ledger's file is removed, replaced, cut short or damaged: between commands and under a run."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.flows.surroundings.conftest import ALL, CREATES, DELETES, UPDATES, at_request

PUT_BACK = "put the newest copy of the ledger in its place"
ONCE = {1}


def companions(ledger: Path) -> list[Path]:
    return [ledger, *(ledger.with_name(ledger.name + end) for end in ("-wal", "-shm"))]


def remove(ledger: Path) -> None:
    for file in companions(ledger):
        file.unlink(missing_ok=True)


def replace_by_another(ledger: Path) -> None:
    shutil.copy(ledger.with_name("copy.db"), ledger.with_name("other.db"))
    remove(ledger)
    ledger.with_name("other.db").rename(ledger)


def cut_short(ledger: Path) -> None:
    os.truncate(ledger, ledger.stat().st_size // 2)


@pytest.fixture
def planned(mixed):
    """The job is planned, and there is a copy of the ledger from then."""
    mixed.plan()
    shutil.copy(mixed.place.ledger, mixed.place.ledger.with_name("copy.db"))
    return mixed


def put_back(mixed) -> None:
    ledger = mixed.place.ledger
    remove(ledger)
    shutil.copy(ledger.with_name("copy.db"), ledger)


@pytest.mark.parametrize(
    ("lose", "words"),
    [(remove, "was removed while in use"), (replace_by_another, "was replaced while in use")],
    ids=["removed", "replaced"],
)
def test_a_ledger_lost_under_a_run_is_saved_and_the_run_goes_on_from_there(planned, lose, words):
    place = planned.place
    with at_request(place.sandbox, 8, lambda: lose(place.ledger), writes=True):
        done = place.outside("run", planned.folder, "--env", "staging", expect=6)
    error = done.document["error"]
    assert error["code"] == "ledger_gone"
    assert words in error["message"]
    assert str(place.ledger) in error["message"]
    assert max(planned.written().values()) == 1
    assert sum(planned.written().values()) < ALL

    (saved,) = place.folder.glob("bulkrunner.db.saved-*")
    assert f"mv {saved} {place.ledger}; then resume" in error["hint"]
    assert saved.stat().st_mode & 0o777 == 0o600
    remove(place.ledger)
    saved.rename(place.ledger)
    resumed = place("resume")
    assert resumed.document["outcomes"]["applied"] == ALL
    assert set(planned.written().values()) == ONCE
    assert place("ledger", "check").document["state"] == "intact"


def test_a_ledger_removed_under_a_plan_is_saved_too(mixed, monkeypatch):
    monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", 4)
    place = mixed.place
    with at_request(place.sandbox, 25, lambda: remove(place.ledger), writes=False):
        done = place("plan", mixed.folder, "--env", "staging", expect=6)
    assert done.document["error"]["code"] == "ledger_gone"
    (saved,) = place.folder.glob("bulkrunner.db.saved-*")
    saved.rename(place.ledger)
    resumed = place("resume").document
    assert resumed["state"] == "complete"
    assert sum(resumed["counts"].values()) == ALL
    assert place.sandbox.staging.writes() == []


def test_a_ledger_cut_short_under_a_run_stops_it(planned):
    place = planned.place
    with at_request(place.sandbox, 8, lambda: cut_short(place.ledger), writes=True):
        done = place.outside("run", planned.folder, "--env", "staging", expect=6)
    error = done.document["error"]
    assert error["code"] == "ledger_damaged"
    assert "bytes are left" in error["message"]
    assert PUT_BACK in error["hint"]
    assert max(planned.written().values()) == 1
    nothing_doubled_with_the_copy(planned)


def test_a_ledger_damaged_under_a_run_doubles_nothing(planned):
    """The database may not notice: it writes beside the damage, which `ledger check` finds."""
    place = planned.place
    with at_request(place.sandbox, 8, lambda: spoil_pages(place.ledger), writes=True):
        done = place.outside("run", planned.folder, "--env", "staging", expect=None)
    assert done.exit_code in (0, 6)
    if done.exit_code:
        assert done.document["error"]["code"] == "ledger_damaged"
    assert max(planned.written().values()) == 1
    checked = place("ledger", "check", expect=4)
    assert checked.document["error"]["code"] == "chain_broken"
    nothing_doubled_with_the_copy(planned)


def nothing_doubled_with_the_copy(planned) -> None:
    """With an older copy the run is unknown; the new one finds what was done, and does the rest."""
    before = planned.written()
    put_back(planned)
    place = planned.place
    if sum(before.values()):
        refused = place("run", planned.folder, "--env", "staging", expect=4)
        assert refused.closed == {"ledger"}
        place("ledger", "restore", "--by", "Eva Berg", "--reason", "the file was damaged")
    done = place("run", planned.folder, "--env", "staging", expect=None)
    outcomes = done.document["outcomes"]
    found = [record for record, count in before.items() if count]
    made = len([bib for bib in planned.bibs if before[bib]])
    assert outcomes["applied"] == ALL - len(found)
    assert outcomes["unchanged"] == len(found) - made
    assert outcomes["refused"] == made
    assert done.exit_code == (5 if made else 0)
    assert set(planned.written().values()) == ONCE


def spoil_pages(ledger: Path) -> None:
    """Write noise over the middle of the file."""
    size = ledger.stat().st_size
    with ledger.open("r+b") as file:
        file.seek(size // 3)
        file.write(random.Random(1).randbytes(size // 3))


def spoil_a_byte(ledger: Path) -> None:
    """Change one letter of an answer that the ledger holds."""
    data = ledger.read_bytes()
    place = data.rindex(b"stopped by a test") if b"stopped by a test" in data else None
    place = data.index(b'"outcome":"applied"') if place is None else place
    with ledger.open("r+b") as file:
        file.seek(place + len(b'"outcome":"'))
        file.write(b"e")


def half(ledger: Path) -> None:
    cut_short(ledger)


def empty(ledger: Path) -> None:
    os.truncate(ledger, 0)


@pytest.mark.parametrize(
    ("spoil", "code", "exit_code", "hint"),
    [
        (spoil_pages, "ledger_damaged", 6, PUT_BACK),
        (half, "ledger_damaged", 6, PUT_BACK),
        (empty, "ledger_damaged", 6, "put the newest copy of the ledger in its place"),
        (spoil_a_byte, "gate_closed", 4, "nothing was sent"),
    ],
    ids=["noise in the middle", "cut in half", "cut to nothing", "one letter"],
)
def test_a_ledger_spoilt_between_two_commands(planned, spoil, code, exit_code, hint):
    place = planned.place
    run = place("run", planned.folder, "--env", "staging", "--limit", "9", expect=6).document["run"]
    copy = place.ledger.with_name("copy.db")
    shutil.copy(place.ledger, copy)
    sent = len(place.sandbox.staging.writes())
    spoil(place.ledger)
    damaged = place.ledger.read_bytes()
    done = place("resume", run, expect=exit_code)
    assert done.document["error"]["code"] == code
    assert hint in done.document["error"]["hint"]
    assert len(place.sandbox.staging.writes()) == sent
    checked = place("ledger", "check", expect=4)
    assert checked.document["error"]["code"] == "chain_broken"
    assert "bulkrunner ledger check" not in checked.document["error"]["hint"], "it was just asked"
    assert "ledger" in checked.document["error"]["hint"]
    assert place.ledger.read_bytes() == damaged, "what is left of it is somebody's evidence"

    remove(place.ledger)
    shutil.copy(copy, place.ledger)
    resumed = place("resume", run)
    assert resumed.document["outcomes"]["applied"] == UPDATES + DELETES + CREATES
    assert set(planned.written().values()) == ONCE
