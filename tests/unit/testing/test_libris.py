"""What others test their clients with: an embedded Libris for each test, with records of their own."""

import subprocess
import sys

import pytest

OWN = "0xbddfgh0000001"


def relabelled(libris, record, label):
    """Write as a client would: read, change, send with the ETag that was read."""
    document = libris.document(record)
    document["@graph"][1]["shelfMark"] = {"@type": "ShelfMark", "label": label}
    etag = libris.get(record).headers["etag"]
    return libris.send("PUT", f"/{record}", document, headers={"If-Match": etag})


def test_what_is_written_is_stored_logged_and_has_a_history(libris):
    record = libris.records("hold", "Ylm")[0]
    before = libris.history(record)
    assert relabelled(libris, record, "Hcz").status == 204
    assert libris.document(record)["@graph"][1]["shelfMark"]["label"] == "Hcz"
    assert [entry["method"] for entry in libris.writes()] == ["PUT"]
    assert len(libris.history(record)) == len(before) + 1


def test_a_fault_strikes_what_it_is_meant_for(libris):
    record = libris.records("hold", "Ylm")[0]
    libris.fault("status", method="PUT", status=503, times=1)
    assert relabelled(libris, record, "Hcz").status == 503
    assert relabelled(libris, record, "Hcz").status == 204
    (rule,) = libris.faults()
    assert rule["fired"] == 1


def test_test_and_production_know_nothing_of_each_other(libris_pair):
    staging, production = libris_pair.environments
    record = staging.records("hold", "Ylm")[0]
    assert relabelled(staging, record, "Hcz").status == 204
    assert production.writes() == []
    assert staging.credentials() != production.credentials()
    assert (staging.kind, production.kind) == ("test", "production")


@pytest.mark.libris(bibs=10, holdings=20)
def test_a_test_says_how_much_there_is(libris):
    assert len(libris.records("hold")) < 30


MINE = {
    "@graph": [
        {
            "@id": f"https://libris.kb.se/{OWN}",
            "@type": "Record",
            "controlNumber": OWN,
            "mainEntity": {"@id": f"https://libris.kb.se/{OWN}#it"},
        },
        {
            "@id": f"https://libris.kb.se/{OWN}#it",
            "@type": "Item",
            "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
            "itemOf": {"@id": "https://libris.kb.se/1xbddfgh0000001#it"},
            "shelfMark": {"@type": "ShelfMark", "label": "Mine"},
        },
    ]
}


@pytest.mark.libris(records=[MINE])
def test_a_test_brings_records_of_its_own(libris_pair):
    for libris in libris_pair.environments:
        assert libris.records("hold") == [OWN]
        assert libris.document(OWN)["@graph"][1]["shelfMark"]["label"] == "Mine"


def test_what_it_holds_is_of_this_test_alone(libris):
    assert libris.writes() == []
    assert OWN not in libris.records("hold")


def test_an_answer_that_was_not_expected_is_shown(libris):
    with pytest.raises(AssertionError, match="answered 404"):
        libris.document("0xbddfgh0000009")


def test_bulkrunner_is_configured_for_it(libris_pair, tmp_path):
    from bulkrunner.config import load_settings

    libris_pair.write_config(tmp_path / "bulkrunner.toml")
    settings = load_settings(tmp_path / "bulkrunner.toml", libris_pair.variables())
    assert settings.environments["staging"].base_url == libris_pair.staging.base_url
    assert libris_pair.variables()["BULKRUNNER_STAGING_CLIENT_ID"] == "supplier"


def test_whoever_tests_nothing_of_it_does_not_load_it():
    """The plugin is loaded with every pytest where the program is installed."""
    code = "import sys, bulkrunner.testing; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"bulkrunner.sandbox", "starlette", "uvicorn", "sqlalchemy", "httpx"}
