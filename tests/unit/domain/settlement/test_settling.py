"""How an update or delete stands, by the record's history: every row as a short story."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkrunner.domain.plan import Action, PlannedChange
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.run import Attempt, Outcome
from bulkrunner.domain.settlement.attempts import SEND, History, Version, may_have_written, sends
from bulkrunner.domain.settlement.updates import (
    MAX_VERSIONS,
    goes_further,
    settle,
    stored_otherwise,
)
from bulkrunner.errors import Source

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LIBRARY = "https://libris.kb.se/library/"
BASE = "https://libris-stg.kb.se/"


def document(label: str, *, at: int = 0, by: str = "Ylm", **thing: Any) -> dict[str, Any]:
    """A holding as stored ``at`` minutes after the plan's version."""
    return {
        "@graph": [
            {
                "@id": BASE + "x1",
                "@type": "Record",
                "created": "2019-05-04T10:00:00+02:00",
                "modified": (START + timedelta(minutes=at)).isoformat(),
                "descriptionLastModifier": {"@id": LIBRARY + by},
                "mainEntity": {"@id": BASE + "x1#it"},
            },
            {"@id": BASE + "x1#it", "@type": "Item", "shelfMark": {"label": label}, **thing},
        ]
    }


BEFORE, AFTER = document("Hc"), document("Hce")


def a_change(action: Action = Action.UPDATE, **values: Any) -> PlannedChange:
    update = action is Action.UPDATE
    defaults: dict[str, Any] = {
        "number": 1,
        "action": action,
        "record": "x1",
        "given": "x1",
        "source": Source(file="ids.txt"),
        "operation": {},
        "kind": "holding",
        "before": BEFORE,
        "after": AFTER if update else None,
        "predicted": AFTER if update else None,
        "before_fingerprint": before_fingerprint(BEFORE),
        "after_fingerprint": before_fingerprint(AFTER) if update else None,
    }
    return PlannedChange(**{**defaults, **values})


RESAVE = a_change(
    operation={"resave": True},
    after=BEFORE,
    predicted=BEFORE,
    after_fingerprint=before_fingerprint(BEFORE),
)
DELETE = a_change(Action.DELETE)


def sent(*answers: str | None, method: str = "PUT", **values: Any) -> list[Attempt]:
    return [
        Attempt(change=1, number=number, intent_at=START, method=method, answer=answer, **values)
        for number, answer in enumerate(answers, start=1)
    ]


# Versions of the stories, newest first: v(label, minutes after the plan's version, by whom)


def v(label: str, at: int = 0, by: str = "Ylm", **thing: Any) -> Version:
    return Version(document=document(label, at=at, by=by, **thing), etag=f"e{at}")


GONE = Version(document=None)
PLANNED = v("Hc")


def look(
    change: PlannedChange, versions: list[Version], attempts: list[Attempt], *, whole: bool = True
) -> Any:
    return settle(
        change, History(versions=tuple(versions), complete=whole), attempts, active_sigel="Ylm"
    )


