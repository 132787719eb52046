"""``/find``: matching, limits, window, order and lag."""

from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.lab import BASE, LIBRARY, Lab, bib, body_of, holding, new_holding


def search(lab: Lab, *pairs: tuple[str, str]) -> Any:
    answer = lab.get("/find?" + urlencode(pairs))
    assert answer.status == 200
    return body_of(answer)


def ids(found: Any) -> list[str]:
    return sorted(item["@id"].removeprefix(BASE).removesuffix("#it") for item in found["items"])


@pytest.fixture
def shelf() -> Lab:
    lab = Lab(max_items=60)
    lab.load(
        *(bib(f"n{i:03}") for i in range(50)),
        *(holding(f"m{i:03}", "Ylm", f"n{i:03}", shelfControlNumber=i) for i in range(50)),
    )
    return lab


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ([("@type", "Item"), ("heldBy.@id", LIBRARY + "Ylm")], ["h1", "h2"]),
        ([("@type", "Embodiment"), ("heldBy.@id", LIBRARY + "S")], ["hS"]),
        ([("itemOf.@id", BASE + "b1#it")], ["h1", "hS"]),
        (
            [
                ("itemOf.@id", BASE + "b1#it"),
                ("itemOf.@id", BASE + "b2#it"),
                ("heldBy.@id", LIBRARY + "Ylm"),
            ],
            ["h1", "h2"],
        ),
        ([("@reverse.itemOf.heldBy.@id", LIBRARY + "S")], ["b1"]),
        ([("physicalLocation", "mag")], ["h2"]),
        ([("physicalLocation", "M*")], ["h2"]),
        ([("physicalLocation", "MAG|REF")], ["h2"]),
        ([("hasTitle.mainTitle", "title b1")], ["b1"]),
        ([("hasTitle.mainTitle", '"of b1"')], ["b1"]),
        ([("hasTitle.mainTitle", '"b1 of"')], []),
        ([("itemOf.hasTitle.mainTitle", "b1")], ["h1", "hS"]),
        ([("q", "title b2")], ["b2"]),
        ([("@type", "Item"), ("exists-physicalLocation", "true")], ["h2"]),
        # Of a holding the index holds its search card, and no more.
        ([("shelfMark.label", "hc")], []),
        ([("@type", "Item"), ("exists-shelfMark", "true")], []),
        ([("@reverse.itemOf.shelfMark.label", "hc")], []),
        ([("q", "uf")], []),
        ([("@type", "Item"), ("exists-heldBy", "false")], ["headless"]),
        ([("@type", "Item"), ("not-heldBy.@id", LIBRARY + "Ylm")], ["hS", "headless"]),
        ([("or-itemOf.@id", BASE + "b1#it"), ("or-physicalLocation", "MAG")], ["h1", "h2", "hS"]),
        ([("meta.@id", BASE + "h2")], ["h2"]),
        ([("physicalLocation", "ref")], []),
    ],
)
def test_matching(lab: Lab, query: list[tuple[str, str]], found: list[str]) -> None:
    assert ids(search(lab, *query)) == found


@pytest.mark.parametrize(
    ("prefix", "value", "count"),
    [("min", "47", 3), ("minEx", "47", 2), ("max", "1", 2), ("maxEx", "1", 1)],
)
def test_ranges(shelf: Lab, prefix: str, value: str, count: int) -> None:
    assert (
        search(shelf, (f"{prefix}-shelfControlNumber", value), ("_limit", "9"))["totalItems"]
        == count
    )


