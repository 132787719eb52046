"""``_findhold`` and ``_dependencies``."""

from urllib.parse import quote

import pytest

from tests.support.lab import BASE, LIBRARY, Lab, body_of, new_holding


def find(lab: Lab, iri: str, library: str) -> tuple[int, object]:
    answer = lab.get(f"/_findhold?id={quote(iri, safe='')}&library={quote(library, safe='')}")
    return answer.status, body_of(answer) if answer.status == 200 else None


@pytest.mark.parametrize("library", ["Ylm", LIBRARY + "Ylm"])
@pytest.mark.parametrize(
    "iri", [BASE + "b1", BASE + "b1#it", "http://libris.kb.se/resource/bib/111"]
)
def test_find_holdings(lab: Lab, iri: str, library: str) -> None:
    assert find(lab, iri, library) == (200, [BASE + "h1"])


def test_no_holding(lab: Lab) -> None:
    assert find(lab, BASE + "lonely", "Ylm") == (200, [])
    assert find(lab, BASE + "lonely", "Unheard of") == (200, [])


def test_a_new_holding_is_found_at_once_and_a_deleted_one_not(lab: Lab) -> None:
    short_id = lab.created_id(lab.post(new_holding("Ylm", "lonely")))
    assert find(lab, BASE + "lonely", "Ylm") == (200, [BASE + short_id])
    lab.delete(short_id)
    assert find(lab, BASE + "lonely", "Ylm") == (200, [])


@pytest.mark.parametrize(
    "query", ["", "id=x", "library=Ylm", "id=b1&library=Ylm", f"id={BASE}h1&library=Ylm"]
)
def test_bad_questions_get_a_page(lab: Lab, query: str) -> None:
    answer = lab.get(f"/_findhold?{query}", Accept="*/*")
    assert answer.status == 400
    assert answer.body.startswith(b"<html>")


def test_a_holding_without_library_breaks_the_look_up(lab: Lab) -> None:
    assert find(lab, BASE + "b2", "Ylm") == (500, None)


def dependencies(lab: Lab, short_id: str, query: str) -> list[str]:
    answer = lab.get(f"/_dependencies?id={BASE}{short_id}&{query}")
    assert answer.status == 200
    return [iri.removeprefix(BASE) for iri in body_of(answer)]


def test_direct_links(lab: Lab) -> None:
    assert dependencies(lab, "b1", "relation=itemOf&reverse=true") == ["h1", "hS"]
    assert dependencies(lab, "h1", "relation=itemOf") == ["b1"]
    assert dependencies(lab, "h1", "relation=heldBy") == ["libYlm"]


def test_everything_reachable(lab: Lab) -> None:
    assert dependencies(lab, "h1", "") == ["b1", "libYlm", "swe"]
    assert dependencies(lab, "swe", "reverse=true") == ["b1", "h1", "hS"]


def test_records_in_full(lab: Lab) -> None:
    url = f"/_dependencies?id={BASE}b2&relation=itemOf&reverse=true&return="
    bare = body_of(lab.get(url + "bare_record"))
    assert [len(document["@graph"]) for document in bare] == [2, 2]
    assert all(len(d["@graph"]) > 2 for d in body_of(lab.get(url + "embellished_record")))
    assert lab.get(url + "nonsense").status == 400
    assert lab.get("/_dependencies?id=unknown").status == 400