UPDATES = {
    # story: (versions, answers to our attempts, outcome, code)
    "first look": ([PLANNED], [], SEND, ""),
    "somebody saved it as it was": ([v("Hc", 5, "S"), PLANNED], [], SEND, ""),
    "somebody edited": ([v("He", 5, "S"), PLANNED], [], "conflict", "edited"),
    "somebody did it": ([v("Hce", 5, "S"), PLANNED], [], "unchanged", "done_by_other"),
    "somebody deleted it": ([GONE, PLANNED], [], "conflict", "deleted"),
    "lost, and it is ours": ([v("Hce", 5), PLANNED], ["lost"], "applied", ""),
    "no answer recorded, ours": ([v("Hce", 5), PLANNED], [None], "applied", ""),
    "ours after somebody's idle save": (
        [v("Hce", 6), v("Hc", 5, "S"), PLANNED],
        [None],
        "applied",
        "",
    ),
    "ours and then edited": (
        [v("He", 9, "S"), v("Hce", 5), PLANNED],
        ["lost"],
        "applied",
        "",
    ),
    "ours and then deleted": ([GONE, v("Hce", 5), PLANNED], ["lost"], "applied", ""),
    "ours and then put back": ([v("Hc", 9, "S"), v("Hce", 5), PLANNED], ["lost"], "applied", ""),
    "lost, nothing newer": ([PLANNED], ["lost"], SEND, ""),
    "5xx, nothing newer": ([PLANNED], ["server_error"], SEND, ""),
    "412 by an idle save": ([v("Hc", 5, "S"), PLANNED], ["stale"], SEND, ""),
    "412 by an edit": ([v("He", 5, "S"), PLANNED], ["stale"], "conflict", "edited"),
    "412 to a request sent twice": ([v("Hce", 5), PLANNED], ["stale"], "applied", ""),
    "302 in place of an answer": ([v("Hce", 5), PLANNED], ["redirect"], "applied", ""),
    "lost, but somebody else did it": (
        [v("Hce", 5, "S"), PLANNED],
        ["lost"],
        "unchanged",
        "done_by_other",
    ),
    "lost, somebody edited and it was not ours": (
        [v("He", 5, "S"), PLANNED],
        ["lost"],
        "conflict",
        "edited",
    ),
    "ours does not follow the planned one": (
        [v("Hce", 9), v("He", 5, "S"), PLANNED],
        ["lost"],
        "unchanged",
        "done_by_other",
    ),
    "401 of something in between, and it is ours": (
        [v("Hce", 5), PLANNED],
        ["unauthorized"],
        "applied",
        "",
    ),
    "429 of something in between, and it is ours": (
        [v("Hce", 5), PLANNED],
        ["busy"],
        "applied",
        "",
    ),
    "401, nothing newer": ([PLANNED], ["unauthorized"], SEND, ""),
    "403 wrote nothing, so it is not ours": (
        [v("Hce", 5), PLANNED],
        ["forbidden"],
        "unchanged",
        "done_by_other",
    ),
    "204 and nothing stored": ([PLANNED], ["done"], "refused", "not_saved"),
    "204 and ours": ([v("Hce", 5), PLANNED], ["done"], "applied", ""),
    "refused before, told at resume": ([PLANNED], ["invalid"], "refused", "invalid"),
    "409 told at resume": ([PLANNED], ["conflict"], "refused", "rejected"),
    "403 before rights came back": ([PLANNED], ["forbidden"], SEND, ""),
    "three sends": ([PLANNED], ["lost", "server_error", "server_error"], "failed", "server_error"),
    "three sends, the last one ours": (
        [v("Hce", 5), PLANNED],
        ["lost", "server_error", "lost"],
        "applied",
        "",
    ),
    "what never left is no send": ([PLANNED], ["not_sent"] * 5, SEND, ""),
    "a deletion that our PUT undid": ([v("Hce", 9), GONE, PLANNED], ["lost"], "applied", "revived"),
    "a deletion undone by others": (
        [v("Hce", 9, "S"), GONE, PLANNED],
        ["lost"],
        "unchanged",
        "done_by_other",
    ),
    "a deletion undone, and nothing of ours sent": (
        [v("Hce", 9), GONE, PLANNED],
        [],
        "unchanged",
        "done_by_other",
    ),
    "a deletion of another content undone": (
        [v("Hce", 9), GONE, v("He", 5, "S"), PLANNED],
        ["lost"],
        "unchanged",
        "done_by_other",
    ),
    "a deletion undone with other content": (
        [v("Hcx", 9), GONE, PLANNED],
        ["lost"],
        "conflict",
        "edited",
    ),
}


@pytest.mark.parametrize("story", UPDATES)
def test_updates(story):
    versions, answers, outcome, code = UPDATES[story]
    decision = look(a_change(), versions, sent(*answers))
    assert (decision.outcome, decision.code) == (outcome, code)


def test_who_changed_it_since_is_told():
    newest = v("He", 9, "S")
    decision = look(a_change(), [newest, v("Hce", 5), PLANNED], sent("lost"))
    assert decision.detail["changed_since"] == {
        "by": "S",
        "when": (START + timedelta(minutes=9)).isoformat(),
    }
    assert decision.version.etag == "e5"


def test_who_edited_is_told():
    decision = look(a_change(), [v("He", 9, "S"), PLANNED], [])
    assert decision.detail == {"by": "S", "when": (START + timedelta(minutes=9)).isoformat()}
    assert "S" in decision.message


def test_the_newest_version_is_sent_over():
    decision = look(a_change(), [v("Hc", 5, "S"), PLANNED], sent("stale"))
    assert decision.version.etag == "e5"


def test_clean_ups_of_the_server_beside_the_declared_places_are_listed():
    ours = v("Hce", 5, physicalLocation=["MAG"])
    decision = look(a_change(), [ours, PLANNED], sent("lost"))
    assert decision.outcome is Outcome.APPLIED
    assert decision.detail == {"cleanups": ["physicalLocation"]}


def test_a_difference_in_a_declared_place_is_not_ours():
    decision = look(a_change(), [v("Hcx", 5), PLANNED], sent("lost"))
    assert decision.outcome is Outcome.CONFLICT


def test_elements_of_one_list_are_not_told_apart():
    before = document("Hc", cataloguersNote=["a"])
    after = document("Hc", cataloguersNote=["a", "ours"])
    change = a_change(
        before=before,
        after=after,
        predicted=after,
        before_fingerprint=before_fingerprint(before),
        after_fingerprint=before_fingerprint(after),
    )
    story = [
        v("Hc", 5, cataloguersNote=["a", "ours", "somebody's"]),
        v("Hc", cataloguersNote=["a"]),
    ]
    assert look(change, story, sent("lost")).outcome is Outcome.CONFLICT


