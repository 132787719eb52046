"""Every operation against every answer that leaves doubt, written or not: once, or not at all."""

import itertools

import pytest

from bulkrunner.adapters.libris.http import NoAnswer
from bulkrunner.domain.manifest import Create, Creates
from bulkrunner.domain.run import Outcome
from bulkrunner.errors import Source
from tests.support.executing import Rig, appending, creating_holding, deleting, held
from tests.support.sandbox import running_sandbox

ISBNS = itertools.count(9786300000000)
WRITES = ("PUT", "POST", "DELETE")
US = "cataloguer"
PAGE = {"body": "<html>Ett fel har uppstått</html>"}

STATUSES = {
    "302": {"status": 302},
    "404": {"status": 404},
    "410": {"status": 410},
    "412": {"status": 412},
    "500": {"status": 500},
    "502": {"status": 502, **PAGE},
    "503": {"status": 503},
    "504": {"status": 504, **PAGE},
    "no JSON": {"status": 200, **PAGE},
    "half a JSON": {"status": 200, "body": '{"@gra', "content_type": "application/json"},
}
PAGES = (
    "200-html",
    "200-json",
    "201-other",
    "302-maintenance",
    "400-html",
    "401-empty",
    "401-html",
    "403-html",
    "404-other-code",
    "404-text",
    "410-html",
    "412-html",
    "429-html",
)
"""Of something in between, whatever it says and whether it passed the request on or not."""

ANSWERS = (*STATUSES, *PAGES, "reset", "time-out")


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(bibs=800, holdings=1600, index_lag_ms=0) as control:
        yield control


@pytest.fixture(scope="module")
def own(sandbox):
    holdings = (
        record
        for record in sandbox.staging.records("hold", "Ylm")
        if "hasComponent" not in sandbox.staging.document(record)["@graph"][1]
    )
    return iter(list(holdings))


@pytest.fixture(scope="module")
def bibs(sandbox):
    from bulkrunner.sandbox import seed

    return iter(seed.example_ids(kind="bib", without="Ylm", bibs=800, holdings=1600))


@pytest.fixture
def rig(sandbox, tmp_path):
    """A ledger of its own for each: a run looks at all that its ledger holds."""
    sandbox.staging.clear_faults()
    made = Rig(sandbox.staging, tmp_path, client=US)
    yield made
    made.close()
    sandbox.staging.clear_faults()


def new_bib():
    body = {
        "@type": "Instance",
        "hasTitle": [{"@type": "Title", "mainTitle": "En bok"}],
        "identifiedBy": [{"@type": "ISBN", "value": f"{next(ISBNS)}"}],
    }
    source = Source(file="ops.jsonl", line=1)
    return Create(source=source, creates=Creates.BIB, sigel="Ylm", of=None, body=body)


def lonely_bib(rig):
    """A bib that nothing links to; returns its short id."""
    before = set(rig.control.records("bib"))
    head = {"@id": "_:T", "@type": "Record", "mainEntity": {"@id": "_:T#it"}}
    thing = {"@id": "_:T#it", "@type": "Instance", "hasTitle": [{"@type": "Title"}]}
    assert rig.control.send("POST", "/data", {"@graph": [head, thing]}, client=US).status == 201
    (made,) = set(rig.control.records("bib")) - before
    return made


NOTE = {"@type": "Note", "label": "noted"}
OPERATIONS = {
    "update a holding": lambda rig, own, bibs: appending(next(own), "noted"),
    "update a bib": lambda rig, own, bibs: appending(next(bibs), NOTE, at="hasNote"),
    "delete a holding": lambda rig, own, bibs: deleting(next(own)),
    "delete a bib": lambda rig, own, bibs: deleting(lonely_bib(rig)),
    "create a holding": lambda rig, own, bibs: creating_holding(
        next(bibs), physicalLocation=["MAG"]
    ),
    "create a bib": lambda rig, own, bibs: new_bib(),
}


class _Lines:
    """A connection on which the first write times out: unsent, carried out, or still on its way."""

    def __init__(self, http, when):
        self._http = http
        self._when = when
        self._late = None

    def send(self, method, path, headers, content=None, **rest):
        if method not in WRITES:
            return self._http.send(method, path, headers, content, **rest)
        when, self._when = self._when, None
        if when == "after":
            self._http.send(method, path, headers, content, **rest)
        if when == "late":
            self._late = (method, path, headers, content)
        if when is not None:
            raise NoAnswer("the request took too long in all", sent=True)
        if self._late is not None:
            late, self._late = self._late, None
            self._http.send(*late)
        return self._http.send(method, path, headers, content, **rest)

    def close(self):
        self._http.close()


