"""Whether a ledger is the one that was written to last: what is noted beside it, and what it says."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.ledger.file import SUFFIX
from bulkrunner.domain.ledger_port import CLOCKS, unknown_of
from tests.support.ledgers import (
    START,
    SetClock,
    a_change,
    a_plan,
    fill,
    ledger_url,
    new_ledger,
    store_plan,
)
from tests.support.postgresql import the_server

SAID = {"by": "Eva Berg", "reason": "the disk broke", "recorded_by": "eva@desk"}


@pytest.fixture
def path(tmp_path):
    """A filled ledger that nobody has open."""
    with opened(tmp_path / "one" / "ledger.db") as ledger:
        fill(ledger)
    return tmp_path / "one" / "ledger.db"


def opened(path):
    path.parent.mkdir(exist_ok=True)
    return open_ledger(ledger_url(path), clock=SetClock())


def beside(path):
    return path.with_name(path.name + SUFFIX)


def more(path, plan="p9"):
    with opened(path) as ledger:
        store_plan(ledger, a_plan(plan), [a_change(1)])


def why(path):
    with opened(path) as ledger:
        return ledger.provenance.copied()


def overwrite(path, data):
    """Put other content into the very file."""
    with path.open("r+b") as file:
        file.truncate()
        file.write(data)


def test_the_ledger_itself(path):
    assert why(path) is None
    more(path)
    assert why(path) is None


def test_an_empty_one_is_no_copy(tmp_path):
    shutil.copy(_empty(tmp_path), tmp_path / "ledger.db")
    with opened(tmp_path / "ledger.db") as ledger:
        assert ledger.provenance.copied() is None
        fill(ledger)
        assert ledger.provenance.copied() is None
    assert why(tmp_path / "ledger.db") is None


def _empty(folder):
    opened(folder / "empty.db").close()
    return folder / "empty.db"


def test_one_that_was_begun_anew_is_no_copy(path):
    """What was noted of the one before counts for that one only."""
    path.unlink()
    more(path)
    assert why(path) is None


def test_a_copy_elsewhere(path, tmp_path):
    shutil.copy(path, tmp_path / "copy.db")
    assert "beside its file nothing is noted" in why(tmp_path / "copy.db")
    assert not beside(tmp_path / "copy.db").exists()


def test_a_copy_with_what_is_noted_while_the_ledger_goes_no_further(path, tmp_path):
    for name in ("two", "three"):
        shutil.copytree(path.parent, tmp_path / name)
    two, three = (tmp_path / name / path.name for name in ("two", "three"))
    assert why(two) is None
    more(two)
    assert why(two) is None
    assert why(path) is None, "it is a ledger of its own from then on"
    more(path, "p8")
    assert why(two) is None
    assert "together with what is noted" in why(three)


@pytest.mark.parametrize("gone", ["ledger", "note", "folder"])
def test_a_copy_with_what_is_noted_whose_ledger_cannot_be_asked(path, tmp_path, gone):
    shutil.copytree(path.parent, tmp_path / "two")
    match gone:
        case "ledger":
            more(path)
        case "note":
            beside(path).unlink()
        case "folder":
            shutil.rmtree(path.parent)
    assert "together with what is noted" in why(tmp_path / "two" / path.name)


def test_all_of_it_put_back_in_its_place(path, tmp_path):
    shutil.copytree(path.parent, tmp_path / "backup")
    more(path)
    shutil.rmtree(path.parent)
    shutil.copytree(tmp_path / "backup", path.parent)
    assert "together with what is noted" in why(path)


def test_one_that_is_moved_with_what_is_noted_is_the_same(path, tmp_path):
    path.parent.rename(tmp_path / "two")
    assert why(tmp_path / "two" / path.name) is None


def test_an_older_state_in_the_very_file(path):
    before = path.read_bytes()
    more(path)
    overwrite(path, before)
    assert "its newest events are missing: its last one is of 2026-03-02 09:00 UTC" in why(path)


def test_an_older_state_of_a_run_only(path):
    """The ledger's own chain is as before: what was sent and answered stands in the run's."""
    before = path.read_bytes()
    with opened(path) as ledger:
        head = ledger.chain.head()
        ledger.orders.log_wait("r2", None)
        assert ledger.chain.head() == head
    overwrite(path, before)
    assert "its newest events are missing" in why(path)


def test_two_that_went_on_apart(path, tmp_path):
    shutil.copy(path, tmp_path / "copy.db")
    more(path, "p8")
    with opened(tmp_path / "copy.db") as ledger:
        store_plan(ledger, a_plan("p9"), [a_change(1), a_change(2)])
        store_plan(ledger, a_plan("p10"), [a_change(1)])
    overwrite(path, (tmp_path / "copy.db").read_bytes())
    assert "two copies of it were written to" in why(path)


def test_another_ledger_in_its_place(path, tmp_path):
    more(tmp_path / "other.db")
    overwrite(path, (tmp_path / "other.db").read_bytes())
    assert "in the place of another ledger" in why(path)


def test_an_old_ledger_in_the_place_of_a_new_one(path, tmp_path):
    new = _empty(tmp_path)
    shutil.copyfile(path, new)
    assert "nothing is noted" in why(new)


@pytest.mark.parametrize(
    "content",
    [b"", b"x" * 4096, b"[]", b"{}", b'{"first": "x", "heads": {"": 1}, "file": [1, 2]}', b"\xff"],
)
def test_a_note_that_says_nothing(path, content):
    overwrite(beside(path), content)
    assert "nothing is noted" in why(path)


def test_a_note_that_was_put_back_for_a_file_of_the_same_number(path):
    """Numbers of removed files are given again at once; the file system counts how often."""
    data = beside(path).read_bytes()
    said = json.loads(data)
    if not said["file"][1]:
        pytest.skip("this file system does not tell")
    number = beside(path).stat().st_ino
    for _ in range(20):
        beside(path).unlink()
        beside(path).write_bytes(data)
        if beside(path).stat().st_ino == number:
            break
    assert "together with what is noted" in why(path)


def test_a_process_that_goes_on_while_it_is_put_back_does_not_vouch_for_it(path, tmp_path):
    """It has noted more than there is; what it writes afterwards must not hide that."""
    shutil.copy(path, tmp_path / "old.db")
    with opened(path) as ledger:
        store_plan(ledger, a_plan("p8"), [a_change(1)])
        with (
            closing(sqlite3.connect(path)) as there,
            closing(sqlite3.connect(tmp_path / "old.db")) as old,
        ):
            old.backup(there)
        ledger.clients.note("staging", "client-9", use="p8", at=START)
        assert ledger.provenance.copied() is not None
        for number in range(9):
            store_plan(ledger, a_plan(f"q{number}"), [a_change(1)])
        assert ledger.provenance.copied() is not None
    assert why(path) is not None


def test_several_processes_note_the_furthest(path):
    with opened(path) as one, opened(path) as two:
        store_plan(one, a_plan("p7"), [a_change(1)])
        store_plan(two, a_plan("p8"), [a_change(1)])
        one.orders.log_wait("r2", None)
        head = two.chain.head()
    said = json.loads(beside(path).read_bytes())
    assert said["heads"][""][1] == head
    assert set(said["heads"]) == {"", "r2"}
    assert why(path) is None


def test_a_note_that_cannot_be_written_stops_nothing(path, caplog):
    with opened(path) as ledger:
        store_plan(ledger, a_plan("p7"), [a_change(1)])
        beside(path).unlink()
        store_plan(ledger, a_plan("p8"), [a_change(1)])
    assert "cannot be written" in caplog.text
    assert "nothing is noted" in why(path)


def test_a_person_takes_it_up(path, tmp_path):
    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)
    with opened(copy) as ledger:
        was = ledger.provenance.copied()
        found = ledger.provenance.restore(**SAID)
        assert (found.by, found.reason, found.recorded_by, found.was) == (*SAID.values(), was)
        assert found.known_until.isoformat() == _newest(path)
        assert ledger.provenance.copied() is None
        assert ledger.provenance.restorations() == [found]
        assert ledger.chain.check() == []
        store_plan(ledger, a_plan("p9"), [a_change(1)])
    assert why(copy) is None
    more(path)
    assert why(path) is None, "the other one is none the wiser"


def _newest(path):
    with closing(sqlite3.connect(path)) as raw:
        (newest,) = raw.execute("SELECT max(at) FROM events").fetchone()
    return newest.replace(".000000", "")


def test_it_is_taken_up_in_place(path):
    before = path.read_bytes()
    more(path)
    overwrite(path, before)
    with opened(path) as ledger:
        ledger.provenance.restore(**SAID)
        assert ledger.provenance.copied() is None
    again = path.read_bytes()
    more(path)
    overwrite(path, again)
    with opened(path) as ledger:
        assert "missing" in ledger.provenance.copied()
        ledger.provenance.restore(**{**SAID, "by": "Bo"})
        assert [one.by for one in ledger.provenance.restorations()] == ["Eva Berg", "Bo"]


def test_what_a_restored_ledger_may_not_know(path):
    with opened(path) as ledger:
        assert unknown_of(ledger.provenance.restorations(), START) is None
        found = ledger.provenance.restore(**SAID)
    unknown = unknown_of([found], START)
    assert (unknown.since, unknown.plan_is_older) == (found.known_until - CLOCKS, True)
    assert not unknown_of([found], found.at.replace(year=2027)).plan_is_older


def test_the_backup_before_production_is_marked(path):
    with opened(path) as ledger:
        copy = ledger.backups.back_up("p1", keep=3)
        store_plan(ledger, a_plan("p9"), [a_change(1)])
        assert ledger.provenance.copied() is None
    with open_ledger(ledger_url(copy), clock=SetClock()) as ledger:
        assert ledger.provenance.copied().startswith(
            "it is the copy that was made 2026-03-02 09:00 UTC; "
        )
        assert ledger.chain.check() == []


def test_a_ledger_that_ends_with_its_backup_is_no_copy(path):
    """The process died between the copy and the run."""
    with opened(path) as ledger:
        ledger.backups.back_up("p1", keep=3)
    assert why(path) is None


def test_the_note_is_private_and_follows_no_link(path, tmp_path):
    assert beside(path).stat().st_mode & 0o777 == 0o600
    beside(path).unlink()
    (tmp_path / "mine").write_bytes(b"mine")
    beside(path).symlink_to(tmp_path / "mine")
    assert "nothing is noted" in why(path)
    with opened(path) as ledger:
        ledger.provenance.restore(**SAID)
    assert (tmp_path / "mine").read_bytes() == b"mine"
    assert not beside(path).is_symlink()
    assert os.path.getsize(beside(path)) == 4096  # noqa: PTH202 (of the file, not of a link)


def test_on_any_database_a_person_says_so(tmp_path):
    with new_ledger(tmp_path) as ledger:
        assert ledger.provenance.copied() is None
        fill(ledger)
        assert ledger.provenance.copied() is None
        found = ledger.provenance.restore(**SAID)
        assert ledger.provenance.restorations() == [found]
        assert ledger.provenance.copied() is None
        assert ledger.chain.check() == []


def test_a_database_that_was_copied(tmp_path):
    server = the_server()
    name = f"provenance_{os.getpid()}"
    with open_ledger(server.empty(name), clock=SetClock()) as ledger:
        fill(ledger)
        assert ledger.provenance.copied() is None
    server.copy(name, f"{name}_copy")
    with open_ledger(server.url(f"{name}_copy"), clock=SetClock()) as copy:
        assert "read in from a dump" in copy.provenance.copied()
        copy.provenance.restore(**SAID)
        assert copy.provenance.copied() is None
        assert copy.chain.check() == []
    with open_ledger(server.url(name), clock=SetClock()) as ledger:
        assert ledger.provenance.copied() is None
