"""Reading records from files into a sandbox."""

import json

import pytest

from bulkrunner import vocabulary
from bulkrunner.sandbox.load import LoadError, read_records
from tests.support.paths import RECORDS

BASE = "http://127.0.0.1:8180/"
BIB = {
    "@graph": [
        {
            "@id": "https://libris.kb.se/q7nxvlk54bq1jgf",
            "@type": "Record",
            "created": "2002-01-08T00:00:00.0+01:00",
            "modified": "2015-03-27T09:10:49.0+01:00",
            "controlNumber": "8261414",
            "mainEntity": {"@id": "https://libris.kb.se/q7nxvlk54bq1jgf#it"},
            "sameAs": [{"@id": "http://libris.kb.se/bib/8261414"}],
        },
        {
            "@id": "https://libris.kb.se/q7nxvlk54bq1jgf#it",
            "@type": "PhysicalResource",
            "hasTitle": [{"@type": "Title", "mainTitle": "Röster"}],
            "sameAs": [{"@id": "http://libris.kb.se/resource/bib/8261414"}],
        },
    ]
}


def holding(record_id, item_of, **more):
    return {
        "@graph": [
            {"@id": record_id, "@type": "Record", "mainEntity": {"@id": record_id + "#it"}},
            {
                "@id": record_id + "#it",
                "@type": "Item",
                "heldBy": {"@id": "https://libris.kb.se/library/Ylm"},
                "itemOf": {"@id": item_of},
                **more,
            },
        ]
    }


@pytest.fixture
def read(tmp_path):
    def load(*documents, name="records.jsonl"):
        path = tmp_path / name
        lines = [json.dumps(document, ensure_ascii=False) for document in documents]
        path.write_text("\n".join(lines), encoding="utf-8")
        return [record.document["@graph"] for record in read_records(path, base_uri=BASE)]

    return load


def of_type(graphs, name):
    return [graph for graph in graphs if graph[1]["@type"] == name]


def test_ids_get_the_base_and_what_is_foreign_stays(read):
    graphs = read(
        BIB,
        holding("https://libris.kb.se/0h9wvg5b0ggmf2b", "https://libris.kb.se/q7nxvlk54bq1jgf#it"),
    )
    [[record, thing]] = of_type(graphs, "Item")
    assert record["@id"] == BASE + "0h9wvg5b0ggmf2b"
    assert record["mainEntity"]["@id"] == thing["@id"] == BASE + "0h9wvg5b0ggmf2b#it"
    assert thing["itemOf"] == {"@id": BASE + "q7nxvlk54bq1jgf#it"}
    assert thing["heldBy"] == {"@id": "https://libris.kb.se/library/Ylm"}
    [[bib, _]] = of_type(graphs, "PhysicalResource")
    assert bib["sameAs"] == [{"@id": "http://libris.kb.se/bib/8261414"}]
    assert bib["controlNumber"] == "8261414"


def test_times_are_kept(tmp_path):
    path = tmp_path / "one.json"
    path.write_text(json.dumps(BIB))
    [record] = read_records(path, base_uri=BASE)
    assert record.created.isoformat() == "2002-01-08T00:00:00+01:00"
    assert record.modified.isoformat() == "2015-03-27T09:10:49+01:00"
    assert record.document["@graph"][0]["modified"] == "2015-03-27T09:10:49.000+01:00"


def test_a_record_without_dates_or_with_nonsense_gets_a_fixed_time(read):
    odd = holding("_:TMPID", "http://libris.kb.se/bib/1")
    odd["@graph"][0]["created"] = "730000"
    [[record, _]] = of_type(read(odd), "Item")
    assert record["created"].startswith("2020-01-01")


def test_a_library_is_added_for_every_sigel_seen(read):
    component = {"@type": "Item", "heldBy": {"@id": "https://libris.kb.se/library/S+hyP"}}
    graphs = read(holding("_:TMPID", "http://libris.kb.se/bib/1", hasComponent=[component]))
    found = {graph[1]["@id"]: graph[1]["sigel"] for graph in of_type(graphs, "Library")}
    assert found == {
        "https://libris.kb.se/library/Ylm": "Ylm",
        "https://libris.kb.se/library/S+hyP": "S hyP",
    }


def test_temporary_ids_become_lasting_ones(read):
    bib = "https://libris.kb.se/q7nxvlk54bq1jgf#it"
    graphs = [read(holding("_:TMPID", bib), BIB) for _ in range(2)]
    [[record, thing]] = of_type(graphs[0], "Item")
    short = record["@id"].removeprefix(BASE)
    assert len(short) in {15, 16}
    assert record["controlNumber"] == short
    assert thing["@id"] == record["@id"] + "#it"
    assert thing["itemOf"] == {"@id": BASE + "q7nxvlk54bq1jgf#it"}
    assert graphs[0] == graphs[1]


