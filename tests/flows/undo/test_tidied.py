"""Records that the server tidied or linked when a run saved them, taken back in production.

Their changes are proven by a 304, so the ledger holds no content of what was stored.
"""

import contextlib
import copy

import pytest

from bulkrunner.adapters.ledger import open_ledger
from bulkrunner.domain.run import Outcome
from tests.flows.undo.test_undo import content, outcomes, through, undone
from tests.support.cli import update_label
from tests.support.ledgers import SetClock, ledger_url
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox

SWEDISH = {"@id": "https://id.kb.se/language/swe"}
BLANK = {"@type": "Language", "code": "swe"}

LINKED = {
    "a language": ({"associatedLanguage": BLANK}, {"associatedLanguage": SWEDISH}),
    "languages in a list": (
        {"associatedLanguage": [BLANK, {"@type": "Language", "label": "Latin at home"}]},
        {"associatedLanguage": [SWEDISH, {"@type": "Language", "label": "Latin at home"}]},
    ),
    "a country": (
        {"publication": [{"@type": "Publication", "country": {"@type": "Country", "code": "sw"}}]},
        {
            "publication": [
                {"@type": "Publication", "country": {"@id": "https://id.kb.se/country/sw"}}
            ]
        },
    ),
    "a node with an id": (
        {"subject": [{"@id": "https://id.kb.se/language/swe", "@type": "Language", "code": "x"}]},
        {"subject": [SWEDISH]},
    ),
}
"""What stands there since before the server tidied it, and what it is after any save."""

TIDIED = {
    "not composed": (
        {"hasNote": [{"@type": "Note", "label": "a\u030a"}]},
        {"hasNote": [{"@type": "Note", "label": "\u00e5"}]},
    ),
    "blanks at the ends": (
        {"hasNote": [{"@type": "Note", "label": "  x "}]},
        {"hasNote": [{"@type": "Note", "label": "x"}]},
    ),
    "nulls": (
        {"copyNumber": None, "hasNote": [{"@type": "Note", "label": "x"}, None]},
        {"hasNote": [{"@type": "Note", "label": "x"}]},
    ),
}

KINDS = {**LINKED, **TIDIED}


@pytest.fixture(scope="module")
def sandbox():
    with running_sandbox(bibs=3 * BIBS, holdings=3 * HOLDINGS) as control:
        yield control


@pytest.fixture(scope="module")
def each_own(own):
    return iter(own)


@pytest.fixture
def ids(each_own):
    """Four holdings of the test's own: the first is read back, the last is proven by 304."""
    return [next(each_own) for _ in range(4)]


def keep_raw(sandbox, record, fields):
    """Store what the server would tidy, as it was stored before it did."""
    for served in (sandbox.running.test, sandbox.running.production):
        environment = served.environment
        document = copy.deepcopy(environment.catalogue.entry(record).document())
        for key in ("associatedLanguage", "hasNote"):
            document["@graph"][1].pop(key, None)
        document["@graph"][1].update(copy.deepcopy(fields))
        environment.catalogue.put(
            record, document, now=environment.clock.now(), deleted=False, sigel="Ylm", client="old"
        )


def stored_results(place, run):
    with contextlib.closing(open_ledger(ledger_url(place.ledger), clock=SetClock())) as ledger:
        return {one.change.record: one.result for one in ledger.runs.ended(run)}


def everything_back(place, run, name="back"):
    """Take a run back the whole road; returns the production run of the undo."""
    back = undone(place, run, name)
    planned = place("plan", back, "--env", "staging").document
    assert planned["counts"]["refused"] == 0, planned["findings"]
    place("run", back, "--env", "staging")
    planned = place("plan", back, "--env", "production").document
    assert planned["counts"]["refused"] == 0, planned["findings"]
    place("approve", planned["plan"], "--by", "Karin Ek", "--reference", "KB 2")
    return place("run", back, "--env", "production")


@pytest.mark.parametrize("kind", KINDS)
def test_what_nobody_edited_is_taken_back(place, ids, kind):
    fields, after = KINDS[kind]
    record, production = ids[-1], place.sandbox.production
    keep_raw(place.sandbox, record, fields)
    before = production.document(record)
    job = place.job("tidied", operations=update_label(ids, to="Hx"))
    _, run = through(place, job)
    result = stored_results(place, run)[record]
    assert (result.outcome, result.stored, result.stored_modified) == (Outcome.APPLIED, None, None)
    assert place("verify", run).document["differences"] == []

    done = everything_back(place, run)
    assert outcomes(done) == {"applied": 4}
    assert place("verify", done.document["run"]).document["differences"] == []
    wanted = content(before)
    for key in fields:
        wanted[1].pop(key)
    wanted[1].update(after)
    assert content(production.document(record)) == wanted


def plan_back(place, run, name="back"):
    return place("plan", undone(place, run, name), "--env", "production").document


def linked_run(place, ids):
    """Run a job in production; of the last record the server links a language by itself."""
    keep_raw(place.sandbox, ids[-1], {"associatedLanguage": BLANK})
    _, run = through(place, place.job("linked", operations=update_label(ids, to="Hx")))
    assert place.sandbox.production.document(ids[-1])["@graph"][1]["associatedLanguage"] == SWEDISH
    return run


