"""Faults on request, and the sandbox's own controls, without HTTP."""

import json
from typing import Any

import pytest

from bulkrunner.sandbox.fault_rules import PAGES, FaultRuleError
from bulkrunner.sandbox.wire import Cut, Request
from tests.support.lab import BASE, LIBRARY, Lab, body_of, new_holding


def statuses(lab: Lab, count: int, url: str = "/h1") -> list[int]:
    return [lab.get(url).status for _ in range(count)]


def fault(lab: Lab, kind: str, **rule: Any) -> None:
    lab.environment.faults.add({"kind": kind, **rule})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({}, [503, 503, 503, 503]),
        ({"nth": 2}, [200, 503, 200, 200]),
        ({"nth": [1, 4]}, [503, 200, 200, 503]),
        ({"every": 2}, [200, 503, 200, 503]),
        ({"times": 1}, [503, 200, 200, 200]),
        ({"every": 2, "times": 1}, [200, 503, 200, 200]),
        ({"method": "PUT"}, [200, 200, 200, 200]),
        ({"path": "^/h2"}, [200, 200, 200, 200]),
        ({"path": "^/h[0-9]$"}, [503, 503, 503, 503]),
        ({"probability": 0.0}, [200, 200, 200, 200]),
    ],
)
def test_which_requests_are_struck(lab: Lab, rule: dict[str, Any], expected: list[int]) -> None:
    fault(lab, "status", status=503, **rule)
    assert statuses(lab, 4) == expected


def test_probability_is_repeatable() -> None:
    runs = []
    for _ in "12":
        lab = Lab()
        fault(lab, "status", status=503, probability=0.5, seed=7)
        runs.append(statuses(lab, 30))
    assert runs[0] == runs[1]
    assert set(runs[0]) == {200, 503}


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "nonsense"},
        {"kind": "latency"},
        {"kind": "status", "status": 500, "colour": "red"},
        {"kind": "close_before", "path": "("},
        {"kind": "proxy"},
        {"kind": "proxy", "page": "404-unheard-of"},
    ],
)
def test_bad_rules_are_refused_whole(lab: Lab, rule: dict[str, Any]) -> None:
    with pytest.raises(FaultRuleError):
        lab.environment.faults.add({"kind": "close_before"}, rule)
    assert lab.environment.faults.rules() == []
    answer = lab.ask("POST", "/_sandbox/faults", json.dumps([rule]).encode())
    assert answer.status == 400


def test_rules_of_one_kind_are_taken_away(lab: Lab) -> None:
    fault(lab, "status", status=503)
    fault(lab, "close_before")
    told = body_of(lab.ask("DELETE", "/_sandbox/faults?kind=close_before"))
    assert [rule["kind"] for rule in told] == ["status"]
    assert body_of(lab.ask("DELETE", "/_sandbox/faults")) == []


def test_a_forced_status_writes_nothing(lab: Lab) -> None:
    fault(lab, "status", status=503, retry_after=3, body="busy")
    answer = lab.delete("h1")
    assert (answer.status, answer.body, answer.header("retry-after")) == (503, b"busy", "3")
    assert lab.versions("h1") == 1


def test_a_forced_status_after_the_write(lab: Lab) -> None:
    lab.token("level1")
    fault(lab, "status", status=500, after=True)
    answer = lab.delete("h1")
    assert answer.status == 500
    assert body_of(answer)["error_id"]
    assert lab.versions("h1") == 2


@pytest.mark.parametrize("page", PAGES)
def test_what_stands_between_answers_in_no_form_of_the_catalogues(lab: Lab, page: str) -> None:
    fault(lab, "proxy", page=page)
    answer = lab.get("/h1")
    assert answer.status == int(page.partition("-")[0])
    assert answer.header("etag") is None or page == "201-other"
    kind = (answer.header("content-type") or "").partition(";")[0]
    said = json.loads(answer.body) if kind == "application/json" else {}
    assert said.get("status_code") != answer.status
    assert answer.header("cache-control") is None