RESAVES = {
    "first look": ([PLANNED], [], SEND, ""),
    "somebody saved it": ([v("Hc", 5, "S"), PLANNED], [], "unchanged", "done_by_other"),
    "lost, and it is ours": ([v("Hc", 5), PLANNED], ["lost"], "applied", ""),
    "lost, nothing newer": ([PLANNED], ["lost"], SEND, ""),
    "204 and nothing stored": ([PLANNED], ["done"], "refused", "not_saved"),
    "somebody edited": ([v("He", 5), PLANNED], ["lost"], "conflict", "edited"),
    "a deletion that our PUT undid": ([v("Hc", 9), GONE, PLANNED], ["lost"], "applied", "revived"),
}


@pytest.mark.parametrize("story", RESAVES)
def test_resaves(story):
    versions, answers, outcome, code = RESAVES[story]
    decision = look(RESAVE, versions, sent(*answers))
    assert (decision.outcome, decision.code) == (outcome, code)


DELETES = {
    "first look": ([PLANNED], [], SEND, ""),
    "somebody edited": ([v("He", 5, "S"), PLANNED], [], "conflict", "edited"),
    "somebody deleted it": ([GONE, PLANNED], [], "unchanged", "done_by_other"),
    "deleted": ([GONE, PLANNED], ["done"], "applied", ""),
    "deleted after an idle save": ([GONE, v("Hc", 5, "S"), PLANNED], ["done"], "applied", ""),
    "deleted over an edit": ([GONE, v("He", 5, "S")], ["done"], "applied", "deleted_over_edit"),
    "lost, and gone": ([GONE, PLANNED], ["lost"], "applied", "author_unproven"),
    "no answer recorded, and gone": ([GONE, PLANNED], [None], "applied", "author_unproven"),
    "lost, edited, and gone": (
        [GONE, v("He", 5, "S")],
        ["lost"],
        "applied",
        "deleted_over_edit",
    ),
    "410 to a request that may have been sent twice": (
        [GONE, PLANNED],
        ["gone"],
        "applied",
        "author_unproven",
    ),
    "401, and gone": ([GONE, PLANNED], ["unauthorized"], "applied", "author_unproven"),
    "403, and gone": ([GONE, PLANNED], ["forbidden"], "unchanged", "done_by_other"),
    "lost, still there": ([PLANNED], ["lost"], SEND, ""),
    "lost, edited since": ([v("He", 5, "S"), PLANNED], ["lost"], "conflict", "edited"),
    "lost, gone and brought back": (
        [v("Hc", 9, "S"), GONE, PLANNED],
        ["lost"],
        "conflict",
        "edited",
    ),
    "204, still there": ([PLANNED], ["done"], "refused", "not_deleted"),
    "204, gone and brought back": ([v("Hc", 9, "S"), GONE, PLANNED], ["done"], "applied", ""),
    "three sends": ([PLANNED], ["lost", "busy", "lost"], "failed", "lost"),
    "what was removed is unreadable": ([GONE], ["done"], "applied", "removed_unread"),
}


@pytest.mark.parametrize("story", DELETES)
def test_deletes(story):
    versions, answers, outcome, code = DELETES[story]
    decision = look(DELETE, versions, sent(*answers, method="DELETE"))
    assert (decision.outcome, decision.code) == (outcome, code)


def test_the_content_deleted_over_is_handed_on():
    decision = look(DELETE, [GONE, v("He", 5, "S")], sent("lost", method="DELETE"))
    assert decision.version.document["@graph"][1]["shelfMark"]["label"] == "He"
    assert decision.detail["deleted_over_edit"]["by"] == "S"
    assert decision.detail["author_unproven"] is True


# How far to read


def test_before_anything_was_sent_the_newest_version_is_enough():
    assert not goes_further(a_change(), [v("He", 5)], [])
    assert not goes_further(a_change(), [v("He", 5)], sent("forbidden"))
    assert goes_further(a_change(), [v("He", 5)], sent("unauthorized"))


def test_read_back_to_the_planned_version_and_no_further():
    assert goes_further(a_change(), [v("He", 5)], sent("lost"))
    assert not goes_further(a_change(), [v("He", 5), PLANNED], sent("lost"))
    assert not goes_further(a_change(), [PLANNED], sent("lost"))


def test_of_a_deleted_record_only_what_was_removed_is_read():
    assert goes_further(DELETE, [GONE], sent("done", method="DELETE"))
    assert not goes_further(DELETE, [GONE, v("He", 5)], sent("done", method="DELETE"))


