"""``doctor`` tells by its exit code whether every login gives rights."""

import pytest

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
    done = place("doctor")
    assert "BULKRUNNER_<ENV>_CLIENT_ID" in done.stderr


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
