"""What stands between answers in the catalogue's place: nothing is believed, nothing is lost."""

from __future__ import annotations

import pytest

from bulkrunner.domain.plan import PlanState
from bulkrunner.domain.run import Outcome, RunState
from bulkrunner.errors import CatalogueUnreachable, Interrupted
from bulkrunner.services.running.executor import Executor
from tests.support.executing import (
    Rig,
    after_it,
    creating_bib,
    creating_holding,
    deleting,
    held,
    setting,
)

PAGES = ("404-html", "404-text", "404-json", "404-other-code", "410-html", "302-maintenance")
MORE_PAGES = ("200-html", "200-json", "200-gzip", "301-itself", "404-empty", "410-json")

CHANGES = {
    "update": lambda own, bibs: setting(next(own), "He"),
    "delete": lambda own, bibs: deleting(next(own)),
    "create": lambda own, bibs: creating_holding(next(bibs), physicalLocation=["MAG"]),
}


@pytest.fixture
def level2(sandbox, tmp_path):
    sandbox.staging.clear_faults()
    rig = Rig(sandbox.staging, tmp_path, client="cataloguer")
    yield rig
    sandbox.staging.clear_faults()
    rig.close()


def interrupted(rig, plan, **changes):
    """Run a plan that does not come to its end; returns the run and what ended it."""
    executor = Executor(rig.parts(**changes))
    run = executor.start(plan, f"r-{plan.id}").id
    with pytest.raises(Interrupted) as caught:
        executor.run(run)
    assert caught.value.exit_code == 6
    assert rig.ledger.runs.get(run).state is RunState.INTERRUPTED
    return run, caught.value


def resumed(rig, run):
    rig.control.clear_faults()
    assert rig.resume(run).state is RunState.COMPLETED
    return [ended.result for ended in rig.ended(run)]


def pending(rig, run):
    return rig.ledger.runs.outcomes(run)["pending"]


# While planning


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES])
def test_a_plan_is_interrupted_and_leaves_no_record_out(rig, own, page):
    records = [next(own) for _ in range(3)]
    request = rig.request(*(setting(record, "He") for record in records))
    rig.control.fault("proxy", method="GET", path=records[1], page=page)
    with pytest.raises(CatalogueUnreachable) as caught:
        rig.planner().make(request, f"p-{page}-{records[0]}")
    assert caught.value.code == "catalogue_unreachable"
    plan = rig.ledger.plans.get(f"p-{page}-{records[0]}")
    assert plan.state is PlanState.INTERRUPTED
    rig.control.clear_faults()
    done = rig.planner().resume(plan, request)
    assert done.counts["update"] == 3
    assert done.counts["not_found"] == done.counts["refused"] == 0


@pytest.mark.parametrize("page", PAGES)
def test_pages_that_pass_leave_no_trace_in_a_plan(rig, own, page):
    rig.control.fault("proxy", method="GET", every=2, page=page)
    plan = rig.plan(*(setting(next(own), "He") for _ in range(3)))
    assert plan.counts["update"] == 3


@pytest.mark.parametrize("path", ["/_findhold", "/https://libris.kb.se/library/"])
def test_a_look_up_that_something_else_answers_interrupts_the_plan(rig, bibs, path):
    bib = next(bibs)
    request = rig.request(creating_holding(bib))
    rig.control.fault("proxy", method="GET", path=path, page="400-html")
    with pytest.raises(CatalogueUnreachable):
        rig.planner().make(request, f"p-{bib}")


# While running


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("change", CHANGES)
def test_pages_before_the_first_send(rig, own, bibs, change, page):
    plan = rig.plan(CHANGES[change](own, bibs))
    rig.control.fault("proxy", method="GET", page=page)
    run, error = interrupted(rig, plan)
    assert "something else answered in the catalogue's place" in error.message
    assert (pending(rig, run), rig.sent()) == (1, [])
    (result,) = resumed(rig, run)
    assert (result.outcome, result.code) == (Outcome.APPLIED, "")
    assert len(rig.sent()) == 1


@pytest.mark.parametrize("page", [*PAGES, *MORE_PAGES])
@pytest.mark.parametrize("change", CHANGES)
def test_pages_while_what_was_stored_is_read_back(rig, own, bibs, change, page):
    """A write that was answered well is no conflict because a later read failed."""
    plan = rig.plan(CHANGES[change](own, bibs))
    catalogue = rig.catalogue()
    fault = {"method": "GET", "page": page}

    class Blocked:
        """From the first write on, something else answers."""

        def __getattr__(self, name):
            real = getattr(catalogue, name)
            if name not in ("put", "post", "delete"):
                return real

            def write(*args, **kwargs):
                answer = real(*args, **kwargs)
                rig.control.fault("proxy", **fault)
                return answer

            return write

    run, _ = interrupted(rig, plan, catalogue=Blocked(), gate=catalogue.write_gate)
    assert (pending(rig, run), len(rig.sent())) == (1, 1)
    (result,) = resumed(rig, run)
    assert (result.outcome, result.code) == (Outcome.APPLIED, "")
    assert len(rig.sent()) == 1


