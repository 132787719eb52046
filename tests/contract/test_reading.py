"""GET a record in all its forms (libris-api §4, §11)."""

import re

import pytest

NO_RECORD = "0000000000000000"


def header_type(answer):
    return answer.headers["Content-Type"].partition(";")[0]


def test_the_form_for_editing(api, bib):
    """§4: ld+json and embellished=false: context, then exactly record and thing."""
    answer = api.read(bib)
    assert answer.status_code == 200
    assert header_type(answer) == "application/ld+json"
    content = answer.json()
    assert content["@context"] == "/context.jsonld"
    record, thing = content["@graph"]
    assert record["@id"] == api.target.record(bib)
    assert thing["@id"] == record["mainEntity"]["@id"] == api.target.thing(bib)


def test_embellished_is_the_default(api, bib):
    """§4: without the parameter further graph entries follow: never PUT it (trap 7)."""
    plain, full = api.read(bib).json(), api.get(bib).json()
    assert full["@graph"][0]["@id"] == plain["@graph"][0]["@id"]
    assert len(full["@graph"]) > 2
    assert all("@graph" in extra for extra in full["@graph"][2:])
    assert all("?lens=" in extra["@id"] for extra in full["@graph"][2:])


def test_etags_are_quoted_numbers_and_embellished_ones_have_two(api, bib):
    """§4: "<plain>", embellished "<plain>:<embellished>", strong, the plain half alike."""
    plain, full = api.read(bib).headers["ETag"], api.get(bib).headers["ETag"]
    assert re.fullmatch(r'"-?\d+"', plain)
    assert re.fullmatch(plain[:-1] + ':[^"]+"', full)


def test_if_none_match(api, bib):
    """§4: 304 when the plain parts agree, with ETag, Vary and Server-Start-Time."""
    etag = api.read(bib).headers["ETag"]
    answer = api.read(bib, etag=etag)
    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["ETag"] == etag
    assert {"vary", "server-start-time"} <= set(answer.headers)
    assert "server-start-time" not in api.read(bib).headers


@pytest.mark.parametrize("form", ["W/{}", "{gzip}", "{bare}"])
def test_if_none_match_is_lenient(api, bib, form):
    """§4: quotes, W/ and -gzip are stripped from what the client sends."""
    etag = api.read(bib).headers["ETag"]
    sent = form.format(etag, gzip=etag[:-1] + '-gzip"', bare=etag.strip('"'))
    assert api.read(bib, etag=sent).status_code == 304


def test_if_none_match_for_the_embellished_form_needs_both_halves(api, bib):
    """§4: for embellished answers the second part must agree too."""
    full = api.get(bib).headers["ETag"]
    assert api.get(bib, etag=full).status_code == 304
    assert api.get(bib, etag=full[:-1] + '0"').status_code == 200


def test_if_none_match_of_another_version(api, bib):
    """§4: another number: the record."""
    assert api.read(bib, etag='"17"').status_code == 200


def test_headers_of_a_record(api, bib):
    """§4: Content-Location, Document, Link, Vary, Cache-Control."""
    headers = api.read(bib).headers
    record = api.target.record(bib)
    assert headers["Content-Location"].endswith(f"/{bib}/data.jsonld")
    assert headers["Document"] == record
    assert f"<{record}>; rel=describedby" in headers["Link"]
    assert '<https://id.kb.se/sys/context/kbv>; rel="profile"' in headers["Link"]
    assert headers["Content-Type"] == "application/ld+json;charset=utf-8"
    assert [part.strip() for part in headers["Vary"].split(",")] == ["Accept", "Accept-Profile"]
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("accept", [None, "*/*", "text/html", "image/png"])
def test_json_ld_is_the_default(api, bib, accept):
    """§4: no Accept, anything, HTML or an unknown type: JSON-LD, never 406."""
    answer = api.get(bib, accept=accept)
    assert answer.status_code == 200
    assert header_type(answer) == "application/ld+json"


def test_json_is_framed(api, bib):
    """§4: application/json is framed by default: no @graph."""
    answer = api.get(bib, accept="application/json", embellished="false")
    assert header_type(answer) == "application/json"
    framed = answer.json()
    assert not {"@graph", "@context"} & framed.keys()
    assert framed["@id"] == api.target.record(bib), "the record is the root"
    assert framed["mainEntity"]["@id"] == api.target.thing(bib)
    assert framed["mainEntity"]["meta"] == {"@id": api.target.record(bib)}


@pytest.mark.parametrize("accept", ["text/html;q=x", "application/ld+json;q=1.5.0"])
def test_a_malformed_accept(api, bib, accept):
    """§4: a bad q value: 400."""
    assert api.get(bib, accept=accept).status_code == 400


def test_the_data_path_and_its_extensions(api, bib):
    """§4: /data beside the record; the extension beats Accept; an unknown one is 404."""
    assert api.get(f"{bib}/data", embellished="false").json() == api.read(bib).json()
    answer = api.get(f"{bib}/data.jsonld", accept="application/json")
    assert header_type(answer) == "application/ld+json"
    unknown = api.get(f"{bib}/data.docx")
    assert (unknown.status_code, unknown.json()["message"]) == (404, ".docx")


def test_an_unknown_record(api):
    """§4, §11: 404 JSON."""
    answer = api.read(NO_RECORD)
    assert answer.status_code == 404
    assert header_type(answer) == "application/json"
    assert answer.json() == {
        "status_code": 404,
        "status": "Not Found",
        "message": "Document not found.",
    }


