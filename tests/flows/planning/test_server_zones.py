"""A server writes times in its own zone: with an offset, or in UTC with a Z."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bulkrunner.domain.settlement.attempts import same_moment
from bulkrunner.sandbox.wire import server_time
from tests.support.cli import Workplace
from tests.support.sandbox import SandboxControl, running_sandbox

TIME = re.compile(rb'"(created|modified)":"([^"]+)"')
NOTE = {"append": {"at": "cataloguersNote", "value": "sedd"}}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxControl]:
    with running_sandbox(time_zone="UTC") as control:
        yield control


@pytest.fixture
def place(sandbox: SandboxControl, tmp_path: Path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox)


def move_to_stockholm(sandbox: SandboxControl) -> None:
    """Have the test environment write the times that it has stored with an offset."""
    zone = ZoneInfo("Europe/Stockholm")

    def written(found: re.Match[bytes]) -> bytes:
        moment = server_time(datetime.fromisoformat(found[2].decode()), zone)
        return b'"%s":"%s"' % (found[1], moment.encode())

    assert sandbox.running is not None
    for entry in sandbox.running.test.environment.catalogue.entries():
        entry.versions = [replace(v, body=TIME.sub(written, v.body)) for v in entry.versions]


def test_the_whole_road_at_a_server_in_utc(
    place: Workplace, sandbox: SandboxControl, own: list[str]
) -> None:
    here, (first, second) = sandbox.staging, own[:2]
    assert here.document(first)["@graph"][0]["modified"].endswith("Z")
    job = place.job("utc", steps=[{"ids": [first, second], **NOTE}])
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == 2
    assert place("verify", run["run"]).exit_code == 0
    back = place.folder / "back"
    place("undo", run["run"], "--out", back)
    place("plan", back, "--env", "staging")
    assert place("run", back, "--env", "staging").document["outcomes"]["applied"] == 2
    assert "cataloguersNote" not in here.document(first)["@graph"][1]


def test_records_are_chosen_by_when_they_were_changed(
    place: Workplace, sandbox: SandboxControl, own: list[str]
) -> None:
    old, new = own[2:4]
    sandbox.staging.edit(new)
    today = datetime.fromisoformat(sandbox.staging.document(new)["@graph"][0]["modified"])
    day = today.astimezone(ZoneInfo("Europe/Stockholm")).date().isoformat()
    job = place.job(
        "since", steps=[{"ids": [old, new], "where": {"@record.modified": {"before": day}}, **NOTE}]
    )
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"] | {"update": 1, "unchanged": 1} == plan["counts"]


def test_what_a_run_did_is_known_when_the_server_has_moved_to_another_zone(
    place: Workplace, sandbox: SandboxControl, own: list[str]
) -> None:
    record = own[4]
    longer = {"replace_text": {"at": "shelfMark.label", "find": "H", "with": "HH"}}
    job = place.job("zone", steps=[{"ids": [record], **longer}])
    place("plan", job, "--env", "staging")
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == 1
    move_to_stockholm(sandbox)
    assert not sandbox.staging.document(record)["@graph"][0]["modified"].endswith("Z")
    counts = place("plan", job, "--env", "staging").document["counts"]
    assert (counts["update"], counts["unchanged"]) == (0, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2026-11-30T04:53:29.47Z", "2026-11-30T05:53:29.470+01:00", True),
        ("2026-11-30T04:53:29Z", "2026-11-30T04:53:29+00:00", True),
        ("2026-11-30T04:53:29Z", "2026-11-30T04:53:29+01:00", False),
        ("2026-11-30T04:53:29.471Z", "2026-11-30T04:53:29.47Z", False),
        ("no time", "no time", True),
        ("no time", "2026-11-30T04:53:29Z", False),
        (None, None, True),
        (None, "2026-11-30T04:53:29Z", False),
    ],
)
def test_the_same_moment(one: str | None, other: str | None, same: bool) -> None:
    assert same_moment(one, other) is same
    assert same_moment(other, one) is same