def test_saved_again_without_a_change_is_as_the_run_left_it(place, ids):
    run, record, production = linked_run(place, ids), ids[-1], place.sandbox.production
    for sigel in ("S", "Ylm", "S"):
        production.edit(record, sigel=sigel, set={})
    assert place("verify", run).document["differences"] == []
    assert plan_back(place, run)["counts"]["update"] == 4


def test_edited_and_edited_back_is_as_the_run_left_it(place, ids):
    run, record, production = linked_run(place, ids), ids[-1], place.sandbox.production
    left = production.document(record)
    production.edit(record, sigel="S", set={"shelfControlNumber": "7"})
    production.edit(record, sigel="S", doc=left)
    assert place("verify", run).document["differences"] == []
    assert plan_back(place, run)["counts"]["update"] == 4


def test_deleted_and_brought_back_as_it_was_is_as_the_run_left_it(place, ids):
    run, record, production = linked_run(place, ids), ids[-1], place.sandbox.production
    left = production.document(record)
    production.edit(record, sigel="S", delete=True)
    production.revive(record, left)
    assert plan_back(place, run)["counts"]["update"] == 4


@pytest.mark.parametrize(
    "edit",
    [
        {"associatedLanguage": {"@id": "https://id.kb.se/language/eng"}},
        {"shelfMark.label": "Hy"},
        {"shelfControlNumber": "7"},
    ],
    ids=lambda edit: next(iter(edit)),
)
def test_what_somebody_edited_is_not_overwritten(place, ids, edit):
    """Also where he edited the very place that the server had tidied."""
    run, record, production = linked_run(place, ids), ids[-1], place.sandbox.production
    production.edit(record, sigel="S", set=edit)
    production.edit(record, sigel="S", set={})
    (different,) = place("verify", run, expect=5).document["differences"]
    assert (different["record"], different["code"]) == (record, "edited")
    planned = plan_back(place, run)
    assert planned["counts"]["update"] == 3
    (found,) = planned["findings"]
    assert (found["record"], found["code"]) == (record, "changed_since")
    assert "edited by S at" in found["message"]


def test_what_a_later_run_of_the_ledger_changed_is_told_as_its_own(place, ids):
    run, record = linked_run(place, ids), ids[-1]
    later = place.job("later", operations=[*update_label([record], to="Hz"), {"delete": ids[0]}])
    _, second = through(place, later)
    planned = plan_back(place, run)
    assert planned["counts"]["update"] == 2
    told = {found["record"]: found["message"] for found in planned["findings"]}
    assert f"by run {second} of job later" in told[record]
    # Taken back itself, it leaves what the first run left.
    everything_back(place, second, "later-back")
    planned = plan_back(place, run, "again")
    assert (planned["counts"]["update"], planned["counts"]["refused"]) == (3, 0)


def test_another_name_that_the_server_replaced_by_the_main_one(place, ids):
    production, record = place.sandbox.production, ids[-1]
    bibs = production.records("bib")
    bib = next(one for one in bibs if "sameAs" in production.document(one)["@graph"][1])
    alias = production.document(bib)["@graph"][1]["sameAs"][0]
    keep_raw(place.sandbox, record, {"subject": [alias]})
    label = production.document(record)["@graph"][1]["shelfMark"]["label"]
    _, run = through(place, place.job("alias", operations=update_label(ids, to="Hx")))
    main = {"@id": production.thing_iri(bib)}
    assert production.document(record)["@graph"][1]["subject"] == [main]
    done = everything_back(place, run)
    assert outcomes(done) == {"applied": 4}
    thing = production.document(record)["@graph"][1]
    assert (thing["subject"], thing["shelfMark"]["label"]) == ([main], label)


def test_where_the_job_changed_a_list_that_the_server_tidied(place, ids):
    """What the job added goes, what the server linked stays linked: it would link it again."""
    record, production = ids[-1], place.sandbox.production
    for one in ids:
        language = BLANK if one == record else SWEDISH
        keep_raw(place.sandbox, one, {"associatedLanguage": [language]})
    german = {"@id": "https://id.kb.se/language/ger"}
    changes = [{"append": {"at": "associatedLanguage", "value": german}}]
    job = place.job("list", operations=[{"update": one, "changes": changes} for one in ids])
    _, run = through(place, job)
    assert production.document(record)["@graph"][1]["associatedLanguage"] == [SWEDISH, german]
    done = everything_back(place, run)
    assert outcomes(done) == {"applied": 4}
    assert production.document(record)["@graph"][1]["associatedLanguage"] == [SWEDISH]


def test_a_run_that_left_nothing_but_what_the_server_tidied(place, ids):
    record = ids[-1]
    keep_raw(place.sandbox, record, {"associatedLanguage": BLANK})
    _, run = through(place, place.job("resaved", operations=[{"update": record, "resave": True}]))
    planned = plan_back(place, run)
    assert planned["counts"]["unchanged"] == 1
    report = place("report", planned["plan"], "--format", "json", "--out", place.folder / "r.json")
    text = (place.folder / "r.json").read_text(encoding="utf-8")
    assert report.exit_code == 0
    assert "what the server tidies by itself, and would tidy again" in text