@pytest.mark.parametrize("change", ["update", "delete"])
def test_pages_while_the_history_is_read(rig, own, bibs, change):
    plan = rig.plan(CHANGES[change](own, bibs))
    rig.control.fault("close_after", method="PUT" if change == "update" else "DELETE", times=1)
    rig.control.fault("proxy", method="GET", path="version=", page="404-text")
    run, _ = interrupted(rig, plan)
    assert pending(rig, run) == 1
    (result,) = resumed(rig, run)
    assert result.outcome is Outcome.APPLIED
    assert result.code == ("" if change == "update" else "author_unproven")
    assert len(rig.sent()) == 1


def test_pages_while_a_new_bib_is_searched_for(level2):
    before = set(level2.control.records("bib"))
    plan = level2.plan(creating_bib("En bok", identifiedBy=[{"@type": "ISBN", "value": "9" * 13}]))
    level2.control.fault("close_after", method="POST", path="/data")
    level2.control.fault("proxy", method="GET", path="^/find", page="404-html")
    run, _ = interrupted(level2, plan)
    assert pending(level2, run) == 1
    level2.control.refresh()
    (result,) = resumed(level2, run)
    assert {result.record} == set(level2.control.records("bib")) - before
    assert len(level2.sent()) == 1


def test_pages_at_the_next_resume(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    run = rig.run_until_killed(plan, catalogue={"put": after_it})
    rig.control.fault("proxy", method="GET", page="410-html")
    with pytest.raises(CatalogueUnreachable):
        rig.resume(run)
    assert pending(rig, run) == 1
    (result,) = resumed(rig, run)
    assert (result.outcome, len(rig.sent())) == (Outcome.APPLIED, 1)


@pytest.mark.parametrize(
    "page", ["404-html", "403-html", "401-html", "302-maintenance", "200-json", "502-html"]
)
@pytest.mark.parametrize("change", CHANGES)
def test_writes_that_never_get_through_are_left_pending(rig, own, bibs, change, page):
    """Something lets reads pass and no writes; a send is left for when the way is free."""
    plan = rig.plan(CHANGES[change](own, bibs))
    for method in ("PUT", "POST", "DELETE"):
        rig.control.fault("proxy", method=method, path="^/[0-9a-z]{15,16}$|^/data$", page=page)
    run, error = interrupted(rig, plan)
    assert page[:3] in error.message
    assert (pending(rig, run), len(rig.sent())) == (1, 2)
    (result,) = resumed(rig, run)
    assert (result.outcome, len(rig.sent())) == (Outcome.APPLIED, 3)


def test_a_change_is_sent_three_times_at_most_whatever_answers(rig, own):
    plan = rig.plan(setting(next(own), "He"))
    rig.control.fault("proxy", method="PUT", page="403-html")
    run, _ = interrupted(rig, plan)
    with pytest.raises(CatalogueUnreachable):
        rig.resume(run)
    assert rig.resume(run).state is RunState.COMPLETED
    (ended,) = rig.ended(run)
    assert (ended.result.outcome, ended.result.code) == (Outcome.FAILED, "unreadable")
    assert len(rig.sent()) == 3


# What a write is answered


@pytest.mark.parametrize("page", ["429-html", "401-html", "401-json", "401-empty", "403-html"])
def test_no_bib_is_sent_twice_because_something_in_between_refused_it(level2, page):
    before = len(level2.control.records("bib"))
    plan = level2.plan(creating_bib("En bok utan nummer"))
    level2.control.fault("proxy", method="POST", path="/data", page=page, after=True)
    (ended,) = level2.ended(level2.run(plan))
    assert (ended.result.outcome, ended.result.code) == (Outcome.UNKNOWN, "bib_create_unproven")
    assert len(level2.control.records("bib")) == before + 1
    assert len(level2.sent()) == 1


@pytest.mark.parametrize("when", ["carried out", "not carried out"])
def test_a_201_that_names_somebody_elses_holding(rig, bibs, when):
    bib = next(bibs)
    other = rig.control.records("hold", "S")[0]
    plan = rig.plan(creating_holding(bib, physicalLocation=["MAG"]))
    iri = rig.control.record_iri(other)
    rig.control.fault(
        "status",
        method="POST",
        path="/data",
        status=201,
        body="",
        location=iri,
        after=when == "carried out",
        times=1,
    )
    (ended,) = rig.ended(rig.run(plan))
    assert ended.result.outcome is Outcome.APPLIED
    assert held(rig, bib) == [ended.result.record]
    assert ended.result.record != other
    assert len(rig.sent()) == (1 if when == "carried out" else 2)


@pytest.mark.parametrize("location", ["another bib", "no record", "a deleted record"])
def test_a_201_that_names_another_bib_is_no_proof(level2, location):
    title = [{"@type": "Title", "mainTitle": "En helt annan bok"}]
    other = level2.made_bib()
    if location == "no record":
        other = "0" * 16
    if location == "a deleted record":
        level2.control.edit(other, delete=True)
    plan = level2.plan(creating_bib("En bok", hasTitle=title))
    level2.control.fault(
        "status",
        method="POST",
        path="/data",
        status=201,
        body="",
        location=level2.control.record_iri(other),
    )
    (ended,) = level2.ended(level2.run(plan))
    assert (ended.result.outcome, ended.result.record) == (Outcome.UNKNOWN, None)
    assert len(level2.sent()) == 1


def test_a_201_whose_location_has_another_host_names_its_bib(level2):
    before = set(level2.control.records("bib"))
    plan = level2.plan(creating_bib("En bok"))
    catalogue = level2.catalogue()
    real = catalogue._http.send

    def send(method, path, *args, **kwargs):
        reply = real(method, path, *args, **kwargs)
        if method == "POST":
            location = reply.headers["location"]
            reply.headers["location"] = "https://inside.example/" + location.rpartition("/")[2]
        return reply

    catalogue._http.send = send
    (ended,) = level2.ended(level2.run(plan, catalogue=catalogue, gate=catalogue.write_gate))
    assert ended.result.outcome is Outcome.APPLIED
    assert {ended.result.record} == set(level2.control.records("bib")) - before


@pytest.mark.parametrize("status", [404, 302])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_record_that_is_elsewhere_after_our_write_is_unknown(rig, own, method, status):
    """Whether it was carried out cannot be read back; that it was not is not said either."""
    record, other = next(own), next(own)
    plan = rig.plan(setting(record, "He") if method == "PUT" else deleting(record))
    forced = {"location": rig.control.record_iri(other), "body": ""} if status == 302 else {}
    reads = list(range(2, 20))
    rig.control.fault("status", method="GET", path=record, status=status, nth=reads, **forced)
    (ended,) = rig.ended(rig.run(plan))
    assert rig.sent() == [(method, 204)]
    assert (ended.result.outcome, ended.result.code) == (Outcome.UNKNOWN, "history_unread")
    assert ended.result.detail == {"found": "missing" if status == 404 else "moved"}


# The login


def test_a_login_that_fails_does_not_burn_the_sends(rig, own):
    """While it fails every write gets a 500 without a word; the login is asked before the next."""
    plan = rig.plan(*(setting(next(own), "He") for _ in range(6)))
    rig.control.fault("login_down", status=500, path="^/oauth/|^/[0-9a-z]{15,16}$", times=60)
    run = rig.run(plan)
    results = [ended.result for ended in rig.ended(run)]
    assert {result.outcome for result in results} == {Outcome.APPLIED}
    assert all(len(ended.attempts) <= 2 for ended in rig.ended(run))


def test_a_login_that_goes_on_failing_is_told_and_leaves_the_rest_pending(rig, own):
    plan = rig.plan(*(setting(next(own), "He") for _ in range(6)))
    told = []

    class Telling:
        def __getattr__(self, name):
            return lambda *args, **kwargs: told.append(args) if name == "waiting" else None

    catalogue = rig.catalogue()
    catalogue.rights()
    rig.control.fault("login_down", status=500)
    run, error = interrupted(
        rig, plan, catalogue=catalogue, gate=catalogue.write_gate, progress=Telling(), patience=10.0
    )
    assert error.code == "login_stays_down"
    assert any("the login does not answer" in args[0] for args in told)
    assert pending(rig, run) == 6
    assert all(len(ended.attempts) <= 1 for ended in rig.ended(run))
    results = resumed(rig, run)
    assert {result.outcome for result in results} == {Outcome.APPLIED}


# Afterwards


def test_verify_lists_nothing_that_is_not_so(rig, own):
    run = rig.run(rig.plan(setting(next(own), "He"), deleting(next(own))))
    for page in (*PAGES, *MORE_PAGES):
        rig.control.fault("proxy", method="GET", page=page)
        with pytest.raises(CatalogueUnreachable):
            rig.verify(run)
        rig.control.clear_faults()
        rig.control.fault("proxy", method="GET", page=page, every=2)
        assert rig.verify(run).differences == [], page
        rig.control.clear_faults()
