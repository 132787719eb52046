"""Which version a run left, and whether a record is as the run left it: every row a short story."""

from __future__ import annotations

import pytest

from bulkrunner.domain.plan import Action, AppliedChange
from bulkrunner.domain.prediction import before_fingerprint, create_fingerprint
from bulkrunner.domain.run import Outcome, Result
from bulkrunner.domain.settlement.attempts import Version
from bulkrunner.domain.settlement.updates import Left
from tests.unit.domain.settlement.test_settling import BEFORE, LIBRARY, START, a_change, document

LINKED = {"associatedLanguage": {"@id": "https://id.kb.se/language/swe"}}
"""What the server stored beside what the plan foretold."""


def v(label, at=0, by="Ylm", etag="", **thing):
    return Version(document=document(label, at=at, by=by, **thing), etag=etag)


OURS = v("Hce", 5, etag="1", **LINKED)
"""The version that a 304 proved: its content is not in the ledger."""


def left(*, change=None, **values):
    result = Result(outcome=Outcome.APPLIED, record="x1", **values)
    return Left.by(change or a_change(), result, "Ylm")


AS_LEFT = {
    "the same version": (OURS, True),
    "saved again without a change": (v("Hce", 9, "S", "2", **LINKED), True),
    "edited": (v("Hce", 9, "S", "2", copyNumber="1", **LINKED), False),
    "edited where the server had tidied": (v("Hce", 9, "S", "2", associatedLanguage="x"), False),
    "as the plan foretold": (v("Hce", 9, "S", "2"), True),
    "taken back": (v("Hc", 9, "S", "2", **LINKED), False),
    "deleted": (Version(document=None), False),
    "filled anew with what was before": (v("Hc", 0, "Ylm", "0"), False),
}


@pytest.mark.parametrize("story", AS_LEFT)
def test_an_update_that_a_304_proved(story):
    newest, expected = AS_LEFT[story]
    assert left(etag="1").is_as_left(newest, OURS) is expected


def test_without_its_version_only_etag_and_content_count():
    resaved = v("Hce", 9, "S", "2", **LINKED)
    assert left(etag="1").is_as_left(OURS, None)
    assert not left(etag="1").is_as_left(resaved, None)
    assert not left().is_as_left(resaved, None)
    assert left().is_as_left(v("Hce", 9, "S", "2"), None)


def test_an_etag_of_another_time_proves_nothing():
    """Its checksum does not see every edit; when ours was saved is known where it was read."""
    known = left(etag="1", stored_modified=OURS.document["@graph"][0]["modified"])
    later = v("Hce", 9, etag="1", **LINKED, copyNumber="1")
    assert known.is_as_left(OURS, None)
    assert not known.is_as_left(later, OURS)
    assert known.is_as_left(v("Hce", 9, etag="1", **LINKED), OURS)


def test_what_was_read_back_is_what_was_left():
    known = left(etag="1", stored=OURS.document)
    assert known.is_as_left(v("Hce", 9, "S", "2", **LINKED), None)
    assert not known.is_as_left(v("Hce", 9, "S", "2"), None)


OF_OURS = {
    "by its ETag": ({"etag": "1"}, OURS, True),
    "by another ETag": ({"etag": "3"}, OURS, False),
    "by its time": ({"stored_modified": "2026-03-02T10:05:00+01:00"}, OURS, True),
    "by another time": ({"etag": "1", "stored_modified": "2026-03-02T09:07:00+00:00"}, OURS, False),
    "by its content": ({}, v("Hce", 5), True),
    "by its content, somebody else's": ({}, v("Hce", 5, "S"), False),
    "tidied beside the job's places": ({}, OURS, True),
    "tidied, somebody else's": ({}, v("Hce", 5, "S", **LINKED), False),
    "other content in the job's places": ({}, v("He", 5), False),
    "not later than the plan's": ({"etag": "0"}, v("Hc", 0, etag="0"), False),
    "a deletion": ({"etag": "1"}, Version(document=None), False),
}


@pytest.mark.parametrize("story", OF_OURS)
def test_which_version_is_ours(story):
    known, version, expected = OF_OURS[story]
    assert left(**known).is_ours(version, Version(document=BEFORE)) is expected


def test_a_tidied_version_must_stand_on_the_one_that_was_replaced():
    assert not left().is_ours(OURS, v("He", 3, "S"))
    assert not left().is_ours(OURS, None)


NEW = document("Hce")
CREATED = a_change(
    Action.CREATE,
    before=None,
    before_fingerprint=None,
    after=NEW,
    predicted=NEW,
    after_fingerprint=create_fingerprint(NEW),
)


def first(**thing):
    found = document("Hce", **thing)
    found["@graph"][0]["descriptionCreator"] = {"@id": LIBRARY + "Ylm"}
    return Version(document=found, etag="1")


def test_of_a_new_record_the_first_version_is_what_was_left():
    tidied = first(**LINKED)
    new = left(change=CREATED, etag="1")
    assert new.is_ours(tidied, None)
    assert new.is_as_left(v("Hce", 9, "S", "2"), None)
    assert not new.is_as_left(v("Hce", 9, "S", "2", **LINKED), None)
    resaved = Version(document={"@graph": tidied.document["@graph"]}, etag="2")
    assert new.is_as_left(resaved, tidied)
    assert not new.is_as_left(v("Hce", 9, "S", "2", copyNumber="1"), tidied)


def test_a_new_record_that_was_edited_before_it_was_read_back():
    """What the ledger then holds of it is somebody's, not ours."""
    edited = v("Hce", 9, "S", "2", copyNumber="1")
    new = left(
        change=CREATED,
        etag="2",
        stored=edited.document,
        stored_modified=edited.document["@graph"][0]["modified"],
        detail={"changed_since": {"by": "S", "when": ""}},
    )
    assert not new.is_as_left(edited, first())
    assert new.is_as_left(v("Hce", 12, "S", "3"), first())


def test_an_earlier_run_is_known_by_its_version():
    made = AppliedChange(
        run="r1", action=Action.UPDATE, record="x1", etag="1", after_fingerprint="f"
    )
    assert Left.by_earlier(made, "Ylm").is_ours(OURS, None)
    dated = AppliedChange(
        run="r1",
        action=Action.UPDATE,
        record="x1",
        etag="1",
        stored_modified=START.isoformat(),
        after_fingerprint=before_fingerprint(OURS.document),
    )
    assert not Left.by_earlier(dated, "Ylm").is_ours(OURS, None)