def test_a_deleted_record(api, holding):
    """§4: 410 JSON, also with /data; its thing's address is released."""
    api.delete(holding)
    answer = api.read(holding)
    assert answer.status_code == 410
    assert answer.json()["message"] == "Document has been deleted."


def legacy(api):
    record, thing = api.graph(api.target.legacy_bib)
    return record["sameAs"][0]["@id"], thing["sameAs"][0]["@id"]


def test_a_records_alias(api):
    """§4: a record's sameAs as path: 302 to the record, query kept."""
    alias, _ = legacy(api)
    answer = api.read(alias)
    assert answer.status_code == 302
    wanted = api.target.record(api.target.legacy_bib) + "?embellished=false"
    assert answer.headers["Location"] == wanted


def test_a_things_alias_hides_the_query(api):
    """§4: the query ends behind the fragment: who follows it gets the embellished form."""
    _, alias = legacy(api)
    answer = api.read(alias)
    assert answer.status_code == 302
    wanted = api.target.thing(api.target.legacy_bib) + "?embellished=false"
    assert answer.headers["Location"] == wanted


def test_the_alias_of_a_deleted_record(api, bib):
    """§4: after a delete the record's address is 410, its sameAs 404."""
    document = api.holding_on(bib)
    alias = "http://libris.kb.se/hold/999999901"
    document["@graph"][0]["sameAs"] = [{"@id": alias}]
    short_id = api.short_id(api.post(document))
    assert api.read(alias).status_code == 302
    api.delete(short_id)
    assert api.read(short_id).status_code == 410
    assert api.read(alias).status_code == 404


def test_versions(api, holding):
    """§4: 0 is the oldest, negative numbers count from the end."""
    record, thing = api.graph(holding)
    thing["shelfMark"]["label"] = "Hce"
    api.put(holding, {"@graph": [record, thing]})
    marks = {
        version: api.graph(holding, version=version)[1]["shelfMark"]["label"]
        for version in (0, 1, -1, -2)
    }
    assert marks == {0: "Hc", 1: "Hce", -1: "Hce", -2: "Hc"}


def test_a_version_that_never_was(api, holding):
    """§4: 404."""
    assert api.read(holding, version=7).status_code == 404


def test_versions_outlive_the_record(api, holding):
    """§4: the deletion is one more version and gives 410; older ones can be read."""
    api.delete(holding)
    assert api.graph(holding, version=0)[1]["shelfMark"]["label"] == "Hc"
    assert api.graph(holding, version=-2)[1]["shelfMark"]["label"] == "Hc"
    assert api.read(holding, version=-1).status_code == 410
    assert api.read(holding, version=1).status_code == 410


def test_the_deletion_below_a_revived_record(api, holding):
    """§4: by its short id 302 to the record's own thing, by its whole address 410: a deletion."""
    etag = api.read(holding).headers["ETag"]
    document = {"@graph": api.graph(holding)}
    api.delete(holding)
    assert api.put(holding, document, etag=etag).status_code == 204
    answer = api.read(holding, version=-2)
    assert answer.status_code == 302
    target = f"{api.target.thing(holding)}?embellished=false&version=-2"
    assert answer.headers["Location"] == target
    assert api.read(api.target.record(holding), version=-2).status_code == 410
    assert api.graph(holding, version=-3)[1]["shelfMark"]["label"] == "Hc"


def test_a_version_is_not_embellished(api, bib):
    """§4: embellished is false when a version is asked for."""
    assert len(api.get(bib, version=0).json()["@graph"]) == 2


def test_change_sets(api, holding):
    """§4: who changed what, version by version, REST edits by the crud generator."""
    record, thing = api.graph(holding)
    thing["shelfMark"]["label"] = "Hce"
    api.put(holding, {"@graph": [record, thing]})
    sets = api.get(f"{holding}/_changesets").json()["changeSets"]
    assert [entry["@type"] for entry in sets] == ["ChangeSet", "ChangeSet"]
    record_iri = api.target.record(holding)
    versions = [f"{record_iri}/data?version={number}" for number in (0, 1)]
    assert [entry["version"]["@id"] for entry in sets] == versions, "the oldest first"
    first, last = sets
    assert first["addedPaths"] == first["removedPaths"] == []
    assert last["agent"] == {"@id": api.target.library()}
    assert last["tool"] == {"@id": "https://id.kb.se/generator/crud"}
    paths = [["@graph", 1, "shelfMark", "label"]]
    paths += [["@graph", 0, key] for key in ("recordStatus", "modified")]
    for path in paths:
        assert path in last["addedPaths"]
        assert path in last["removedPaths"]


def test_change_sets_of_a_deleted_record(api, holding):
    """§4: 410."""
    api.delete(holding)
    assert api.get(f"{holding}/_changesets").status_code == 410


def test_a_computed_label_without_a_frame(api, bib):
    """§16.13: refused only when embellished and not framed."""
    assert api.get(bib, computedLabel="true", framed="false").status_code == 400


@pytest.mark.parametrize("lens", ["chip", "card"])
def test_a_lens_is_framed(api, bib, lens):
    """§16.7: lens answers have no @graph."""
    content = api.get(bib, lens=lens).json()
    assert "@graph" not in content
    assert content["@type"]