def test_a_missing_bib_is_added_once(read):
    graphs = read(
        holding("https://libris.kb.se/0h9wvg5b0ggmf2b", "http://libris.kb.se/resource/bib/99"),
        holding("https://libris.kb.se/0h9wvg5b0ggmf2c", "http://libris.kb.se/bib/99"),
        holding(
            "https://libris.kb.se/0h9wvg5b0ggmf2d", "https://libris-stg.kb.se/0h9wvg5b0ggmf2f#it"
        ),
    )
    bibs = {thing["@id"]: record for record, thing in of_type(graphs, "PhysicalResource")}
    assert len(bibs) == 2
    assert bibs[BASE + "0h9wvg5b0ggmf2f#it"]
    first, second, third = (thing["itemOf"]["@id"] for _, thing in of_type(graphs, "Item"))
    assert bibs[first]["sameAs"] == [{"@id": "http://libris.kb.se/bib/99"}]
    assert second == first.removesuffix("#it"), "a record address leads to the record"
    assert third == BASE + "0h9wvg5b0ggmf2f#it"


def test_context_and_embedded_libraries_are_dropped(read):
    document = {
        "@context": "/context.jsonld",
        "@graph": [
            {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}},
            {
                "@id": "_:T#it",
                "@type": "Instance",
                "@context": {},
                "assigner": {
                    "@id": "https://libris.kb.se/library/S",
                    "@type": "Library",
                    "sigel": "S",
                },
            },
        ],
    }
    [[_, thing]] = of_type(read(document), "Instance")
    assert thing["assigner"] == {"@id": "https://libris.kb.se/library/S"}
    assert "@context" not in thing


def test_an_address_is_given_to_one_record_only(read):
    other = json.loads(json.dumps(BIB).replace("q7nxvlk54bq1jgf", "q7nxvlk54bq1jgg"))
    addresses = [
        link["@id"]
        for graph in read(BIB, other)
        for node in graph
        for link in node.get("sameAs", [])
    ]
    assert sorted(addresses) == [
        "http://libris.kb.se/bib/8261414",
        "http://libris.kb.se/resource/bib/8261414",
    ]


def test_a_folder_and_a_list_in_a_file(tmp_path):
    held = holding("https://libris.kb.se/0h9wvg5b0ggmf2b", "http://libris.kb.se/bib/8261414")
    (tmp_path / "a.json").write_text(json.dumps([BIB]))
    (tmp_path / "b.jsonl").write_text("\ufeff" + json.dumps(held) + "\r\n\r\n", encoding="utf-8")
    (tmp_path / "README.md").write_text("not a record")
    types = [r.document["@graph"][1]["@type"] for r in read_records(tmp_path, base_uri=BASE)]
    assert types == ["Library", "PhysicalResource", "Item"]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ('{"@graph": [{"@id": "x"}, {"@id": NaN}]}', "NaN"),
        ("[" * 100_000, "not JSON"),
        ("[]", "JSON object"),
        ('{"@graph": [{"@id": "x"}]}', "at least two"),
        ('{"@graph": [{"@id": "x"}, {"a": 1}]}', "need an @id"),
        ("\udcff", "not JSON"),
    ],
)
def test_a_bad_line_is_named(tmp_path, line, says):
    path = tmp_path / "bad.jsonl"
    good = json.dumps(BIB)
    path.write_bytes(f"{good}\n\n{line}\n".encode("utf-8", "surrogateescape"))
    with pytest.raises(LoadError, match=says) as caught:
        next(read_records(path, base_uri=BASE))
    assert str(caught.value).startswith(f"{path}:3: ")


def test_the_same_record_twice_is_named(read):
    with pytest.raises(
        LoadError, match=r"records.jsonl:2: the same record stands in .*records.jsonl:1"
    ):
        read(BIB, BIB)


def test_nothing_there(tmp_path):
    with pytest.raises(LoadError, match="no such file"):
        list(read_records(tmp_path / "none.jsonl", base_uri=BASE))
    with pytest.raises(LoadError, match=r"no \.jsonl"):
        list(read_records(tmp_path, base_uri=BASE))


def terms_of(value):
    if isinstance(value, list):
        for element in value:
            yield from terms_of(element)
    elif isinstance(value, dict):
        for key, inner in value.items():
            if vocabulary.is_skipped(key) or key.endswith("ByLang"):
                continue
            yield from ([] if key.startswith("@") else [key])
            yield from ([inner] if key == "@type" else terms_of(inner))


@pytest.mark.real_records
def test_the_records_of_the_collection_all_load_and_keep_to_the_vocabulary():
    records = [record.document["@graph"] for record in read_records(RECORDS, base_uri=BASE)]
    things = {thing["@id"] for _, thing in records}
    items = [thing for _, thing in records if thing["@type"] == "Item"]
    assert len(items) >= 35
    assert {thing["itemOf"]["@id"] for thing in items} <= things
    assert {thing["heldBy"]["@id"] for thing in items} <= things
    assert [term for term in terms_of(records) if not vocabulary.is_term(term)] == []
