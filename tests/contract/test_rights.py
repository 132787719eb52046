"""Who may write what (libris-api §3)."""

import pytest

from tests.contract.target import LIBRARY, minimal_bib

REFUSED = "You are not authorized to perform this operation"
NOT_TO_DELETE = "You do not have sufficient privileges to perform this operation."


def message(answer):
    return answer.status_code, answer.json()["message"]


@pytest.mark.parametrize("case", ["missing", "foreign", "wrong case"])
def test_the_active_sigel_must_be_one_of_the_clients_own(api, bib, case):
    """§3.1: XL-Active-Sigel missing, foreign or in other letters: 403."""
    own = api.target.sigel
    sigel = {"missing": None, "foreign": api.target.foreign_sigel, "wrong case": own.swapcase()}
    answer = api.post(api.holding_on(bib), sigel=sigel[case])
    assert message(answer) == (403, REFUSED)


def test_a_holding_of_another_library_may_not_be_created(api, bib):
    """§3.2: the right is asked for on heldBy's sigel, not on the active one."""
    document = api.holding_on(bib, heldBy={"@id": api.target.library(api.target.foreign_sigel)})
    assert message(api.post(document)) == (403, REFUSED)


def test_a_holding_of_another_library_may_not_be_changed(api):
    """§3.2, §3.5: an unchanged document sent back is refused as well."""
    graph = api.graph(api.target.foreign_holding)
    answer = api.put(api.target.foreign_holding, {"@graph": graph})
    assert message(answer) == (403, REFUSED)


def test_a_holding_of_another_library_may_not_be_deleted(api):
    """§3.2: in other words than a POST or PUT."""
    answer = api.delete(api.target.foreign_holding)
    assert message(answer) == (403, NOT_TO_DELETE)
    assert api.read(api.target.foreign_holding).status_code == 200


def test_the_active_sigel_need_not_be_the_holdings_own(api, bib):
    """§3.6: any own sigel will do, and it becomes the modifier."""
    answer = api.post(api.holding_on(bib), sigel=api.target.other_own_sigel)
    assert answer.status_code == 201
    record, _ = api.graph(api.short_id(answer))
    active = {"@id": api.target.library(api.target.other_own_sigel)}
    assert record["descriptionCreator"] == record["descriptionLastModifier"] == active


NOT_A_LIBRARY = {
    "none": None,
    "another host": "https://libris-stg.kb.se/library/{sigel}",
    "http": "http://libris.kb.se/library/{sigel}",
}


@pytest.mark.parametrize("case", NOT_A_LIBRARY)
def test_a_holding_must_say_whose_it_is(api, bib, case):
    """§3.2, §1: no heldBy, or one that is no library URI of the production host (trap 10)."""
    document = api.holding_on(bib)
    address = NOT_A_LIBRARY[case]
    if address is None:
        del document["@graph"][1]["heldBy"]
    else:
        document["@graph"][1]["heldBy"] = {"@id": address.format(sigel=api.target.sigel)}
    assert message(api.post(document)) == (400, "Missing sigel in document.")


def test_the_active_sigel_is_asked_for_before_the_holdings_own(api, bib):
    """§3.1: a POST without either: 403 comes before the 400 for heldBy."""
    document = api.holding_on(bib)
    del document["@graph"][1]["heldBy"]
    assert message(api.post(document, sigel=None)) == (403, REFUSED)


def test_an_update_asks_for_the_holdings_sigel_first(api, holding):
    """§3.5: of a PUT the missing heldBy is noticed before the active sigel."""
    record, thing = api.graph(holding)
    del thing["heldBy"]
    answer = api.put(holding, {"@graph": [record, thing]}, sigel=None)
    assert message(answer) == (400, "Missing sigel in document.")


def test_components_are_not_looked_at(api, bib):
    """§3.6: only top-level heldBy is checked, a component may name any library."""
    component = {"@type": "Item", "heldBy": {"@id": LIBRARY + api.target.foreign_sigel}}
    short_id = api.new_holding(bib, hasComponent=[component])
    assert api.graph(short_id)[1]["hasComponent"] == [component]


def test_heldby_may_not_be_changed(api, holding):
    """§3.5: the new document must have the same sigel, even if both are the client's."""
    record, thing = api.graph(holding)
    thing["heldBy"] = {"@id": api.target.library(api.target.other_own_sigel)}
    answer = api.put(holding, {"@graph": [record, thing]})
    assert message(answer) == (403, REFUSED)


def test_heldby_may_not_be_taken_away(api, holding):
    """§3.5: the new document must have a sigel."""
    record, thing = api.graph(holding)
    del thing["heldBy"]
    answer = api.put(holding, {"@graph": [record, thing]})
    assert message(answer) == (400, "Missing sigel in document.")


def test_a_holding_must_stay_one(api, holding):
    """§3.5, §6.7: from holding to something else: 403."""
    record, thing = api.graph(holding)
    changed = {"@id": thing["@id"], "@type": "PhysicalResource"}
    answer = api.put(holding, {"@graph": [record, changed]})
    assert message(answer) == (403, REFUSED)


def test_level_one_may_not_create_bibs(api):
    """§3.4: anything else needs cataloger on any sigel."""
    assert message(api.post(minimal_bib())) == (403, REFUSED)


def test_level_one_may_not_change_bibs(api, bib):
    """§3.4."""
    answer = api.put(bib, {"@graph": api.graph(bib)})
    assert message(answer) == (403, REFUSED)


def test_level_one_may_not_delete_bibs(api, bib):
    """§3.4."""
    assert message(api.delete(bib)) == (403, NOT_TO_DELETE)


def test_level_two_may_create_and_delete_bibs(api, cataloguer):
    """§3.4: cataloger on one sigel is enough."""
    answer = api.post(minimal_bib(), role=cataloguer)
    assert answer.status_code == 201
    assert api.delete(api.short_id(answer), role=cataloguer).status_code == 204


def test_data_sets_are_read_only(api, cataloguer):
    """§3.4: records of a data set are refused to everybody."""
    document = minimal_bib()
    document["@graph"][0]["inDataset"] = [{"@id": "https://id.kb.se/dataset/languages"}]
    assert message(api.post(document, role=cataloguer)) == (403, REFUSED)


def test_a_shelf_mark_sequence_belongs_to_its_creator(api, holding):
    """§3.3: the right is asked for on the sigel of record.descriptionCreator."""
    document = minimal_bib()
    record, thing = document["@graph"]
    document["@graph"][1] = {
        "@id": thing["@id"],
        "@type": "ShelfMarkSequence",
        "label": "Contract suite",
        "nextShelfControlNumber": "1",
        "shelfMarkStatus": "ActiveShelfMark",
    }
    record["descriptionCreator"] = {"@id": api.target.library(api.target.foreign_sigel)}
    assert message(api.post(document)) == (403, REFUSED)
    record["descriptionCreator"] = {"@id": api.target.library()}
    assert api.post(document).status_code == 201


def test_jobs_of_the_server_are_not_for_suppliers(api):
    """§3.3, §14: without a changeSpec a bulk:Job is a 400, before rights are asked for."""
    document = minimal_bib()
    thing = document["@graph"][1]
    document["@graph"][1] = {"@id": thing["@id"], "@type": "bulk:Job", "bulk:status": "bulk:Draft"}
    answer = api.post(document)
    assert message(answer) == (400, "Nothing in [@graph, 1, bulk:changeSpec]")
    document["@graph"][1]["bulk:changeSpec"] = {"@type": "bulk:Update"}
    assert message(api.post(document)) == (403, REFUSED)
