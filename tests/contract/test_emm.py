"""The full dump of a library's holdings (libris-api §12, EMM)."""

import gzip
import json
import time
from datetime import datetime

import pytest

SELECTION = "itemAndInstance:"


@pytest.fixture(scope="module")
def emm(session_api):
    def ask(**query):
        answer = session_api.http.get(session_api.target.emm_url + "full", params=query)
        assert answer.status_code == 200, answer.text
        return answer

    return ask


@pytest.fixture(scope="module")
def first_page(session_api, emm):
    """First page of the client's library, once the dump has been made."""
    ask = {"selection": SELECTION + session_api.target.sigel, "offset": 0}

    def page():
        found = emm(**ask).json()
        return found if found["_status"] == "done" else None

    return session_api.wait_for(page)


def test_the_entry(api, emm):
    """§12: a Collection with the download's address and its first page."""
    entry = emm(selection=SELECTION + api.target.sigel).json()
    assert entry["type"] == "Collection"
    assert entry["url"].endswith(f"?selection={SELECTION}{api.target.sigel}&download=.ndjsonld.gz")
    assert entry["first"]["type"] == "CollectionPage"
    assert entry["first"]["id"].endswith("&offset=0")


def test_a_page(first_page):
    """§12: context first, then records; next is plain text."""
    page = first_page
    assert page["type"] == "CollectionPage"
    assert isinstance(page["totalItems"], int)
    assert page["partOf"]["type"] == "Collection"
    assert datetime.fromisoformat(page["startTime"]).tzinfo is not None
    if "next" in page:
        assert page["next"].endswith("&offset=100")


def test_the_context_looks_like_a_record(api, first_page):
    """§12: the first item has an address of this environment, and no @graph."""
    context = first_page["items"][0]
    assert set(context) == {"@id", "@context"}
    assert context["@id"].startswith(api.target.base_uri)


def test_items_are_not_records(api, first_page):
    """§12: the instance stands inside itemOf: take ids, never PUT it (trap 7)."""
    items = first_page["items"][1:]
    assert items
    for item in items[:5]:
        record, thing = item["@graph"]
        assert item["@id"] == record["@id"]
        assert thing["heldBy"]["@id"] == api.target.library()
        assert {"@id", "@type", "meta"} <= set(thing["itemOf"])


def test_an_item_with_its_link_put_back_is_the_record(api, first_page):
    """§12: equal to GET; which of the bib's names the link had cannot be seen."""
    for item in first_page["items"][1:6]:
        record, thing = item["@graph"]
        stored = api.graph(record["@id"].rpartition("/")[2])
        bib = stored[1]["itemOf"]["@id"].removesuffix("#it")
        assert thing["itemOf"].pop("meta")["@id"] == bib
        assert [record, {**thing, "itemOf": stored[1]["itemOf"]}] == stored


def test_a_page_says_which_one_it_is(api, emm, first_page):
    """§12: by its own address; its records come in the order of ids, whatever the list's."""
    selection = SELECTION + api.target.sigel
    for offset in (0, 100):
        page = emm(selection=selection, offset=offset).json()
        assert page["@id"].endswith(f"?selection={selection}&offset={offset}")
        assert page["startTime"] == first_page["startTime"]
        shown = [item["@id"] for item in page["items"] if "@graph" in item]
        assert shown == sorted(shown)


def test_the_feed_tells_of_a_change_at_once(api, holding, session_api):
    """§12: newest first, holdings with their library."""
    until = int(time.time() * 1000) + 10 * 24 * 3600 * 1000
    answer = session_api.http.get(session_api.target.emm_url, params={"until": until})
    activities = answer.json()["orderedItems"]
    times = [datetime.fromisoformat(one["published"]) for one in activities]
    assert times == sorted(times, reverse=True)
    ours = next(one for one in activities if one["object"]["id"] == api.target.thing(holding))
    assert ours["type"] == "Create"
    assert ours["object"]["kbv:heldBy"] == {"@id": api.target.library()}


def test_pages_hold_a_hundred(api, emm, first_page):
    """§12: offset counts ids; the context on the first page is not one of them."""
    assert len(first_page["items"]) - 1 <= 100
    selection = SELECTION + api.target.sigel
    beyond = emm(selection=selection, offset=(first_page["totalItems"] // 100 + 1) * 100).json()
    assert beyond["items"] == []
    assert "next" not in beyond


def test_an_unknown_sigel_gives_nothing(api, emm):
    """§12: an empty dump, no error."""
    ask = {"selection": "itemAndInstance:Nosuchlibrary", "offset": 0}
    api.wait_for(lambda: emm(**ask).json()["_status"] == "done")
    assert [item for item in emm(**ask).json()["items"] if "@graph" in item] == []


def test_the_download(api, first_page, emm):
    """§12: gzipped JSON lines, the first is the context."""
    total = first_page["totalItems"]
    answer = emm(selection=SELECTION + api.target.sigel, download=".ndjsonld.gz")
    lines = gzip.decompress(answer.content).decode().splitlines()
    assert "@graph" not in json.loads(lines[0])
    assert len(lines) - 1 <= total
    assert all("@graph" in json.loads(line) for line in lines[1:])
