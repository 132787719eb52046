"""Records kept in a file, ids, clocks."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.sandbox.documents import ALPHABET, IdGenerator
from bulkrunner.sandbox.engine import (
    CLIENT_IDS,
    Environment,
    SandboxOptions,
    build_environment,
    client_secret,
)
from bulkrunner.sandbox.store import SqliteStore
from bulkrunner.sandbox.wire import ManualClock, Request, Settings, http_date, server_time
from tests.support.lab import BASE, LATER, LONG_AGO, RECORDS, Lab, body_of

SMALL = {"bibs": 20, "holdings": 40}


def reopened(path: Path) -> Environment:
    return Environment(Settings(kind="test", base_uri=BASE), store=SqliteStore(path))


def test_versions_names_and_links_survive(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    first = reopened(path)
    first.load((d, LONG_AGO, LATER) for d in RECORDS)
    first.editor.edit("h1", changes={"shelfMark.label": "Hce"}, sigel="S")
    first.editor.edit("h2", delete=True)
    first.store.close()
    second = reopened(path)
    kept, before = second.catalogue.entry("h1"), first.catalogue.entry("h1")
    assert kept is not None
    assert before is not None
    assert kept.versions == before.versions
    assert kept.pair == before.pair
    assert second.catalogue.linked_from("b1") == first.catalogue.linked_from("b1")
    for url in ("/h1?embellished=false", "/h2", "/http://libris.kb.se/bib/222", f"/{BASE}h2#it"):
        answers = [e.handle(Request.of("GET", url)) for e in (first, second)]
        assert answers[0].status == answers[1].status
        assert answers[0].body == answers[1].body
    second.store.close()


def test_the_file_is_its_owners(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "test.db")
    assert (tmp_path / "test.db").stat().st_mode & 0o777 == 0o600
    store.close()


def test_a_failed_write_keeps_nothing(tmp_path: Path) -> None:
    environment = reopened(tmp_path / "test.db")
    documents = [RECORDS[0], RECORDS[0]]
    with pytest.raises(ValueError, match="there already"):
        environment.load((d, LONG_AGO, LATER) for d in documents)
    environment.store.close()


def test_restart_keeps_base_secrets_and_records(tmp_path: Path) -> None:
    options = SandboxOptions(data=tmp_path, **SMALL)
    first = build_environment(options, "test", served_at="http://127.0.0.1:1111/")
    second = build_environment(options, "test", served_at="http://127.0.0.1:2222/")
    assert second.settings.base_uri == "http://127.0.0.1:1111/"
    assert len(second.catalogue) == len(first.catalogue) > 60
    for client in CLIENT_IDS:
        assert client_secret(first, client) == client_secret(second, client)
    first.store.close()
    second.store.close()


def test_environments_and_starts_have_secrets_of_their_own() -> None:
    options = SandboxOptions(**SMALL)
    environments = [
        build_environment(options, kind, served_at="http://127.0.0.1:1/")
        for kind in ("test", "production", "test")
    ]
    secrets = {client_secret(e, c) for e in environments for c in CLIENT_IDS}
    assert len(secrets) == 12


def test_short_ids() -> None:
    generator = IdGenerator(1)
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    made = [generator.next(moment) for _ in range(50)]
    assert len(set(made)) == 50
    assert all(set(short_id) <= set(ALPHABET) and len(short_id) == 16 for short_id in made)
    assert set(ALPHABET) == set("0123456789bcdfghjklmnpqrstvwxz")


STOCKHOLM, UTC_ZONE = ZoneInfo("Europe/Stockholm"), ZoneInfo("UTC")


@pytest.mark.parametrize("zone", [STOCKHOLM, UTC_ZONE])
@given(moment=st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1)))  # noqa: DTZ001
def test_the_servers_time_reads_back(zone: ZoneInfo, moment: datetime) -> None:
    aware = moment.replace(microsecond=moment.microsecond // 1000 * 1000, tzinfo=UTC)
    assert datetime.fromisoformat(server_time(aware, zone)) == aware


def test_times_as_written() -> None:
    summer = datetime(2017, 10, 27, 6, 59, 14, 651_000, tzinfo=UTC)
    assert server_time(summer, STOCKHOLM) == "2017-10-27T08:59:14.651+02:00"
    assert http_date(summer) == "Fri, 27 Oct 2017 06:59:14 GMT"
    winter = datetime(2017, 1, 27, tzinfo=UTC)
    assert server_time(winter, STOCKHOLM) == "2017-01-27T01:00:00+01:00"


def test_a_server_in_utc_ends_its_times_in_z() -> None:
    moment = datetime(2026, 11, 30, 4, 53, 29, 470_000, tzinfo=UTC)
    assert server_time(moment, UTC_ZONE) == "2026-11-30T04:53:29.47Z"
    assert server_time(moment.replace(microsecond=0), UTC_ZONE) == "2026-11-30T04:53:29Z"
    lab = Lab(time_zone="UTC")
    assert lab.stored("h1")["@graph"][0]["created"] == "2019-05-04T10:00:00.25Z"
    lab.environment.editor.edit("h1")
    assert lab.stored("h1")["@graph"][0]["modified"] == "2026-03-02T09:00:00Z"
    sets = body_of(lab.get("/h1/_changesets"))["changeSets"]
    assert sets[-1]["date"] == "2026-03-02T09:00:00Z"
    until = int(lab.clock.now().timestamp() * 1000) + 1
    feed = body_of(lab.get(f"/api/emm/?until={until}"))["orderedItems"]
    assert feed[0]["published"] == feed[0]["object"]["updated"] == "2026-03-02T09:00:00Z"
    page = body_of(lab.get("/api/emm/full?selection=itemAndInstance:Ylm&offset=0"))
    assert page["startTime"] == "2026-03-02T09:00:00Z"


def test_a_manual_clock_stands_still() -> None:
    clock = ManualClock()
    assert clock.now() == clock.now()


@pytest.mark.parametrize(
    "wrong", [{"base_uri": "https://libris-stg.kb.se"}, {"duplicate_status": 400}]
)
def test_settings_that_make_no_sense(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"slash|duplicate"):
        Settings(**{"kind": "test", "base_uri": BASE, **wrong})  # type: ignore[arg-type]
