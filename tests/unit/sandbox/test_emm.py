"""EMM: full dumps and the feed of changes."""

import gzip
import json
from typing import Any

import pytest

from tests.support.lab import BASE, Lab, bib, body_of, holding, new_holding

FULL = "/api/emm/full?selection=itemAndInstance:Ylm"


@pytest.fixture
def shelf() -> Lab:
    lab = Lab(emm_generating_ms=1000)
    lab.load(
        *(bib(f"n{i:03}") for i in range(150)),
        *(holding(f"m{i:03}", "Ylm", f"n{i:03}") for i in range(150)),
    )
    return lab


def page(lab: Lab, offset: int) -> Any:
    return body_of(lab.get(f"{FULL}&offset={offset}"))


def test_the_entry_point(shelf: Lab) -> None:
    entry = body_of(shelf.get(FULL))
    assert entry["type"] == "Collection"
    assert entry["first"]["id"].endswith("offset=0")
    assert "download=.ndjsonld.gz" in entry["url"]


def test_pages_of_a_hundred(shelf: Lab) -> None:
    first = page(shelf, 0)
    assert first["_status"] == "generating"
    assert "totalItems" not in first
    shelf.clock.advance(seconds=1)
    first, second = page(shelf, 0), page(shelf, 100)
    assert (first["_status"], first["totalItems"]) == ("done", 152)
    assert "@graph" not in first["items"][0]
    assert (len(first["items"]), len(second["items"])) == (101, 52)
    assert "offset=100" in first["next"]
    assert "next" not in second
    assert first["startTime"] == second["startTime"]


def test_the_list_has_no_order_and_a_page_has(shelf: Lab) -> None:
    shelf.clock.advance(seconds=5)
    shelf.environment.editor.edit("m003")
    page(shelf, 0)
    shelf.clock.advance(seconds=2)
    ids = [
        [
            item["@id"].removeprefix(BASE)
            for item in page(shelf, offset)["items"]
            if "@graph" in item
        ]
        for offset in (0, 100)
    ]
    assert "m003" in ids[1], "written anew it went to the end of the table"
    assert ids == [sorted(one) for one in ids]
    assert page(shelf, 0)["startTime"].endswith("Z")


def test_an_item_has_its_instance_inlined(shelf: Lab) -> None:
    item = page(shelf, 0)["items"][1]
    instance = item["@graph"][1]["itemOf"]
    assert item["@id"] == item["@graph"][0]["@id"]
    assert instance["hasTitle"]
    assert instance["meta"]["@type"] == "Record"


def test_the_list_is_old_and_the_data_fresh(shelf: Lab) -> None:
    page(shelf, 0)
    shelf.delete("m120")
    new = shelf.created_id(shelf.post(new_holding("Ylm", "lonely")))
    shelf.environment.editor.edit("m121", changes={"shelfLabel": "fresh"})
    shelf.clock.advance(days=4)
    second = page(shelf, 100)
    shown = [item["@id"] for item in second["items"]]
    assert second["totalItems"] == 152
    assert BASE + "m120" not in shown
    assert BASE + new not in shown
    assert "fresh" in json.dumps(second)
    shelf.clock.advance(days=2)
    assert page(shelf, 0)["startTime"] > second["startTime"]


def test_a_download(shelf: Lab) -> None:
    answer = shelf.get(FULL + "&download=.ndjsonld.gz")
    lines = [json.loads(line) for line in gzip.decompress(answer.body).splitlines()]
    assert "@graph" not in lines[0]
    assert len(lines) == 153


@pytest.mark.parametrize(
    ("selection", "status", "total"),
    [("itemAndInstance:Nowhere", 200, 0), ("type:Language", 200, 1), ("nonsense:x", 500, None)],
)
def test_selections(lab: Lab, selection: str, status: int, total: int | None) -> None:
    answer = lab.get(f"/api/emm/full?selection={selection}&offset=0")
    assert answer.status == status
    if total is not None:
        assert body_of(answer)["totalItems"] == total


def test_the_feed_goes_back_in_time(lab: Lab) -> None:
    lab.environment.editor.edit("h1")
    lab.clock.advance(seconds=1)
    lab.delete("h2")
    until = int(lab.clock.now().timestamp() * 1000) + 1
    feed = body_of(lab.get(f"/api/emm/?until={until}"))
    newest = feed["orderedItems"][:2]
    assert [activity["type"] for activity in newest] == ["Delete", "Update"]
    assert newest[0]["object"]["id"] == BASE + "h2#it"
    assert newest[0]["object"]["kbv:heldBy"] == {"@id": "https://libris.kb.se/library/Ylm"}
    assert "next" in feed
