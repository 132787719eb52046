"""Selection: /find and its limits (libris-api §12)."""

import pytest


def find(api, **query):
    answer = api.get("find", accept="application/ld+json", **query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def own_holdings(api, **query):
    wanted = {"@type": "Item", "heldBy.@id": api.target.library(), "_sort": "@id"}
    return find(api, **wanted, **query)


def ids(view):
    return [item["@id"] for item in view["items"]]


def test_the_view(api):
    """§12: a PartialCollectionView; addresses are relative, items are for their ids only."""
    view = own_holdings(api, _limit=2)
    assert view["@type"] == "PartialCollectionView"
    assert view["itemOffset"] == 0
    assert view["itemsPerPage"] == 2
    assert isinstance(view["totalItems"], int)
    assert isinstance(view["maxItems"], str)
    for name in ("first", "last", "next"):
        assert view[name]["@id"].startswith("/find?")
    assert all(iri.endswith("#it") for iri in ids(view))


def test_items_keep_the_records_own_fields(api):
    """§12: meta has created, modified, recordStatus and controlNumber."""
    for item in own_holdings(api, _limit=5)["items"]:
        assert {"created", "modified", "recordStatus", "controlNumber"} <= set(item["meta"])


def test_pages_with_a_total_order_do_not_drift(api):
    """§12: following next visits every hit once (trap 13)."""
    view = own_holdings(api, _limit=7)
    total, seen = view["totalItems"], ids(view)
    while "next" in view and len(seen) < 50:
        view = api.get(view["next"]["@id"]).json()
        seen += ids(view)
    assert len(seen) == len(set(seen)) == min(total, 56 if total > 50 else total)
    assert seen == sorted(seen)


def test_a_search_goes_on_behind_an_id(api):
    """§12 [inferred]: minEx-@id leaves out what comes before an id in the order of ids."""
    whole = own_holdings(api, _limit=20)
    before, behind = ids(whole)[:5], ids(whole)[5:]
    rest = own_holdings(api, _limit=15, **{"minEx-@id": before[-1]})
    assert ids(rest) == behind
    assert rest["totalItems"] == whole["totalItems"] - 5


def test_a_minus_reverses(api):
    """§12."""
    total = own_holdings(api, _limit=0)["totalItems"]
    assert total
    ascending = ids(own_holdings(api, _limit=1))
    query = {"@type": "Item", "heldBy.@id": api.target.library(), "_limit": 1}
    last = ids(find(api, _sort="@id", _offset=total - 1, **query))
    assert ids(find(api, _sort="-@id", **query)) == last != ascending


def test_only_counting(api):
    """§12: _limit=0."""
    view = own_holdings(api, _limit=0)
    assert view["totalItems"] > 0
    assert view["items"] == []


@pytest.mark.parametrize(("asked", "given"), [(4000, 4000), (4001, 200), (None, 200)])
def test_the_limit(api, bib, asked, given):
    """§12: default 200; above 4000 it silently becomes 200 (trap 13)."""
    query = {} if asked is None else {"_limit": asked}
    assert find(api, **{"itemOf.@id": api.target.thing(bib)}, **query)["itemsPerPage"] == given


@pytest.mark.parametrize("query", [{"_limit": -1}, {"_offset": -1}])
def test_negative_numbers(api, query):
    """§12: 400."""
    assert api.get("find", q="*", **query).status_code == 400


def test_beyond_the_window(api):
    """§12 [inferred]: offset and limit beyond maxItems: 400."""
    window = int(own_holdings(api, _limit=0)["maxItems"])
    query = {"@type": "Item", "_offset": window, "_limit": 1}
    assert api.get("find", **query).status_code == 400


def test_no_hits(api):
    """§12: stats is absent."""
    query = {"@type": "Item", "itemOf.@id": api.target.thing("0000000000000000")}
    view = find(api, **query)
    assert view["totalItems"] == 0
    assert view["items"] == []
    assert "stats" not in view


def test_a_write_shows_after_a_while(api, bib, holding):
    """§12: the index lags; a new holding is found by its bib at last."""
    query = {"itemOf.@id": api.target.thing(bib), "heldBy.@id": api.target.library()}
    api.wait_for(lambda: ids(find(api, **query)) == [api.target.thing(holding)])
    api.delete(holding)
    api.wait_for(lambda: find(api, **query)["totalItems"] == 0)


def test_addresses_match_exactly(api):
    """§12: @id fields are compared whole."""
    query = {"@type": "Item", "heldBy.@id": api.target.library()[:-1]}
    assert find(api, **query)["totalItems"] == 0


def test_bibs_held_by_a_library(api, bib, holding):
    """§12: @reverse.itemOf.heldBy.@id."""
    thing = api.target.thing(bib)
    query = {"@reverse.itemOf.heldBy.@id": api.target.library(), "@id": thing}
    api.wait_for(lambda: ids(find(api, **query)) == [thing])


def test_prefixes(api, bib, holding):
    """§12: not-, exists-."""
    query = {"itemOf.@id": api.target.thing(bib), "_limit": 4000}
    own = api.target.thing(holding)
    api.wait_for(lambda: own in ids(find(api, **query)))
    assert own in ids(find(api, **query, **{"exists-physicalLocation": "true"}))
    assert own not in ids(find(api, **query, **{"exists-physicalLocation": "false"}))
    assert own not in ids(find(api, **query, **{"not-heldBy.@id": api.target.library()}))


NOT_HELD = {
    "shelfMark": {"@type": "ShelfMark", "label": "xyzzy"},
    "shelfLabel": "xyzzy",
    "hasNote": [{"@type": "Note", "label": "xyzzy"}],
    "inventoryLevel": 1,
    "itemCondition": "xyzzy",
    "copyNumber": "xyzzy",
    "associatedMedia": [{"@type": "MediaObject", "uri": ["https://example.org/xyzzy"]}],
}


@pytest.mark.parametrize("inside", [False, True])
def test_the_index_holds_only_the_search_card_of_a_holding(api, bib, inside):
    """§12: what the card does not show finds too little, without a word (trap 13)."""
    item = {"hasComponent": [{"@type": "Item", **NOT_HELD}]} if inside else NOT_HELD
    own = api.target.thing(api.new_holding(bib, **item))
    query = {"itemOf.@id": api.target.thing(bib)}
    api.wait_for(lambda: own in ids(find(api, **query)))
    for key in NOT_HELD:
        path = f"hasComponent.{key}" if inside else key
        assert own not in ids(find(api, **query, **{f"exists-{path}": "true"})), key


def test_words_are_analysed(api, bib):
    """§12: a text field matches by word: test the condition again on the record (trap 13)."""
    short_id = api.new_holding(bib, physicalLocation=["Defekt Ryggband xyzzy"])
    query = {"itemOf.@id": api.target.thing(bib), "physicalLocation": "xyzzy"}
    api.wait_for(lambda: ids(find(api, **query)) == [api.target.thing(short_id)])