def test_what_stands_between_may_have_passed_the_request_on(lab: Lab) -> None:
    fault(lab, "proxy", page="404-text", method="DELETE", nth=1)
    fault(lab, "proxy", page="401-html", method="DELETE", after=True)
    assert (lab.delete("h1").status, lab.versions("h1")) == (404, 1)
    assert (lab.delete("h1").status, lab.versions("h1")) == (401, 2)


def test_a_201_with_the_address_of_another_record(lab: Lab) -> None:
    lab.token("level1")
    fault(lab, "proxy", page="201-other", method="POST", after=True)
    answer = lab.post(new_holding("Ylm", "lonely"))
    made = body_of(lab.get(f"/_findhold?id={BASE}lonely&library=Ylm"))
    assert answer.status == 201
    assert len(made) == 1
    assert answer.header("location") not in (None, *made)


def test_a_page_may_lead_back_to_what_was_asked_for(lab: Lab) -> None:
    fault(lab, "proxy", page="301-itself")
    assert lab.get("/h1?embellished=false").header("location") == "/h1?embellished=false"


def test_while_the_login_fails_every_write_gets_a_500_without_a_word(lab: Lab) -> None:
    lab.token("level1")
    fault(lab, "login_down", status=500)
    answer = lab.delete("h1")
    assert (answer.status, answer.body) == (500, b"")
    posted = lab.post(new_holding("Ylm", "lonely"))
    assert (posted.status, "error_id" in body_of(posted)) == (500, False)
    assert lab.get("/oauth/verify", Authorization=f"Bearer {lab.token('level1')}").status == 500
    assert lab.get("/h1").status == 200


@pytest.mark.parametrize(
    ("kind", "cut", "versions"),
    [
        ("close_before", Cut.NOTHING_SENT, 1),
        ("close_after", Cut.NOTHING_SENT, 2),
        ("truncate", Cut.HALF_SENT, 2),
    ],
)
def test_broken_connections(lab: Lab, kind: str, cut: Cut, versions: int) -> None:
    fault(lab, kind, method="DELETE")
    assert lab.delete("h1").cut is cut
    assert lab.versions("h1") == versions


def test_latency_is_told_beforehand(lab: Lab) -> None:
    fault(lab, "latency", ms=20)
    fault(lab, "latency", ms=5)
    assert lab.environment.admit(Request.of("GET", "/h1")).delay_ms == 25


def test_an_expired_token(lab: Lab) -> None:
    fault(lab, "expire_token", method="DELETE", times=1)
    assert lab.delete("h1").status == 401
    lab.tokens.clear()
    assert lab.delete("h1").status == 204


def test_a_client_revoked_in_the_middle(lab: Lab) -> None:
    fault(lab, "revoke_client", method="DELETE")
    assert lab.delete("h1").status == 401
    form = b"client_id=level1&client_secret=s1&grant_type=client_credentials"
    assert lab.ask("POST", "/oauth/token", form).status == 401


def test_a_permission_lost_in_the_middle(lab: Lab) -> None:
    fault(lab, "drop_permission", method="DELETE", sigel="Ylm")
    assert lab.delete("h1").status == 403
    verified = lab.get("/oauth/verify", Authorization=f"Bearer {lab.token('level1')}")
    assert body_of(verified)["user"]["permissions"] == []


def test_somebody_elses_edit_just_before_a_put(lab: Lab) -> None:
    document, etag = lab.stored("h1"), lab.etag("h1")
    fault(lab, "foreign_edit", method="PUT", sigel="S", set={"shelfMark.label": "theirs"})
    assert lab.put("h1", document, If_Match=etag).status == 412
    assert lab.stored("h1")["@graph"][1]["shelfMark"]["label"] == "theirs"
    newest = lab.environment.catalogue.entry("h1")
    assert newest is not None
    assert (newest.newest.sigel, newest.newest.client) == ("S", "somebody-else")


def test_somebody_elses_delete_just_before(lab: Lab) -> None:
    fault(lab, "foreign_edit", delete=True, times=1)
    assert lab.get("/h1").status == 410


def test_somebody_else_creates_the_same_holding_just_before(lab: Lab) -> None:
    fault(lab, "foreign_edit", method="POST")
    assert lab.post(new_holding("Ylm", "lonely")).status == 404
    found = body_of(lab.get(f"/_findhold?id={BASE}lonely&library=Ylm"))
    assert len(found) == 1


