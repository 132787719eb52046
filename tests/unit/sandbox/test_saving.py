"""The server can save every record of the seed and of the real collection, but the named ones."""

import json
import re
from functools import cache

import pytest

from bulkrunner.sandbox import seed
from bulkrunner.sandbox.seed_layout import FAULTY, Shape
from bulkrunner.sandbox.writing import validate
from tests.support.paths import RECORDS, ROOT
from tests.support.sandbox import running_sandbox

SIZE = {"bibs": 60, "holdings": 200}
FAULTS = {
    Shape.UNKNOWN_TERM: "MISSING_DEFINITION",
    Shape.BAD_IRI: "INVALID_IRI",
    Shape.PLAIN_FOR_OBJECT: "OBJECT_TYPE_EXPECTED",
}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox() as found:
        yield found


def put_as_it_is(environment, short_id, **who):
    etag = environment.get(short_id).headers["etag"]
    document = environment.document(short_id)
    return environment.send("PUT", f"/{short_id}", document, headers={"If-Match": etag}, **who)


@pytest.mark.parametrize("kind", ["test", "production"])
def test_only_the_named_records_have_faults(kind):
    base = "https://libris.kb.se/"
    named = set(seed.faulty_bib_ids())
    for shape in FAULTY:
        named |= set(seed.example_ids(kind="holding", shape=shape))
    records = seed.seed_records(base_uri=base, kind=kind, seed=seed.DEFAULT_SEED)
    documents = [record.document for record in records]
    invalid = {d["@graph"][0]["@id"].removeprefix(base) for d in documents if validate(d)}
    assert invalid == named
    assert 0 < len(invalid) < 20


@pytest.mark.parametrize(
    "shape", sorted(set(Shape) - set(FAULTY) - {Shape.NO_HELD_BY, Shape.UNTIDY})
)
def test_a_holding_of_every_shape_can_be_saved(sandbox, shape):
    [short_id] = seed.example_ids(kind="holding", shape=shape, n=1, **SIZE)
    staging = sandbox.staging
    before = staging.document(short_id)["@graph"]
    own = before[1].get("heldBy")
    if own is None:
        assert put_as_it_is(staging, short_id).status == 400
        return
    sigel = own["@id"].rpartition("/")[2].replace("+", " ")
    client = "supplier" if sigel in seed.SUPPLIER_SIGELS else "other"
    if client == "other" and sigel != seed.OTHER_SIGEL:
        [short_id] = seed.example_ids(kind="holding", shape=shape, sigel="Ylm", n=1, **SIZE)
        before, client, sigel = staging.document(short_id)["@graph"], "supplier", "Ylm"
    answer = put_as_it_is(staging, short_id, client=client, sigel=sigel)
    assert answer.status == 204, answer
    assert staging.document(short_id)["@graph"][1] == before[1], "saving cleans nothing up"


def test_an_untidy_holding_is_tidied_by_any_save(sandbox):
    [short_id] = seed.example_ids(kind="holding", shape=Shape.UNTIDY, n=1, **SIZE)
    assert put_as_it_is(sandbox.staging, short_id, sigel="Hbg").status == 204
    thing = sandbox.staging.document(short_id)["@graph"][1]
    assert thing["hasNote"][0]["label"] == "Häftet saknas finns i magasin"
    assert "itemCondition" not in thing


@pytest.mark.parametrize("shape", FAULTY)
def test_a_holding_with_an_old_fault_cannot(sandbox, shape):
    [short_id] = seed.example_ids(kind="holding", shape=shape, n=1, **SIZE)
    answer = put_as_it_is(sandbox.staging, short_id, sigel="NO")
    assert answer.status == 400
    assert [error["type"] for error in answer.json["errors"]] == [FAULTS[shape]]


def test_a_faulty_bib_cannot(sandbox):
    short_id = seed.faulty_bib_ids(**SIZE)[0]
    answer = put_as_it_is(sandbox.staging, short_id, client="cataloguer")
    assert answer.status == 400
    assert answer.json["message"] == "Invalid JSON-LD"


def test_bibs_come_back_as_they_were(sandbox):
    for short_id in seed.example_ids(kind="bib", n=10, **SIZE):
        before = sandbox.staging.document(short_id)["@graph"][1]
        assert put_as_it_is(sandbox.staging, short_id, client="cataloguer").status == 204
        assert sandbox.staging.document(short_id)["@graph"][1] == before


def test_legacy_addresses_lead_to_their_records(sandbox):
    for short_id in seed.example_ids(kind="bib", n=10, **SIZE):
        for link in sandbox.staging.document(short_id)["@graph"][0].get("sameAs", []):
            answer = sandbox.staging.get(link["@id"])
            assert answer.status == 302
            assert short_id in answer.headers["location"]


@cache
def seeded(kind):
    base = "https://libris.kb.se/"
    records = seed.seed_records(base_uri=base, kind=kind, seed=seed.DEFAULT_SEED)
    return {r.document["@graph"][0]["@id"].removeprefix(base) for r in records}


LISTS = sorted(path for path in (ROOT / "jobs").glob("*/*.txt") if path.name != "isbn.txt")


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.parent.name)
def test_the_example_jobs_name_records_that_both_environments_have(path):
    found = re.findall(r"[0-9bcdfghjklmnpqrstvwxz]{15,16}", path.read_text(encoding="utf-8-sig"))
    known = [short for short in found if short in seeded("test") & seeded("production")]
    assert len(known) >= 0.9 * len(found) > 0


@pytest.mark.real_records
def test_every_holding_of_the_collection_can_be_saved():
    with running_sandbox(load=RECORDS) as found:
        staging = found.staging
        holdings = staging.records("hold")
        assert len(holdings) >= 35
        for short_id in holdings:
            thing = staging.document(short_id)["@graph"][1]
            sigel = json.dumps(thing["heldBy"]["@id"]).strip('"').rpartition("/")[2]
            answer = put_as_it_is(staging, short_id, sigel=sigel.replace("+", " "))
            assert answer.status == 204, (short_id, answer)
            assert staging.document(short_id)["@graph"][1] == thing
        for short_id in staging.records("bib"):
            answer = put_as_it_is(staging, short_id, client="cataloguer")
            assert answer.status == 204, (short_id, answer)