def strike(rig, answer, when):
    """Let the next write be answered so; returns the executor's parts."""
    catalogue = rig.catalogue()
    where = {"path": "^/[0-9a-z]{15,16}$|^/data", "times": 1}
    for method in WRITES:
        match answer:
            case "time-out":
                catalogue._http = _Lines(catalogue._http, when)
                break
            case "reset":
                rig.control.fault(f"close_{when}", method=method, **where)
            case _ if answer in PAGES:
                after = when == "after"
                rig.control.fault("proxy", method=method, page=answer, after=after, **where)
            case _:
                status = STATUSES.get(answer, {"status": 429})
                rig.control.fault("status", method=method, after=when == "after", **status, **where)
    return {"catalogue": catalogue, "gate": catalogue.write_gate}


def stored_by_us(rig):
    """Every version that our client wrote, as (record, whether it deleted)."""
    records = {record for entry in rig.control.writes() for record in entry["stored"]}
    return [
        (record, version["deleted"])
        for record in records
        for version in rig.control.history(record)
        if version["client"] == US
    ]


def versions_by_us(rig, record):
    return [v for v in rig.control.history(record) if v["client"] == US]


def carried_out(rig, operation, answer, when, own, bibs):
    """Run one change so struck; returns its result, and how many versions of ours it made."""
    plan = rig.plan(OPERATIONS[operation](rig, own, bibs))
    (change,) = rig.ledger.plans.changes(plan.id)
    before = len(versions_by_us(rig, change.record)) if change.action != "create" else 0
    (ended,) = rig.ended(rig.run(plan, **strike(rig, answer, when)))
    assert ended.result.outcome is not Outcome.PENDING
    return ended, len(stored_by_us(rig)) - before


def sends(rig):
    return len(rig.sent())


def expected_written(operation, answer):
    """Outcome and code where the server had carried the first request out."""
    match operation, answer:
        case "delete a holding" | "delete a bib", _:
            return Outcome.APPLIED, "author_unproven"
        case "create a holding", "404":
            return Outcome.REFUSED, "duplicate"  # 404 says that it was not stored
        case "create a bib", "404":
            return Outcome.FAILED, "not_stored"
        case _:
            return Outcome.APPLIED, ""


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_was_written_is_not_sent_again(rig, own, bibs, operation, answer):
    ended, made = carried_out(rig, operation, answer, "after", own, bibs)
    result = ended.result
    assert (result.outcome, result.code) == expected_written(operation, answer)
    assert (made, sends(rig), len(ended.attempts)) == (1, 1, 1)
    if operation == "create a holding" and result.outcome is Outcome.APPLIED:
        assert held(rig, ended.change.record) == [result.record]


def expected_not_written(operation, answer):
    """Outcome and code, and how many requests come, where the first one came to nothing."""
    if operation == "create a bib":
        if answer == "404":
            return Outcome.FAILED, "not_stored", 1
        return Outcome.UNKNOWN, "bib_create_unproven", 1
    return Outcome.APPLIED, "", 2


@pytest.mark.parametrize("answer", [*ANSWERS, "429"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_what_was_not_written_is_looked_at_and_sent_again(rig, own, bibs, operation, answer):
    ended, made = carried_out(rig, operation, answer, "before", own, bibs)
    outcome, code, tries = expected_not_written(operation, answer)
    assert (ended.result.outcome, ended.result.code) == (outcome, code)
    assert made == int(outcome is Outcome.APPLIED)
    assert len(ended.attempts) == tries


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_that_arrives_when_the_next_one_is_sent(rig, own, bibs, operation):
    ended, made = carried_out(rig, operation, "time-out", "late", own, bibs)
    if operation == "create a bib":
        # It is still on its way, so nothing is found; a second one would have made two.
        assert (ended.result.outcome, made, sends(rig)) == (Outcome.UNKNOWN, 0, 0)
        return
    assert ended.result.outcome is Outcome.APPLIED
    assert (made, sends(rig)) == (1, 2)


def test_a_refusal_that_is_cut_short_is_no_answer(rig, own):
    """Its status alone would have told, but nobody knows what belongs to it."""
    plan = rig.plan(appending(next(own), "noted"))
    rig.control.fault("foreign_edit", method="PUT", sigel="S", set={}, times=1)
    rig.control.fault("truncate", method="PUT", times=1)
    (ended,) = rig.ended(rig.run(plan))
    assert [attempt.answer for attempt in ended.attempts] == ["lost", "done"]
    assert ended.result.outcome is Outcome.APPLIED