def test_at_most_so_many_versions():
    many = [v("He", at) for at in range(MAX_VERSIONS, 0, -1)]
    assert not goes_further(a_change(), many, sent("lost"))
    assert look(a_change(), many, sent("lost"), whole=False).outcome is Outcome.UNKNOWN
    assert look(a_change(), many, [], whole=False).outcome is Outcome.CONFLICT


@pytest.mark.parametrize("change", [a_change(), DELETE], ids=["update", "delete"])
def test_a_history_that_is_cut_short_is_unknown(change):
    decision = look(change, [v("He", 5, "S")], sent("lost"), whole=False)
    assert (decision.outcome, decision.code) == (Outcome.UNKNOWN, "history_unread")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "POST"])
def test_what_cannot_have_written(method):
    """By the method: a POST is sent on once, and what the catalogue says of it is about that one."""
    refused = sent("not_sent", "forbidden", "invalid", "conflict", method=method)
    assert not may_have_written(refused)
    assert may_have_written([*refused, *sent(None, method=method)])
    for answer in ("busy", "unreadable", "gone", "stale", "redirect", "server_error", "lost"):
        assert may_have_written(sent(answer, method=method)), answer
    for answer in ("unauthorized", "not_found"):
        assert may_have_written(sent(answer, method=method)) is (method != "POST")


def test_what_never_left_is_no_send():
    assert sends(sent("not_sent", None, "lost", "unauthorized")) == 3


def test_what_was_stored_otherwise():
    change = a_change()
    assert stored_otherwise(change, document("Hce", at=9, by="S")) == {}
    assert stored_otherwise(change, document("Hce", physicalLocation=["M"])) == {
        "cleanups": ["physicalLocation"]
    }
    assert stored_otherwise(change, document("HCE")) == {"not_as_predicted": ["shelfMark.label"]}
    assert stored_otherwise(RESAVE, document("HC")) == {"cleanups": ["shelfMark.label"]}


# Whatever happens

labels = st.sampled_from(["Hc", "Hce", "He"])
answers = st.sampled_from(
    [None, "done", "lost", "server_error", "stale", "busy", "unauthorized", "redirect", "not_sent"]
)
histories = st.lists(
    st.one_of(st.tuples(labels, st.sampled_from(["Ylm", "S"])), st.none()), max_size=6
)


def told(story: list[tuple[str, str] | None]) -> list[Version]:
    """Newest first, each a minute after the one below it, the planned version at the bottom."""
    newer = [
        GONE if entry is None else v(entry[0], at, entry[1])
        for at, entry in enumerate(story, start=1)
    ]
    return [*reversed(newer), PLANNED]


@given(histories, st.lists(answers, max_size=4), st.sampled_from([a_change(), RESAVE, DELETE]))
def test_nothing_is_sent_unless_the_record_is_as_planned(story, replies, change):
    method = "DELETE" if change.action is Action.DELETE else "PUT"
    attempts = sent(*replies, method=method)
    decision = look(change, told(story), attempts)
    newest = told(story)[0]
    if decision.outcome is SEND:
        assert newest.fingerprint == change.before_fingerprint
        assert decision.version == newest
        assert sends(attempts) < 3
        assert "done" not in replies[-1:]
    if decision.outcome is Outcome.APPLIED:
        assert may_have_written(attempts)
    if not attempts:
        assert decision.outcome in (SEND, Outcome.CONFLICT, Outcome.UNCHANGED)


@given(histories, st.lists(answers, min_size=1, max_size=3))
def test_what_we_wrote_is_always_found(story, replies):
    """A version of ours on top of the planned one is applied, whatever came after it."""
    attempts = sent(*replies[:-1], None)
    versions = told([("Hce", "Ylm"), *story])
    decision = look(a_change(), versions, attempts)
    assert decision.outcome is Outcome.APPLIED
    if versions[0].fingerprint != a_change().after_fingerprint:
        assert "changed_since" in decision.detail


@given(st.lists(st.tuples(labels, st.just("S")), max_size=6), st.lists(answers, max_size=3))
def test_what_others_wrote_is_never_ours(story, replies):
    decision = look(a_change(), told(story), sent(*replies))
    assert decision.outcome is not Outcome.APPLIED


@given(histories, st.lists(answers, max_size=3))
def test_reading_a_version_twice_changes_nothing_that_is_ours(story, replies):
    """While history is read somebody may add a version; then one version is met twice."""
    attempts = sent(*replies)
    versions = told(story)
    twice = [versions[0], *versions]
    once, again = (look(a_change(), seen, attempts) for seen in (versions, twice))
    assert once.outcome == again.outcome


def test_times_that_cannot_be_read_are_compared_by_content():
    broken = document("Hc")
    del broken["@graph"][0]["modified"]
    change = replace(a_change(), before=broken)
    assert look(change, [Version(document=broken)], sent("lost")).outcome is SEND
    assert goes_further(change, [v("Hce", 5)], sent("lost"))
