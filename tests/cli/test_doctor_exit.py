"""``doctor`` tells by its exit code whether every login gives rights."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from bulkrunner.adapters.machine import share_of
from bulkrunner.services.clients import NOBODY
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox


@pytest.fixture
def place(tmp_path):
    with running_sandbox() as sandbox:
        yield Workplace(folder=tmp_path / "place", sandbox=sandbox)


def test_all_well(place):
    done = place("doctor")
    assert [found["problems"] for found in done.document["environments"]] == [[], []]
    assert done.document["hosts"] == ["127.0.0.1"]


def test_a_refused_login_exits_7_and_the_other_environment_is_still_looked_at(place):
    place.variables = {"BULKRUNNER_STAGING_CLIENT_SECRET": "wrong"}
    done = place("doctor", expect=7)
    found = {one["environment"]: one["rights"] is not None for one in done.document["environments"]}
    assert found == {"staging": False, "production": True}


def test_without_any_client_it_says_what_to_set(place):
    place.variables = dict.fromkeys(place.environ(), "")
    done = place("doctor", expect=7)
    assert done.document["error"]["code"] == "no_credentials"
    assert "BULKRUNNER_<ENV>_CLIENT_ID" in done.stderr
    assert "once the client id is set" in done.stderr
    assert "readable, head" in done.stderr


@pytest.fixture
def keyring(monkeypatch):
    """A keyring that finds by service and user name alone, as most do."""
    held = {}

    def look_up(service, client_id):
        secret = held.get((service, client_id))
        return (client_id, secret) if secret else None

    monkeypatch.setattr("bulkrunner.adapters.libris.credentials.system_keyring", look_up)
    return held


def test_a_secret_in_the_keyring_without_a_client_id(place, keyring):
    variables = place.environ()
    secret = variables["BULKRUNNER_STAGING_CLIENT_SECRET"]
    keyring["bulkrunner/staging", variables["BULKRUNNER_STAGING_CLIENT_ID"]] = secret
    place.variables = dict.fromkeys(variables, "")
    done = place("doctor", "--env", "staging", expect=7)
    (problem,) = done.document["environments"][0]["problems"]
    assert "without a client id" in problem
    assert "Set BULKRUNNER_STAGING_CLIENT_ID (or client_id in the configuration)" in problem
    assert "resume" not in done.stderr
    place.configure(staging={"client_id": variables["BULKRUNNER_STAGING_CLIENT_ID"]})
    assert place("doctor").document["environments"][0]["problems"] == []


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ("CLIENT_SECRET", "Set BULKRUNNER_STAGING_CLIENT_ID (or"),
        ("CLIENT_ID", "STAGING_CLIENT_SECRET;"),
    ],
)
def test_half_a_client_is_told_though_no_environment_was_named(place, keyring, left, words):
    variables = place.environ()
    name = f"BULKRUNNER_STAGING_{left}"
    place.variables = {**dict.fromkeys(variables, ""), name: variables[name]}
    done = place("doctor", expect=7)
    (found,) = done.document["environments"]
    assert found["environment"] == "staging"
    assert words in found["problems"][0]


@pytest.mark.parametrize("status", [403, 502])
def test_what_the_catalogue_was_asked_for_is_not_shown(place, status, monkeypatch):
    monkeypatch.setattr("bulkrunner.adapters.libris.http.FIRST_PAUSE", 0.0)
    monkeypatch.setattr("bulkrunner.adapters.libris.http.LONGEST_PAUSE", 0.0)
    place.sandbox.staging.fault("status", path=f"^/{NOBODY}", status=status)
    done = place("doctor", "--env", "staging")
    (problem,) = done.document["environments"][0]["problems"]
    assert NOBODY not in f"{done.document}{done.stderr}"
    assert "a record that does not exist" in problem
    assert "resum" not in done.stderr


def test_the_way_out_is_shown_without_the_proxys_password(place):
    text = place.config.read_text()
    place.config.write_text(
        text + '[network]\nproxy = "http://me:s3cret-word@proxy.example.org:3128"\n'
    )
    done = place("doctor")
    assert done.document["network"] == {
        "proxy": {
            "address": "http://proxy.example.org:3128",
            "from": "[network] proxy",
            "login": True,
        },
        "ca_file": None,
    }
    assert "proxy: http://proxy.example.org:3128 (from [network] proxy" in done.stderr
    assert "s3cret" not in f"{done.document}{done.stderr}"


MOUNTS = """\
/dev/vda1 / ext4 rw,relatime 0 0
proc /proc proc rw 0 0
server:/export /srv/work nfs4 rw,vers=4.2 0 0
//server/my\\040files /mnt/my\\040files cifs rw 0 0
user@host: /home/u/far fuse.sshfs rw 0 0
/dev/vdb1 /srv/work/local xfs rw 0 0
broken
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/srv/work/bulkrunner.db", "nfs4"),
        ("/srv/work/local/bulkrunner.db", None),
        ("/srv/workshop/bulkrunner.db", None),
        ("/mnt/my files/bulkrunner.db", "cifs"),
        ("/home/u/far/deep/bulkrunner.db", "fuse.sshfs"),
        ("/home/u/bulkrunner.db", None),
    ],
)
def test_a_disk_of_another_machine_is_known_by_where_it_is_mounted(tmp_path, path, kind):
    mounts = tmp_path / "mounts"
    mounts.write_text(MOUNTS, encoding="utf-8")
    assert share_of(Path(path), mounts) == kind
    assert share_of(Path(path), tmp_path / "none") is None


def test_little_room_and_a_share_are_told_and_end_nothing(place, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5_000_000))
    monkeypatch.setattr("bulkrunner.adapters.machine.share_of", lambda path: "nfs4")
    done = place("doctor")
    share, room = done.document["ledger"]["problems"]
    assert "(nfs4)" in share
    assert room.startswith("only 5 MB are free")
    assert share in done.stderr


def test_of_a_ledger_that_lies_well_nothing_is_told(place, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=10**12))
    monkeypatch.setattr("bulkrunner.adapters.machine.share_of", lambda path: None)
    assert place("doctor").document["ledger"]["problems"] == []