CARD = {
    "physicalLocation": ["Q1"],
    "shelfControlNumber": "Q2",
    "availability": [{"@type": "ItemAvailability", "label": "Q3"}],
    "immediateAcquisition": [{"@type": "ImmediateAcquisition", "label": "Q4"}],
    "cataloguersNote": ["Q5"],
    "subject": [{"@type": "Topic", "prefLabel": "Q6"}],
    "classification": [{"@type": "Classification", "code": "Q7"}],
    "summary": [{"@type": "Summary", "label": "Q8"}],
}
BESIDE = {
    "shelfMark": {"@type": "ShelfMark", "label": "Q1"},
    "shelfLabel": "Q2",
    "hasNote": [{"@type": "Note", "label": "Q3"}],
    "inventoryLevel": 4,
    "itemCondition": "Q5",
    "copyNumber": "Q6",
    "associatedMedia": [{"@type": "MediaObject", "uri": ["Q7"]}],
    "usageAndAccessPolicy": [{"@type": "UsageAndAccessPolicy", "label": "Q8"}],
    "callNumberPrefix": ["Q9"],
}


@pytest.mark.parametrize(("content", "found"), [(CARD, ["new"]), (BESIDE, [])])
@pytest.mark.parametrize("inside", [False, True])
def test_what_the_index_holds_of_a_holding(
    lab: Lab, content: dict[str, Any], found: list[str], inside: bool
) -> None:
    held = {"hasComponent": [{"@type": "Item", **content}]} if inside else content
    lab.load(holding("new", "Ylm", "lonely", **held))
    for key in content:
        path = f"hasComponent.{key}" if inside else key
        there = (f"exists-{path}", "true")
        assert ids(search(lab, there, ("itemOf.@id", BASE + "lonely#it"))) == found, key


def test_a_shelf_mark_that_is_a_link_is_held(lab: Lab) -> None:
    lab.load(holding("new", "Ylm", "lonely", shelfMark={"@id": BASE + "b2#it"}))
    assert ids(search(lab, ("shelfMark.@id", BASE + "b2#it"))) == ["new"]
    (item,) = search(lab, ("shelfMark.@id", BASE + "b2#it"))["items"]
    assert item["shelfMark"] == {"@id": BASE + "b2#it"}


def test_the_record_is_held_and_shown(lab: Lab) -> None:
    lab.environment.editor.edit("h1")
    lab.environment.refresh_index()
    (item,) = search(lab, ("@id", BASE + "h1#it"))["items"]
    assert "shelfMark" not in item
    assert item["meta"] == {
        "@id": BASE + "h1",
        "@type": "Record",
        "created": "2019-05-04T12:00:00.25+02:00",
        "modified": "2026-03-02T10:00:00+01:00",
        "recordStatus": "marc:CorrectedOrRevised",
        "controlNumber": "h1",
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (("min-meta.created", "2019-05-04"), ["h1"]),
        (("minEx-meta.created", "2019-05-04"), []),
        (("max-meta.created", "2019-05-04"), ["h1"]),
        (("maxEx-meta.created", "2019-05-04"), []),
        (("max-meta.created", "2019"), ["h1"]),
        (("max-meta.created", "2018"), []),
        (("minEx-meta.created", "2019-04"), ["h1"]),
        (("min-meta.created", "2019-05-04T10:00:00.250Z"), ["h1"]),
        (("min-meta.created", "2019-05-04T12:00:00.251+02:00"), []),
    ],
)
def test_dates_are_moments(lab: Lab, query: tuple[str, str], found: list[str]) -> None:
    assert ids(search(lab, ("@id", BASE + "h1#it"), query)) == found


def test_an_answer(shelf: Lab) -> None:
    query = [("@type", "Item"), ("heldBy.@id", LIBRARY + "Ylm"), ("_limit", "20"), ("_sort", "@id")]
    found = search(shelf, *query, ("_offset", "20"))
    assert found["@type"] == "PartialCollectionView"
    assert (found["itemOffset"], found["itemsPerPage"], found["totalItems"]) == (20, 20, 52)
    assert found["maxItems"] == "60"
    assert found["next"]["@id"].startswith("/find?")
    assert "_offset=40" in found["next"]["@id"]
    assert "_offset=40" in found["last"]["@id"]
    assert "previous" in found
    assert "stats" in found


