"""How a creation stands."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.prediction import create_fingerprint
from bulkrunner.domain.run import Attempt, Outcome
from bulkrunner.domain.settlement.attempts import SEND, Version
from bulkrunner.domain.settlement.creates import (
    Candidate,
    identifiers_of,
    settle_bib_create,
    settle_create,
)
from bulkrunner.domain.settlement.updates import stored_otherwise
from bulkrunner.errors import Source

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LIBRARY = "https://libris.kb.se/library/"
TEMP = "https://id.kb.se/TEMPID"


def document(iri: str, label: str = "Hc", *, at: int = 0, by: str = "Ylm", **record: Any) -> Any:
    moment = (START + timedelta(minutes=at)).isoformat()
    return {
        "@graph": [
            {"@id": iri, "@type": "Record", "mainEntity": {"@id": iri + "#it"}}
            | {
                "controlNumber": iri[-2:],
                "created": moment,
                "modified": moment,
                "descriptionCreator": {"@id": LIBRARY + by},
                "descriptionLastModifier": {"@id": LIBRARY + by},
            }
            | record,
            {"@id": iri + "#it", "@type": "Item", "shelfMark": {"label": label}},
        ]
    }


SENT = {
    "@graph": [
        {"@id": TEMP, "@type": "Record", "mainEntity": {"@id": TEMP + "#it"}},
        {"@id": TEMP + "#it", "@type": "Item", "shelfMark": {"label": "Hc"}},
    ]
}
CHANGE = PlannedChange(
    number=1,
    action=Action.CREATE,
    record="b1",
    given="b1",
    source=Source(file="ids.txt"),
    operation={},
    kind="holding",
    after=SENT,
    predicted=SENT,
    after_fingerprint=create_fingerprint(SENT),
    bib=BibSummary(id="b1", title="Röda rummet"),
)


def sent(*answers: str | None, **values: Any) -> list[Attempt]:
    return [
        Attempt(change=1, number=n, intent_at=START, method="POST", answer=answer, **values)
        for n, answer in enumerate(answers, start=1)
    ]


def there(record: str = "h1", label: str = "Hc", *, at: int = 1, by: str = "Ylm") -> Candidate:
    found = document(f"https://libris-stg.kb.se/{record}", label, at=at, by=by)
    return Candidate(record=record, first=found, newest=Version(document=found, etag="e"))


def look(candidates: list[Candidate], attempts: list[Attempt], not_before: Any = START) -> Any:
    return settle_create(CHANGE, candidates, attempts, active_sigel="Ylm", not_before=not_before)


STORIES = {
    "first look": ([], [], SEND, ""),
    "somebody has one": ([there(by="S")], [], "refused", "duplicate"),
    "one just like it, but nothing was sent": ([there()], [], "refused", "duplicate"),
    "lost, and it is ours": ([there()], ["lost"], "applied", ""),
    "no answer recorded, ours": ([there()], [None], "applied", ""),
    "lost, but another's": ([there(by="S")], ["lost"], "refused", "duplicate"),
    "lost, but other content": ([there(label="He")], ["lost"], "refused", "duplicate"),
    "lost, but older than the intent": ([there(at=-9)], ["lost"], "refused", "duplicate"),
    "404 to ours, so it is another's": ([there()], ["not_found"], "refused", "duplicate"),
    "lost first, then 404 because of it": ([there()], ["lost", "not_found"], "applied", ""),
    "lost, none there": ([], ["lost"], SEND, ""),
    "404, none there": ([], ["not_found"], SEND, ""),
    "400": ([], ["invalid"], "refused", "invalid"),
    "409, none there": ([], ["conflict"], "refused", "rejected"),
    "201, but none there": ([], ["done"], "refused", "not_saved"),
    "three sends": ([], ["lost", "lost", "server_error"], "failed", "server_error"),
    "two that might be ours": ([there("h1"), there("h2")], ["lost"], "unknown", "several_created"),
    "two, one as we sent it": (
        [there("h1", label="He"), there("h2")],
        ["lost"],
        "applied",
        "",
    ),
    "ours beside another's": ([there("h1", by="S"), there("h2")], ["lost"], "applied", ""),
}


@pytest.mark.parametrize("story", STORIES)
def test_holdings(story):
    candidates, answers, outcome, code = STORIES[story]
    decision = look(candidates, sent(*answers))
    assert (decision.outcome, decision.code) == (outcome, code)


def test_all_that_may_be_ours_are_named():
    found = [there("h1"), there("h0", by="S"), there("h2")]
    decision = look(found, sent("lost"))
    assert decision.detail["existing"] == ["h1", "h2"]
    assert "h1 and h2" in decision.message


def test_one_that_was_there_before_is_not_ours():
    decision = look([there("h1")], sent("lost", known_ids=("h1",)))
    assert (decision.outcome, decision.detail["existing"]) == (Outcome.REFUSED, ["h1"])


def test_without_the_servers_clock_the_other_signs_decide():
    assert look([there(at=-9)], sent("lost"), not_before=None).outcome is Outcome.APPLIED


def test_ours_is_named_and_later_edits_are_told():
    found = there("h2")
    edited = document("https://libris-stg.kb.se/h2", "He", at=5, by="S")
    found = Candidate(record="h2", first=found.first, newest=Version(document=edited))
    decision = look([found], sent("lost"))
    assert decision.record == "h2"
    assert decision.detail["changed_since"]["by"] == "S"


def test_one_whose_first_version_cannot_be_read_may_be_ours_where_something_was_sent():
    found = Candidate(record="h1", first=None, newest=there().newest)
    decision = look([found], sent("lost"))
    assert (decision.outcome, decision.code) == (Outcome.UNKNOWN, "history_unread")
    assert look([found], ()).outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("answers", "status", "outcome", "code"),
    [
        ([], None, SEND, ""),
        (["lost"], None, "unknown", "bib_create_unproven"),
        ([None], None, "unknown", "bib_create_unproven"),
        (["server_error"], 500, "unknown", "bib_create_unproven"),
        (["busy"], 503, "unknown", "bib_create_unproven"),
        (["redirect"], 302, "unknown", "bib_create_unproven"),
        (["busy"], 429, "unknown", "bib_create_unproven"),
        (["unreadable"], 401, "unknown", "bib_create_unproven"),
        (["unauthorized"], 401, SEND, ""),
        (["forbidden"], 403, SEND, ""),
        (["not_sent"], None, SEND, ""),
        (["not_found"], 404, "failed", "not_stored"),
        (["invalid"], 400, "refused", "invalid"),
        (["conflict"], 409, "refused", "rejected"),
        (["unauthorized"] * 3, 401, "failed", "unauthorized"),
        (["unauthorized", "lost"], None, "unknown", "bib_create_unproven"),
    ],
)
def test_bibs(answers, status, outcome, code):
    decision = settle_bib_create(CHANGE, sent(*answers, status=status))
    assert (decision.outcome, decision.code) == (outcome, code)


def test_what_is_known_of_a_lost_bib_is_kept():
    decision = settle_bib_create(CHANGE, sent("server_error", status=500, error_id="abc"))
    assert decision.detail == {
        "sent_at": START.isoformat(),
        "answer": "server_error",
        "status": 500,
        "error_id": "abc",
        "title": "Röda rummet",
        "candidates": [],
    }


@pytest.mark.parametrize(
    ("candidates", "not_before", "record"),
    [
        ([there("x1")], START, "x1"),
        ([there("x1"), there("x2", "Hce")], START, "x1"),
        ([there("x1"), there("x2")], START, None),
        ([there("x1")], None, None),
        ([there("x1", at=-5)], START, None),
        ([there("x1", by="S")], START, None),
        ([there("x1", "Hce")], START, None),
        ([], START, None),
    ],
    ids=["ours", "ours and another", "two", "no clock", "older", "theirs", "other", "none"],
)
def test_a_bib_is_ours_only_where_exactly_one_passes(candidates, not_before, record):
    decision = settle_bib_create(
        CHANGE, sent("lost"), candidates, active_sigel="Ylm", not_before=not_before
    )
    assert decision.record == record
    assert decision.outcome is (Outcome.APPLIED if record else Outcome.UNKNOWN)
    if record is None:
        listed = [candidate.record for candidate in candidates]
        assert [one["record"] for one in decision.detail["candidates"]] == listed


def test_candidates_say_nothing_where_no_post_can_have_written():
    decision = settle_bib_create(
        CHANGE, sent("forbidden", status=403), [there("x1")], active_sigel="Ylm", not_before=START
    )
    assert decision.outcome is SEND


def test_a_bib_is_searched_for_by_names_and_identifiers():
    names = [{"@id": "http://libris.kb.se/resource/bib/1"}, {"label": "none"}, "text"]
    values = [{"value": " 9786201 "}, {"value": ["no"]}, {"value": "9786201"}, {"value": ""}]
    thing = {"sameAs": names, "identifiedBy": [*values, {"value": "x" * 300}]}
    graph = [{"sameAs": {"@id": "http://libris.kb.se/bib/1"}}, thing]
    assert identifiers_of({"@graph": graph}) == (
        ("http://libris.kb.se/bib/1", "http://libris.kb.se/resource/bib/1"),
        ("9786201",),
    )
    assert identifiers_of({"@graph": [{}, {}]}) == ((), ())


def test_ids_given_by_the_server_are_no_difference():
    stored = document("https://libris-stg.kb.se/h1", at=3)
    assert stored_otherwise(CHANGE, stored) == {}
    stored["@graph"][1]["shelfMark"]["label"] = "HC"
    assert stored_otherwise(CHANGE, stored) == {"not_as_predicted": ["shelfMark.label"]}
