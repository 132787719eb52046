"""What one change asks of the server when nothing goes wrong, counted by the sandbox's own log."""

import re

import pytest

from bulkrunner.domain.run import Outcome
from bulkrunner.domain.steps import Step, StepEntry, StepMove
from bulkrunner.domain.transfers import looks_elsewhere
from bulkrunner.errors import Source
from tests.support.executing import (
    Rig,
    appending,
    creating_bib,
    creating_holding,
    deleting,
    resaving,
    setting,
)
from tests.support.sandbox import CLIENT_IDS


@pytest.fixture(params=["staging", "production"])
def either(request, rig, production):
    return rig if request.param == "staging" else production


def asked(rig):
    """Every request to the catalogue: method, what was asked for, conditional, answer."""
    return [
        (entry["method"], _what(entry), entry["conditional"], entry["status"])
        for entry in rig.control.log()
        if not entry["path"].startswith("/oauth/")
    ]


def _what(entry):
    version = re.search("version=-?[0-9]+", entry["query"])
    if entry["path"] in ("/data", "/_findhold"):
        return entry["path"]
    return version.group() if version else "record"


def asked_for(rig, *operations):
    run = rig.run(rig.plan(*operations))
    assert {ended.result.outcome for ended in rig.ended(run)} == {Outcome.APPLIED}
    return asked(rig)


LOOK = ("GET", "record", False, 200)


def test_an_update_is_one_get_one_put_and_one_conditional_get(either, own):
    first, *others = asked_for(either, *(setting(next(own), "He") for _ in range(4)))
    assert first == LOOK
    sent = [first, *others]
    assert sent.count(LOOK) == 4
    assert sent.count(("PUT", "record", False, 204)) == 4
    # Of a production run only the first of a kind brings the content back.
    whole = 4 if either.control.kind == "test" else 1
    assert sent.count(("GET", "record", True, 200)) == whole
    assert sent.count(("GET", "record", True, 304)) == 4 - whole
    assert len(sent) == 3 * 4


def test_each_of_several_kinds_of_update_costs_the_same(either, own):
    sent = asked_for(either, setting(next(own), "He"), appending(next(own), "x"))
    assert len(sent) == 6
    assert sum(conditional for _, _, conditional, _ in sent) == 2


def test_a_save_without_a_change_moves_the_etag_by_its_author(either, own):
    """The content is as before; that it was we who saved it is part of what the ETag covers."""
    record = next(own)
    either.control.edit(record, sigel="S", set={})
    sent = asked_for(either, resaving(record))
    assert sent == [LOOK, ("PUT", "record", False, 204), ("GET", "record", True, 200)]


def test_a_delete_is_one_get_one_delete_and_two_gets(either, own):
    assert asked_for(either, deleting(next(own))) == [
        LOOK,
        ("DELETE", "record", False, 204),
        ("GET", "record", False, 410),
        ("GET", "version=-2", False, 200),
    ]


def test_a_new_holding_is_one_findhold_one_post_and_one_get(either, bibs):
    assert asked_for(either, creating_holding(next(bibs))) == [
        ("GET", "/_findhold", False, 200),
        ("POST", "/data", False, 201),
        LOOK,
    ]


def test_a_new_bib_is_one_post_and_one_get(either):
    cataloguer = CLIENT_IDS[1]
    client_id, secret = either.control.credentials(cataloguer)
    either.credentials = type(either.credentials)(client_id=client_id, client_secret=secret)
    sent = asked_for(either, creating_bib(f"Ny bok i {either.control.name}"))
    assert sent == [("POST", "/data", False, 201), LOOK]


def test_a_move_looks_at_the_other_holding_twice(sandbox, tmp_path):
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    old = rig.made_holding(rig.made_bib())
    source = Source(file="job.yaml", line=1)
    step = Step(number=1, source=source, action=StepMove(to="NO"))
    entry = StepEntry(source=source, step=step, given=old, ref=old)
    plan = rig.planner().make(rig.request(entry, sigels=["Ylm", "NO"]), "p-move")
    rig.control.clear_log()
    run = rig.run(plan)
    assert [ended.result.outcome for ended in rig.ended(run)] == [Outcome.APPLIED] * 2
    assert asked(rig) == [
        ("GET", "/_findhold", False, 200),
        LOOK,  # is the old one as it was planned from?
        ("POST", "/data", False, 201),
        LOOK,
        LOOK,
        LOOK,  # is the new one still there?
        ("DELETE", "record", False, 204),
        ("GET", "record", False, 410),
        ("GET", "version=-2", False, 200),
    ]
    assert sum(looks_elsewhere(change) for change in rig.ledger.plans.changes(plan.id)) == 2
    rig.close()