def test_following_next_gives_every_hit_once(shelf: Lab) -> None:
    url = "/find?" + urlencode({"@type": "Item", "_sort": "@id", "_limit": "7"})
    found: list[str] = []
    while url:
        page = body_of(shelf.get(url))
        found += ids(page)
        url = page.get("next", {}).get("@id")
    assert len(found) == len(set(found)) == page["totalItems"] == 54
    assert found == sorted(found)


def test_next_stops_at_the_window_while_the_total_tells_all(shelf: Lab) -> None:
    shelf.load(*(bib(f"w{i:03}") for i in range(30)))
    query = (("@type", "Instance"), ("_limit", "30"))
    assert search(shelf, *query)["totalItems"] == 84
    assert "next" not in search(shelf, *query, ("_offset", "30"))
    beyond = shelf.get("/find?" + urlencode([*query, ("_offset", "31")]))
    assert beyond.status == 400


@pytest.mark.parametrize(
    ("limit", "per_page"), [("4001", 200), ("4000", 4000), ("0", 0), ("3", 3), ("", 200)]
)
def test_limits(lab: Lab, limit: str, per_page: int) -> None:
    found = search(lab, ("@type", "Item"), ("_limit", limit))
    assert found["itemsPerPage"] == per_page
    assert len(found["items"]) == min(4, per_page)
    assert found["totalItems"] == 4


@pytest.mark.parametrize(("limit", "per_page"), [("211", 20), ("210", 210)])
def test_limits_of_the_newer_language(lab: Lab, limit: str, per_page: int) -> None:
    assert search(lab, ("_q", "title"), ("_limit", limit))["itemsPerPage"] == per_page


@pytest.mark.parametrize("query", ["_limit=-1", "_offset=-1"])
def test_negative_numbers(lab: Lab, query: str) -> None:
    assert lab.get("/find?" + query).status == 400


def test_no_hits_have_no_stats(lab: Lab) -> None:
    found = search(lab, ("@type", "Item"), ("heldBy.@id", LIBRARY + "Nowhere"))
    assert (found["totalItems"], found["items"]) == (0, [])
    assert "stats" not in found


def test_descending_order(shelf: Lab) -> None:
    found = search(shelf, ("@type", "Item"), ("_sort", "-@id"), ("_limit", "2"))
    assert [item["@id"] for item in found["items"]] == [BASE + "m049#it", BASE + "m048#it"]


def test_relevance_is_no_stable_order(shelf: Lab) -> None:
    query = (("@type", "Item"), ("_limit", "50"))
    before = [item["@id"] for item in search(shelf, *query)["items"]]
    shelf.environment.editor.edit("b1")
    shelf.environment.refresh_index()
    assert [item["@id"] for item in search(shelf, *query)["items"]] != before


@pytest.mark.parametrize("change", ["create", "update", "delete"])
def test_writes_show_when_the_lag_is_over(change: str) -> None:
    lab = Lab(index_lag_ms=500)
    query = ("physicalLocation", "Q")
    match change:
        case "create":
            lab.post(new_holding("Ylm", "lonely", physicalLocation=["Q"]))
            counts = [0, 1]
        case "update":
            lab.environment.editor.edit("h1", changes={"physicalLocation": ["Q"]})
            counts = [0, 1]
        case _:
            lab.delete("h2")
            query, counts = ("physicalLocation", "MAG"), [1, 0]
    lab.clock.advance(milliseconds=499)
    assert search(lab, query)["totalItems"] == counts[0]
    lab.clock.advance(milliseconds=1)
    assert search(lab, query)["totalItems"] == counts[1]


def test_a_refresh_ends_the_lag(lab: Lab) -> None:
    lab.environment.editor.edit("h1", changes={"physicalLocation": ["Q"]})
    assert search(lab, ("physicalLocation", "Q"))["totalItems"] == 0
    lab.ask("POST", "/_sandbox/refresh")
    assert search(lab, ("physicalLocation", "Q"))["totalItems"] == 1
