"""The judge of the soak sees what is wrong: each fault is made on purpose, and must be named."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.domain.run import Outcome
from bulkrunner.sandbox import seed
from tests.crashes.adversary import judging
from tests.crashes.adversary.judging import Judge, content
from tests.crashes.adversary.taking_back import UndoJudge
from tests.crashes.adversary.truth import Truth
from tests.crashes.adversary.workload import NOTE, Task
from tests.support.cli import Workplace
from tests.support.sandbox import running_sandbox

SIZE = {"bibs": 200, "holdings": 800}
US = "cataloguer"
ISBNS = itertools.count(9786500000000)


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(**SIZE) as control:
        yield control


@pytest.fixture(scope="module")
def own():
    found = seed.example_ids(kind="holding", sigel="Ylm", shelf_mark="Hc", **SIZE)
    return iter(found)


@pytest.fixture(scope="module")
def bibs():
    return iter(seed.example_ids(kind="bib", without="Ylm", **SIZE))


def noting(record):
    changes = [{"append": {"at": "cataloguersNote", "value": NOTE}}]
    return Task(how="note", record=record, operation={"update": record, "changes": changes})


def deleting(record):
    return Task(how="delete", record=record, operation={"delete": record})


def creating(bib):
    body = {"physicalLocation": ["MAG"]}
    operation = {"create": "holding", "of": bib, "sigel": "Ylm", "body": body}
    return Task(how="create", record=bib, sigel="Ylm", operation=operation)


def creating_bib():
    isbn = f"{next(ISBNS)}"
    body = {
        "@type": "Instance",
        "hasTitle": [{"@type": "Title", "mainTitle": "En bok"}],
        "identifiedBy": [{"@type": "ISBN", "value": isbn}],
    }
    operation = {"create": "bib", "sigel": "Ylm", "body": body}
    return Task(how="create bib", record=isbn, sigel="Ylm", operation=operation)


class Case:
    """A job that was planned; what happens then is up to the test."""

    def __init__(self, sandbox, folder, *tasks):
        self.staging = sandbox.staging
        self.truth = Truth(sandbox.running.test.environment, us=US)
        self.tasks = list(tasks)
        self.place = Workplace(folder=folder, sandbox=sandbox, client=US)
        covers = {"agreement": {"reference": "KB 1", "covers": ["holdings", "bibs"]}}
        self.job = self.place.job("judged", operations=[t.operation for t in tasks], **covers)
        self.place("plan", self.job, "--env", "staging")
        self.truth.begin([task.record for task in tasks if task.action != "create"])
        self.staging.clear_log()

    def run(self, expect=0):
        self.place("run", self.job, "--env", "staging", expect=expect)
        return self

    def ended(self):
        ledger = open_ledger(self.place.ledger_url, clock=SystemClock())
        try:
            return list(ledger.runs.ended(ledger.runs.all()[0].id))
        finally:
            ledger.close()

    def judge(self, ended=None):
        judge = Judge(self.truth, self.tasks)
        judge.judge(self.ended() if ended is None else ended)
        return judge

    def kinds(self, ended=None):
        return {violation.kind for violation in self.judge(ended).violations}

    def put(self, record, document):
        etag = self.staging.history(record)[-1]["etag"]
        headers = {"If-Match": f'"{etag}"'}
        answer = self.staging.send("PUT", f"/{record}", document, client=US, headers=headers)
        assert answer.status == 204, answer


def as_if(one, **values):
    return replace(one, result=replace(one.result, **values))


@pytest.fixture
def case(sandbox, tmp_path):
    return lambda *tasks: Case(sandbox, tmp_path / "place", *tasks)


def test_a_good_run(case, own, bibs):
    good = case(noting(next(own)), deleting(next(own)), creating(next(bibs)), creating_bib())
    assert good.run().kinds() == set()
    assert good.judge().outcomes["update holding", "applied", ""] == 1


def test_no_outcome(case, own):
    ended = case(noting(next(own))).run()
    (one,) = ended.ended()
    pending = as_if(one, outcome=Outcome.PENDING, decided_at=None)
    assert judging.LOST in ended.kinds([pending])
    assert ended.kinds([]) >= {judging.LOST, judging.DIFFERS}


def test_applied_without_a_version(case, own, bibs):
    tasks = [noting(next(own)), deleting(next(own)), creating(next(bibs)), creating_bib()]
    other = case(*tasks)
    other.place("run", other.job, "--env", "staging", "--limit", "1", expect=6)
    applied = other.ended()[0].result
    claimed = [replace(one, result=applied) for one in other.ended()]
    lost = [v for v in other.judge(claimed).violations if v.kind == judging.LOST]
    assert {violation.about.partition(",")[0] for violation in lost} == {
        "change 2",
        "change 3",
        "change 4",
    }


def test_written_but_not_applied(case, own, bibs):
    other = case(noting(next(own)), deleting(next(own)), creating(next(bibs)), creating_bib()).run()
    denied = [as_if(one, outcome=Outcome.CONFLICT) for one in other.ended()]
    differs = [v for v in other.judge(denied).violations if v.kind == judging.DIFFERS]
    assert len(differs) == 4


def test_written_twice(case, own):
    record = next(own)
    other = case(noting(record)).run()
    other.put(record, other.staging.document(record))
    assert other.kinds() >= {judging.TWICE, judging.DIFFERS}


def test_a_put_over_an_edit(case, own):
    task = noting(next(own))
    other = case(task)
    before = other.staging.document(task.record)
    other.staging.edit(task.record, sigel="S")
    other.put(task.record, task.wanted(before))
    other.run(expect=None)
    assert judging.OVERWRITTEN in other.kinds()


def test_another_content_than_planned(case, own):
    task = noting(next(own))
    other = case(task)
    other.put(task.record, other.staging.document(task.record))
    other.run(expect=None)
    assert judging.DIFFERS in other.kinds()


def test_an_edit_under_a_delete_that_is_not_told(case, own):
    record = next(own)
    other = case(deleting(record))
    other.staging.fault("foreign_edit", method="DELETE", times=1, sigel="S")
    (one,) = other.run().ended()
    assert other.kinds() == set()
    assert other.judge().figures["of these reported with their content"] == 1
    for silent in (
        as_if(one, detail={}),
        as_if(one, stored=None),
        as_if(one, stored=other.truth.start(record)),
    ):
        assert other.kinds([silent]) == {judging.UNREPORTED}


def test_a_record_made_twice(case, own):
    task = creating_bib()
    other = case(task).run()
    (one,) = other.ended()
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
    thing = {"@id": "_:T#it", **task.operation["body"]}
    other.staging.send("POST", "/data", {"@graph": [head, thing]}, client=US)
    assert judging.DUPLICATES in other.kinds([one])


def test_a_holding_beside_ours(case, bibs, sandbox):
    task = creating(next(bibs))
    other = case(task).run()
    twin = other.staging.document(other.ended()[0].result.record)
    environment = sandbox.running.test.environment
    writer = environment.editor._writing
    with environment.lock:
        from bulkrunner.sandbox.accounts import Writer
        from bulkrunner.sandbox.own_paths import _SOMEBODY

        twin["@graph"][0]["@id"] = "_:T"
        twin["@graph"][0]["mainEntity"] = {"@id": "_:T#it"}
        twin["@graph"][1]["@id"] = "_:T#it"
        writer.create_as(Writer(client=_SOMEBODY, active_sigel="S"), twin)
    assert other.kinds() == {judging.DUPLICATES}


def test_a_write_that_belongs_to_no_change(case, own):
    other = case(noting(next(own))).run()
    stranger = next(own)
    other.put(stranger, other.staging.document(stranger))
    assert other.kinds() == {judging.DIFFERS}


def test_more_sends_than_may_be(case, own):
    other = case(noting(next(own))).run()
    (one,) = other.ended()
    many = replace(one, attempts=one.attempts * 4)
    assert judging.OTHER in other.kinds([many])
    assert judging.DIFFERS in other.kinds([replace(one, attempts=())])


def test_a_send_after_the_end(case, own):
    other = case(noting(next(own))).run()
    (one,) = other.ended()
    early = as_if(one, decided_at=one.attempts[0].intent_at.replace(year=2020))
    assert other.kinds([early]) == {judging.OTHER}


def test_a_revived_record_that_verify_does_not_tell(case, own):
    task = noting(next(own))
    other = case(task)
    before = other.staging.document(task.record)
    modifier = before["@graph"][0]["descriptionLastModifier"]["@id"].rpartition("/")[2]
    other.staging.fault(
        "foreign_edit", method="PUT", times=1, sigel=modifier.replace("+", " "), delete=True
    )
    judge = other.run().judge()
    assert judge.revived == {task.record}
    assert judge.violations == []
    judge.hear([])
    assert {violation.kind for violation in judge.violations} == {judging.UNREPORTED}
    run = other.place("status").document["runs"][0]["run"]
    told = other.judge()
    told.hear(other.place("verify", run, expect=5).document["differences"])
    assert told.violations == []


def test_verify_that_tells_of_edits_which_nobody_made(case, own):
    task = noting(next(own))
    judge = case(task).run().judge()
    judge.hear([{"record": task.record, "code": "edited"}])
    assert [violation.kind for violation in judge.violations] == [judging.OTHER]


def test_contents_are_compared_without_order_and_without_the_servers_fields():
    def document(notes, modified):
        return {"@graph": [{"@id": "x", "modified": modified}, {"cataloguersNote": notes}]}

    assert content(document(["a", "b"], 1)) == content(document(["b", "a"], 2))
    assert content(document(["a", "b"], 1)) != content(document(["a"], 1))


# --- taking back ---------------------------------------------------------------------------------


def taken_back(case):
    """Undo the case's run; returns what a judge is made of."""
    run = case.place("status").document["runs"][0]["run"]
    folder = case.place.folder / "jobs" / "back"
    done = case.ended()
    case.place("undo", run, "--out", folder)
    plan = case.place("plan", folder, "--env", "staging").document["plan"]
    case.place("run", folder, "--env", "staging")
    ledger = open_ledger(case.place.ledger_url, clock=SystemClock())
    try:
        undoing = list(ledger.plans.changes(plan))
        ended = {one.change.number: one for one in case.ended()}
    finally:
        ledger.close()
    return {"done": done, "undoing": undoing, "ended": ended}


def undo_faults(case, parts):
    judge = UndoJudge(truth=case.truth, tasks=case.tasks, **parts)
    judge.judge()
    return len(judge.violations), judge.figures["brought back"]


def test_taking_back(case, own, bibs):
    updated, deleted = next(own), next(own)
    other = case(noting(updated), deleting(deleted), creating(next(bibs)), creating_bib()).run()
    made = [one.result.record for one in other.ended()[2:]]
    before = {record: other.staging.document(record) for record in made}
    parts = taken_back(other)
    assert undo_faults(other, parts) == (0, 4)
    assert undo_faults(other, {**parts, "undoing": []}) == (4, 0)
    other.staging.edit(updated, sigel="S")
    (again,) = [
        one.result.record for one in parts["ended"].values() if one.change.action == "create"
    ]
    other.staging.edit(again, sigel="S")
    for record in made:
        before[record]["@graph"][0]["recordStatus"] = "marc:CorrectedOrRevised"
        other.put(record, before[record])
    assert undo_faults(other, parts) == (4, 4)
