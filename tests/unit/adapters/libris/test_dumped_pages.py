"""Pages of a dump become records as a GET gives them, or records that are to be read singly."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
import yaml

from bulkrunner.adapters.libris.bodies import Misshapen
from bulkrunner.adapters.libris.dump_storage import SqliteDumpStorage
from bulkrunner.adapters.libris.http import Reply
from bulkrunner.adapters.libris.searches import _dump_page
from bulkrunner.domain.catalogue import DumpRow
from bulkrunner.domain.records import held_by, item_of
from tests.support.paths import CASSETTES

BASE = "https://libris-stg.kb.se/"
ITEM: dict[str, Any] = {
    "@context": [None, f"{BASE}4tkrb9vl61pgqxrp"],
    "@id": f"{BASE}h1",
    "@graph": [
        {"@id": f"{BASE}h1", "@type": "Record", "mainEntity": {"@id": f"{BASE}h1#it"}},
        {
            "@id": f"{BASE}h1#it",
            "@type": "Item",
            "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
            "itemOf": {
                "@id": f"{BASE}b1#it",
                "@type": "Instance",
                "meta": {
                    "@id": f"{BASE}b1",
                    "@type": "Record",
                    "mainEntity": {"@id": f"{BASE}b1#it"},
                },
            },
            "inventoryLevel": 1,
        },
    ],
}


def page_of(*items: Any, **more: Any) -> Any:
    told = {
        "@id": f"{BASE}api/emm/full?selection=itemAndInstance:Ylm&offset=200",
        "startTime": "2026-11-30T04:09:07.938812637Z",
        "_status": "done",
        "totalItems": 201,
        "items": [{"@id": f"{BASE}context", "@context": {}}, *items],
        **more,
    }
    return _dump_page(reply(json.dumps(told).replace('"LONG"', "12345678901234567.125")))


def reply(text: str) -> Reply:
    return Reply(status=200, headers={"content-type": "application/json"}, content=text.encode())


def test_a_record_with_its_link_put_back() -> None:
    page = page_of(ITEM)
    (found,) = page.records
    assert (page.offset, page.total, page.more, found.iri) == (200, 201, False, f"{BASE}h1")
    record, thing = ITEM["@graph"]
    assert found.document == {"@graph": [record, {**thing, "itemOf": {"@id": f"{BASE}b1#it"}}]}
    assert found.bib["@graph"][1] == {"@id": f"{BASE}b1#it", "@type": "Instance"}


def altered(path: str, value: Any) -> Any:
    item = copy.deepcopy(ITEM)
    at: Any = item
    *way, last = path.split("/")
    for key in way:
        at = at[int(key) if key.isdecimal() else key]
    if value is None:
        del at[last]
    else:
        at[int(last) if last.isdecimal() else last] = value
    return item


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("@graph/1/itemOf", {"@id": f"{BASE}b1#it"}),
        ("@graph/1/itemOf", f"{BASE}b1#it"),
        ("@graph/1/itemOf", [{"@id": f"{BASE}b1#it"}]),
        ("@graph/1/itemOf", None),
        ("@graph/1/itemOf/@id", None),
        ("@graph/1/itemOf/@id", f"{BASE}b2#it"),
        ("@graph/1/itemOf/meta", "b1"),
        ("@graph/1/itemOf/meta/@id", None),
        ("@graph/1/itemOf/meta/recordStatus", "marc:Deleted"),
        ("@graph/0/mainEntity", {"@id": f"{BASE}h2#it"}),
        ("@graph/0/@id", f"{BASE}h2"),
        ("@graph/1", "h1"),
        ("@graph", [ITEM["@graph"][0]]),
        ("@graph", [*ITEM["@graph"], {"@id": "https://id.kb.se/term/x"}]),
        ("@graph/1/inventoryLevel", "LONG"),
        ("marked", True),
    ],
)
def test_doubtful_records_come_without_content(path: str, value: Any) -> None:
    doubtful, sound = page_of(altered(path, value), ITEM).records
    assert (doubtful.document, doubtful.bib) == (None, None)
    assert sound.document is not None


@pytest.mark.parametrize("started", ["soon", "2026-11-30", "2026-11-30T04:09:07"])
def test_a_page_without_a_moment_is_none(started: str) -> None:
    with pytest.raises(Misshapen):
        page_of(ITEM, startTime=started)


def test_pages_of_a_real_server() -> None:
    cassette = yaml.load(
        (CASSETTES / "suite" / "emm.yaml").read_text(encoding="utf-8"), yaml.CSafeLoader
    )
    answers = {
        one["request"]["uri"]: one["response"]["body"]["string"] for one in cassette["interactions"]
    }
    (first,) = [body for uri, body in answers.items() if uri.endswith("Ylm&offset=0")]
    page = _dump_page(reply(first))
    assert (page.offset, page.done, page.total, page.more) == (0, True, 273, True)
    assert len(page.records) > 90
    assert {one.document is not None for one in page.records} == {True}
    assert {held_by(one.document or {}) for one in page.records} == {"Ylm"}
    bibs = {
        (one.bib or {})["@graph"][1]["@id"] == item_of(one.document or {}) for one in page.records
    }
    assert bibs == {True}


def test_what_a_storage_keeps() -> None:
    storage = SqliteDumpStorage()
    rows = [
        DumpRow(record=f"h{n}", document={"n": n}, modified=n, bib=None, link=f"b{n}#it")
        for n in range(4)
    ]
    storage.want("Ylm", ["h0", "h9"])
    assert storage.put("Ylm", rows[:3], wanted=True) == 0
    assert storage.put("Ylm", rows[2:], wanted=True) == 1
    assert storage.record("h0") == ({"n": 0}, "")
    assert storage.record("h1") == (None, "")
    assert storage.record("h9") == (None, "unlisted")
    assert storage.record("x") == (None, "")
    storage.begin("Ylm")
    assert storage.put("Ylm", rows, wanted=False) == 0
    storage.change("Ylm", {"h1": ("Update", 1), "h2": ("Update", 3), "h3": ("Delete", 9)})
    storage.index("Ylm", [("h0", "b0"), ("h1", None), ("h7", "b7#it")])
    assert [storage.record(f"h{n}")[1] for n in range(4)] == ["form", "", "changed", "changed"]
    assert list(storage.named(["Ylm"])) == ["h0", "h1", "h2", "h7"]
    assert list(storage.named(["S"])) == []
    assert storage.counts("Ylm") == {"dump_shown": 4, "index_only": 1, "dump_only": 1}
    storage.drop("Ylm", "dump_differs")
    assert storage.record("h1") == (None, "dump_differs")
    storage.close()
