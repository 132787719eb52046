"""Look-ups without lag: /_findhold and /_dependencies (libris-api §12)."""

import pytest

from tests.contract.target import minimal_bib


def holdings(api, iri, library):
    return api.get("_findhold", id=iri, library=library)


def test_a_librarys_holding_on_a_bib(api, bib, holding):
    """§12: record URIs, from a thing, a record, with sigel or library URI."""
    wanted = [api.target.record(holding)]
    for iri in (api.target.thing(bib), api.target.record(bib)):
        for library in (api.target.library(), api.target.sigel):
            assert holdings(api, iri, library).json() == wanted


def test_by_a_legacy_address(api):
    """§12: any sameAs."""
    bib = api.target.legacy_bib
    holding = api.new_holding(bib)
    for node in api.graph(bib):
        found = holdings(api, node["sameAs"][0]["@id"], api.target.sigel).json()
        assert found == [api.target.record(holding)]


def test_no_holding(api, bib):
    """§12: an empty list."""
    answer = holdings(api, api.target.thing(bib), api.target.sigel)
    assert answer.status_code == 200
    assert answer.json() == []


def test_no_lag(api, bib, holding):
    """§12: straight from the database: gone at once after a delete."""
    api.delete(holding)
    assert api.find_holdings(bib) == []


@pytest.mark.parametrize("case", ["short id", "unknown", "no bib", "no id", "no library"])
def test_what_findhold_refuses(api, bib, holding, case):
    """§12: 400, a page of the container."""
    query = {"id": api.target.thing(bib), "library": api.target.sigel}
    match case:
        case "short id":
            query["id"] = bib
        case "unknown":
            query["id"] = api.target.thing("0000000000000000")
        case "no bib":
            query["id"] = api.target.thing(holding)
        case "no id":
            del query["id"]
        case _:
            del query["library"]
    answer = api.get("_findhold", **query)
    assert answer.status_code == 400
    assert not answer.headers.get("Content-Type", "").startswith("application/json")


def dependencies(api, iri, **query):
    answer = api.get("_dependencies", id=iri, **query)
    assert answer.status_code == 200
    return answer.json()


def test_all_holdings_of_a_bib(api, cataloguer):
    """§12: relation=itemOf&reverse=true; return=bare_record gives the data."""
    bib = api.short_id(api.post(minimal_bib(), role=cataloguer))
    holding = api.new_holding(bib)
    thing = api.target.thing(bib)
    found = dependencies(api, thing, relation="itemOf", reverse="true")
    assert found == [api.target.record(holding)]
    [bare] = dependencies(
        api, thing, relation="itemOf", reverse="true", **{"return": "bare_record"}
    )
    assert bare["@graph"] == api.graph(holding)
    assert bare["@graph"][1]["@id"] == api.target.thing(holding)
    assert bare["@graph"][1]["heldBy"] == {"@id": api.target.library()}


def test_what_a_holding_depends_on(api, bib, holding):
    """§12: forward, direct links of one relation."""
    found = dependencies(api, api.target.thing(holding), relation="itemOf")
    assert found == [api.target.record(bib)]


def test_without_a_relation_everything_follows(api, bib, holding):
    """§12: the whole transitive closure: a bib's own links are among it."""
    found = dependencies(api, api.target.thing(holding))
    assert api.target.record(bib) in found
    assert len(found) > len(dependencies(api, api.target.thing(holding), relation="itemOf"))