def test_the_log_tells_writes_from_reads(lab: Lab) -> None:
    lab.get("/h1")
    lab.delete("h1")
    fault(lab, "close_after", method="POST")
    lab.post(new_holding("Ylm", "lonely"))
    lab.delete("hS")
    told = body_of(lab.ask("GET", "/_sandbox/log?writes=1"))
    assert [(e["method"], e["status"], len(e["stored"])) for e in told] == [
        ("DELETE", 204, 1),
        ("POST", 0, 1),
        ("DELETE", 403, 0),
    ]
    assert {(e["client"], e["sigel"]) for e in told} == {("level1", "Ylm")}
    everything = body_of(lab.ask("GET", "/_sandbox/log"))
    assert [e["path"] for e in everything][:2] == ["/h1", "/oauth/token"]
    assert [e["seq"] for e in everything] == list(range(1, len(everything) + 1))
    later = body_of(lab.ask("GET", f"/_sandbox/log?since={told[-1]['seq'] - 1}"))
    assert len(later) == 1
    lab.ask("DELETE", "/_sandbox/log")
    assert body_of(lab.ask("GET", "/_sandbox/log")) == []


def test_no_token_in_the_log(lab: Lab) -> None:
    lab.delete("h1")
    assert lab.token("level1").encode() not in lab.ask("GET", "/_sandbox/log").body


def test_history_is_the_whole_truth(lab: Lab) -> None:
    lab.put("h1", lab.stored("h1"))
    lab.delete("h1", client="global", sigel="SEK")
    told = body_of(lab.ask("GET", "/_sandbox/history/h1"))
    assert [(v["version"], v["deleted"], v["sigel"], v["client"]) for v in told] == [
        (0, False, None, None),
        (1, False, "Ylm", "level1"),
        (2, True, "SEK", "global"),
    ]
    assert told[2]["document"]["@graph"][0]["descriptionLastModifier"] == {"@id": LIBRARY + "SEK"}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("collection=hold&sigel=Ylm", ["h1", "h2"]),
        ("collection=hold", ["h1", "h2", "hS", "headless"]),
        ("collection=bib", ["aliased", "b1", "b2", "lonely"]),
    ],
)
def test_records(lab: Lab, query: str, expected: list[str]) -> None:
    assert body_of(lab.ask("GET", f"/_sandbox/records?{query}")) == expected


def test_an_edit_by_control(lab: Lab) -> None:
    wish = {"id": "h1", "sigel": "S", "set": {"shelfMark.label": "x", "physicalLocation": None}}
    answer = lab.ask("POST", "/_sandbox/edit", json.dumps(wish).encode())
    assert body_of(answer)["version"] == 1
    assert lab.stored("h1")["@graph"][1]["shelfMark"]["label"] == "x"
    document = lab.stored("h1")
    document["@graph"][1]["shelfMark"]["label"] = "y"
    lab.ask("POST", "/_sandbox/edit", json.dumps({"id": "h1", "doc": document}).encode())
    assert lab.stored("h1")["@graph"][1]["shelfMark"]["label"] == "y"
    lab.ask("POST", "/_sandbox/edit", b'{"id": "h1", "delete": true}')
    assert lab.get("/h1").status == 410


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nonsense", b"", 404),
        ("GET", "history/unknown", b"", 404),
        ("POST", "edit", b'{"id": "unknown"}', 404),
        ("POST", "edit", b"{", 400),
        ("POST", "edit", b"{}", 400),
        ("POST", "clients/unknown/revoke", b"", 404),
        ("POST", "clients/level1/nonsense", b"", 404),
        ("POST", "tokens/expire", b"", 200),
    ],
)
def test_control_answers(lab: Lab, method: str, path: str, body: bytes, status: int) -> None:
    assert lab.ask(method, "/_sandbox/" + path, body).status == status


def test_controls_are_neither_logged_nor_struck(lab: Lab) -> None:
    fault(lab, "status", status=500)
    assert lab.ask("GET", "/_sandbox/info").status == 200
    assert body_of(lab.ask("GET", "/_sandbox/log")) == []
