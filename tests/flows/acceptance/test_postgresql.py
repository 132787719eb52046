"""The whole road with the ledger on a PostgreSQL server, and an edit of it that is found."""

import re

import pytest
from sqlalchemy import create_engine

from tests.support.cli import Workplace, update_label
from tests.support.postgresql import stop_server, the_server


@pytest.fixture(scope="module")
def server():
    yield the_server()
    stop_server()


@pytest.fixture
def place(server, sandbox, tmp_path):
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, url=server.of(tmp_path))


def edit(place, statement):
    """Edit the database as its owner can, triggers and all."""
    engine = create_engine(place.url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET session_replication_role = replica")
        assert connection.exec_driver_sql(statement).rowcount
    engine.dispose()


def test_the_whole_road(place, own):
    job = place.job("road", operations=update_label(own[:3], to="Hx"))
    plan = place.approved(job)
    before = [place.sandbox.production.document(record) for record in own[:3]]

    done = place("run", job, "--env", "production").document
    assert done["state"] == "completed"
    assert done["outcomes"]["applied"] == 3
    assert place("verify", done["run"]).document["differences"] == []
    report = place.folder / "report.html"
    place("report", done["run"], "--out", report)
    assert place("ledger", "check").document["head"] in report.read_text(encoding="utf-8")

    back = place.folder / "jobs" / "back"
    tried = next(
        run["run"] for run in place("status").document["runs"] if run["environment"] == "staging"
    )
    place("undo", tried, "--out", back)
    undo = place.approved(back)
    assert (
        place("run", "--plan", undo, back, "--env", "production").document["outcomes"]["applied"]
        == 3
    )
    for record, old in zip(own, before, strict=False):
        item = place.sandbox.production.document(record)["@graph"][1]
        assert item == old["@graph"][1]

    bundle = place.folder / "bundle.zip"
    place("ledger", "export", done["run"], "--out", bundle)
    assert place("ledger", "check", bundle).document["state"] == "intact"
    assert place("ledger", "check").document["state"] == "intact"
    assert not place.ledger.exists()

    edit(place, f"UPDATE approvals SET given_by = 'Somebody else' WHERE plan = '{plan}'")
    checked = place("ledger", "check", expect=4).document
    assert re.search(
        r"what event \d+ of the ledger's chain stored was changed", checked["faults"][0]
    )
    more = place.job("more", operations=update_label(own[3:4], to="Hx"))
    place("plan", more, "--env", "production")
    assert "ledger" in place("run", more, "--env", "production", expect=4).closed


def test_a_job_goes_on_where_its_ledger_was_moved_to(server, sandbox, own, tmp_path):
    first = Workplace(folder=tmp_path / "place", sandbox=sandbox)
    job = first.job("moved", operations=update_label(own[4:6], to="Hx"))
    first.approved(job)
    here, url = f"sqlite:///{first.ledger}", server.of(tmp_path)
    missing = first("ledger", "copy", f"{here}x", url, expect=2).document
    assert "there is no ledger at" in missing["error"]["message"]
    moved = first("ledger", "copy", here, url).document
    assert (moved["state"], moved["moved"]["from"]) == ("moved", here)
    assert "ledger" in first("run", job, "--env", "production", expect=4).closed
    assert first("ledger", "copy", here, url, expect=2).document["error"]["code"] == (
        "ledger_not_empty"
    )

    later = Workplace(folder=first.folder, sandbox=sandbox, url=url)
    later.configure()
    assert later("ledger", "check").document["head"] == moved["head"]
    assert later("run", job, "--env", "production").document["outcomes"]["applied"] == 2
