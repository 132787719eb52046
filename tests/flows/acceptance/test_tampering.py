"""A ledger that somebody edits is found out, the row is named, and production stays closed."""

import re
import shutil
import sqlite3
import zipfile
from contextlib import closing

import pytest

from bulkrunner.adapters.ledger.document_store import packed, unpacked
from bulkrunner.sandbox import seed
from tests.support.cli import Workplace, update_label
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as control:
        yield control


@pytest.fixture(scope="module")
def approved(sandbox, tmp_path_factory):
    """A place with a job that has been through staging and is approved for production."""
    own = seed.example_ids(
        kind="holding", sigel="Ylm", shelf_mark="Hc", bibs=BIBS, holdings=HOLDINGS
    )
    place = Workplace(folder=tmp_path_factory.mktemp("approved"), sandbox=sandbox)
    job = place.job("tampered", operations=update_label(own[:4], to="Hans"))
    return place, place.approved(job)


@pytest.fixture
def place(approved, tmp_path):
    original, _ = approved
    folder = tmp_path / "place"
    shutil.copytree(original.folder, folder)
    return Workplace(folder=folder, sandbox=original.sandbox)


@pytest.fixture
def plan(approved):
    return approved[1]


def edit(place, *statements):
    """Edit the file as somebody would who knows SQL, triggers and all."""
    with closing(sqlite3.connect(place.ledger, isolation_level=None)) as raw:
        raw.create_function("other", 1, _other)
        for (name,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            raw.execute(f"DROP TRIGGER {name}")
        raw.execute("PRAGMA foreign_keys=OFF")
        for statement in statements:
            assert raw.execute(statement).rowcount != 0, statement


def _other(content):
    """The content of another document, packed as it should be."""
    return packed(unpacked(content).replace(b"Hans", b"Hxyz"))


LAST = "(SELECT id FROM plans ORDER BY seq DESC LIMIT 1)"
AFTER = f"(SELECT after FROM planned_changes WHERE plan = {LAST} AND number = 2)"
SWAP = "UPDATE {0} SET {1} = -{1} WHERE {2}"

EDITS = {
    "a byte of an event": (
        ["UPDATE events SET data = replace(data, 'plan', 'plah') WHERE chain='' AND position=2"],
        r"event 2 of the ledger's chain does not fit",
    ),
    "a byte of a hash": (
        ["UPDATE events SET hash = zeroblob(32) WHERE chain = '' AND position = 3"],
        r"event 3 of the ledger's chain does not fit",
    ),
    "an event removed": (
        ["DELETE FROM events WHERE chain = '' AND position = 4"],
        r"event 4 of the ledger's chain is missing",
    ),
    "the newest event removed": (
        ["DELETE FROM events WHERE chain = '' AND kind = 'approved'"],
        r"the ledger's chain does not end where the ledger says",
    ),
    "an outcome removed": (
        ["DELETE FROM results WHERE change = 3"],
        r"what event \d+ of the chain of run r-\w+ stored \(outcome, change 3\) is gone",
    ),
    "an approval removed": (
        ["DELETE FROM approvals"],
        r"what event \d+ of the ledger's chain stored is gone",
    ),
    "a change removed": (
        [f"DELETE FROM planned_changes WHERE plan = {LAST} AND number = 2"],
        r"change 2 of plan p-\w+ is gone",
    ),
    "a document removed": (
        [f"DELETE FROM documents WHERE digest = {AFTER}"],
        r"document sha256:\w+ \(the after-document of change 2 of plan p-\w+\)",
    ),
    "two events swapped": (
        [
            "UPDATE events SET position = -2 WHERE chain = '' AND position = 2",
            "UPDATE events SET position = 2 WHERE chain = '' AND position = 3",
            "UPDATE events SET position = 3 WHERE chain = '' AND position = -2",
        ],
        r"event 2 of the ledger's chain does not fit",
    ),
    "two changes swapped": (
        [
            f"UPDATE planned_changes SET number = -2 WHERE plan = {LAST} AND number = 2",
            f"UPDATE planned_changes SET number = 2 WHERE plan = {LAST} AND number = 3",
            f"UPDATE planned_changes SET number = 3 WHERE plan = {LAST} AND number = -2",
        ],
        r"change 2 of plan p-\w+ is not as event \d+",
    ),
    "two outcomes swapped": (
        [
            "UPDATE results SET change = -2 WHERE change = 2",
            "UPDATE results SET change = 2 WHERE change = 3",
            "UPDATE results SET change = 3 WHERE change = -2",
        ],
        r"\(outcome, change [23]\) was changed afterwards|\(outcome, change [23]\) is gone",
    ),
    "an approval's name": (
        ["UPDATE approvals SET given_by = 'Somebody else'"],
        r"what event \d+ of the ledger's chain stored was changed afterwards",
    ),
    "an approval's conditions": (
        ["""UPDATE approvals SET conditions = '{"per_night":9}'"""],
        r"what event \d+ of the ledger's chain stored was changed afterwards",
    ),
    "an approval put on another plan": (
        ["UPDATE approvals SET plan = (SELECT id FROM plans ORDER BY seq LIMIT 1)"],
        r"what event \d+ of the ledger's chain stored was changed afterwards",
    ),
    "a plan's document replaced": (
        [f"UPDATE documents SET content = other(content) WHERE digest = {AFTER}"],
        r"document sha256:\w+ \(the after-document of change 2 of plan p-\w+\)",
    ),
    "a change given another document": (
        [
            f"UPDATE planned_changes SET after = before WHERE plan = {LAST} AND number = 2",
        ],
        r"change 2 of plan p-\w+ is not as event \d+",
    ),
    "an outcome of staging made good": (
        ["UPDATE results SET message = 'well done' WHERE change = 1"],
        r"\(outcome, change 1\) was changed afterwards",
    ),
    "a change of the plan that staging tried": (
        [f"UPDATE planned_changes SET record = 'x' WHERE plan <> {LAST} AND number = 2"],
        r"change 2 of plan p-\w+ is not as event \d+",
    ),
    "where planning went on": (
        [f"UPDATE plans SET cursor = cursor + 1 WHERE id = {LAST}"],
        r"cursor of plan p-\w+ is not as event \d+ of the ledger's chain told it",
    ),
    "when a run was last active": (
        ["UPDATE runs SET active_at = '3' || substr(active_at, 2)"],
        r"active_at of run r-\w+ is not as event \d+ of the chain of run r-\w+ told it",
    ),
    "the order of plans": (
        ["UPDATE plans SET seq = -seq"],
        r"plan p-\w+ is not in its place: p-\w+ comes before it",
    ),
    "a line of the input put in": (
        [f"INSERT INTO input_lines SELECT {LAST}, 9, '', 9, 1, 'blank', '', ''"],
        r"a row of input_lines \(place 9\) of plan p-\w+ was stored by no event",
    ),
    "a policy made looser": (
        [f"UPDATE plans SET policy = replace(policy, '0.95', '0.05') WHERE id = {LAST}"],
        r"what event \d+ of the ledger's chain stored was changed afterwards",
    ),
}


@pytest.mark.parametrize(("statements", "named"), EDITS.values(), ids=EDITS)
def test_an_edit_is_named_and_closes_production(place, plan, statements, named):
    edit(place, *statements)
    checked = place("ledger", "check", expect=4).document
    assert checked["state"] == "broken"
    assert re.search(named, "\n".join(checked["faults"])), checked["faults"]
    ran = place("run", place.folder / "jobs" / "tampered", "--env", "production", expect=4)
    assert "ledger" in ran.closed
    gate = next(gate for gate in ran.document["gates"] if gate["name"] == "ledger")
    assert re.search(named, gate["reason"]), gate["reason"]
    assert place.sandbox.production.writes() == []


def test_what_is_made_of_a_ledger_that_does_not_fit_says_so(place, plan, tmp_path):
    statements, named = EDITS["a policy made looser"]
    edit(place, *statements)
    report = place("report", plan, "--out", tmp_path / "report.html")
    assert re.search(f"WARNING: the ledger does not fit: {named}", report.stderr), report.stderr
    path = tmp_path / "bundle.zip"
    refused = place("ledger", "export", plan, "--out", path, expect=4).document["error"]
    assert refused["code"] == "chain_broken"
    assert re.search(named, refused["message"])
    assert not path.exists()
    shown = place("status", plan)
    assert re.search(f"gate ledger +CLOSED {named}", shown.stderr)
    assert shown.document["next"] == "bulkrunner ledger check"


def test_unedited_it_is_whole_and_all_gates_are_open(place, plan):
    found = place("ledger", "check").document
    assert (found["state"], found["faults"]) == ("intact", [])
    assert all(gate["open"] for gate in place("status", plan).document["gates"])


# --- against a head that somebody else holds ----------------------------------------------------


def test_a_ledger_goes_on_from_the_head_of_an_earlier_report(place, plan):
    first = place("ledger", "check").document
    again = place("ledger", "check", "--against", first["head"]).document
    assert again["against"]["since"] == 0
    place("reject", plan, "--by", "Karin", "--reference", "1")
    later = place("ledger", "check", "--against", first["head"].removeprefix("sha256:").upper())
    assert later.document["against"] == {"event": again["against"]["event"], "since": 1}


def test_a_ledger_that_was_rewritten_as_a_whole_is_found_by_that_head(place, plan):
    """Somebody takes the last answer back, chain and all; the file fits in itself."""
    head = place("ledger", "check").document["head"]
    edit(
        place,
        "DELETE FROM approvals",
        "DELETE FROM events WHERE kind = 'approved'",
        "UPDATE chains SET position = (SELECT max(position) FROM events WHERE chain = ''), "
        "head = (SELECT hash FROM events WHERE chain = '' ORDER BY position DESC LIMIT 1) "
        "WHERE chain = ''",
    )
    assert place("ledger", "check").document["state"] == "intact"
    done = place("ledger", "check", "--against", head, expect=4).document
    assert done["error"]["code"] == "other_head"
    assert done["state"] == "broken"


def test_what_is_no_head(place):
    assert (
        place("ledger", "check", "--against", "abc", expect=2).document["error"]["code"] == "usage"
    )


def test_the_report_carries_the_head(place, plan):
    head = place("ledger", "check").document["head"]
    for form in ("html", "json", "md", "xlsx", "csv", "jsonl"):
        path = place.folder / f"report.{form}"
        done = place("report", plan, "--out", path, "--format", form)
        assert done.document["head"] == head
        assert head in done.stderr
        if form == "xlsx":
            with zipfile.ZipFile(path) as book:
                assert any(head.encode() in book.read(name) for name in book.namelist())
        elif form not in ("csv", "jsonl"):  # rows only
            assert head in path.read_text(encoding="utf-8")
