"""Answers that look like a proof, and documents that look like ours."""

from dataclasses import replace

import pytest

from bulkrunner.domain.catalogue import AnswerKind, WriteAnswer
from bulkrunner.domain.prediction import before_fingerprint
from bulkrunner.domain.run import Outcome
from tests.crashes.adversary.hooks import Hooked, hooked
from tests.support.executing import creating_holding, deleting, resaving, setting


def saying_saved(etag):
    """A PUT that is answered 204 and stores nothing."""

    def put(_real, record, _document, **sent):
        return WriteAnswer(
            kind=AnswerKind.DONE,
            environment="",
            record=record,
            status=204,
            etag=etag or sent["etag"],
        )

    return put


@pytest.fixture(params=["staging", "production"])
def either(request, rig, production):
    return rig if request.param == "staging" else production


def ended(rig, run):
    (one,) = rig.ended(run)
    return one.result.outcome, one.result.code


def test_the_etag_that_was_sent_proves_nothing(either, own):
    record = next(own)
    plan = either.plan(resaving(record))
    before = len(either.control.history(record))
    run = either.run(plan, **hooked(either, put=saying_saved(None)))
    assert ended(either, run) == (Outcome.REFUSED, "not_saved")
    assert len(either.control.history(record)) == before


def test_the_etag_of_a_document_that_was_not_stored_proves_nothing(either, own):
    plan = either.plan(setting(next(own), "Hy"))
    run = either.run(plan, **hooked(either, put=saying_saved("4711")))
    assert ended(either, run) == (Outcome.REFUSED, "not_saved")


def test_the_same_change_by_somebody_else_is_not_ours(rig, own):
    record = next(own)

    def put(_real, *args, **sent):
        rig.control.edit(record, sigel="S", set={"shelfMark.label": "Hy"})
        return saying_saved(None)(None, *args, **sent)

    run = rig.run(rig.plan(setting(record, "Hy")), **hooked(rig, put=put))
    assert ended(rig, run) == (Outcome.UNCHANGED, "done_by_other")


@pytest.mark.parametrize("kind", ["update", "delete", "create"])
def test_what_belongs_to_no_library_of_the_job_is_not_sent(rig, own, bibs, kind):
    """The very document about to be sent is looked at, whatever the planner thought of it."""
    operation = {
        "update": lambda: setting(next(own), "Hy"),
        "delete": lambda: deleting(next(own)),
        "create": lambda: creating_holding(next(bibs)),
    }[kind]()
    planned = rig.plan(operation)

    def plan(real, plan_id):
        found = real(plan_id)
        return replace(found, manifest={**found.manifest, "sigels": ["NO"]})

    run = rig.run(planned, ledger=Hooked(rig.ledger, **{"plans.get": plan}))
    assert ended(rig, run) == (Outcome.REFUSED, "foreign_sigel")
    assert rig.sent() == []


@pytest.mark.parametrize("holder", [{"@id": "https://libris.kb.se/library/S"}, {"@id": "#x"}])
def test_a_holding_with_a_part_of_anothers_is_not_deleted(rig, own, holder):
    """As it stands at the last look, also where the plan knew it so."""
    record = next(own)
    parts = [{"@type": "Item", "heldBy": holder}]
    planned = rig.plan(deleting(record))
    rig.control.edit(record, sigel="S", set={"hasComponent": parts})
    document = rig.control.document(record)

    def pending(real, *args, **kwargs):
        found = []
        for item in real(*args, **kwargs):
            change = replace(
                item.change, before=document, before_fingerprint=before_fingerprint(document)
            )
            found.append(replace(item, change=change))
        return found

    run = rig.run(planned, ledger=Hooked(rig.ledger, **{"runs.pending": pending}))
    assert ended(rig, run) == (Outcome.REFUSED, "foreign_sigel")
    assert rig.sent() == []
