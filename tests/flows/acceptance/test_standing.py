"""A standing approval: what later plans may do by it, and everything that closes the gate again."""

import json

import pytest

from tests.support.nights import Calendar, Nights


@pytest.fixture
def calendar(monkeypatch):
    return Calendar(monkeypatch)


@pytest.fixture
def nights(place, own, calendar):
    return Nights(place, calendar, own)


def test_a_later_night_runs_by_it_and_says_so(nights, place):
    first = nights.approved()
    nights.run()
    nights.calendar.on(days=1)
    nights.planned(2)
    done = nights.run().document
    assert done["outcomes"]["applied"] == 2
    reason = next(g["reason"] for g in done["gates"] if g["name"] == "approval")
    assert reason.startswith("standing approval by Karin Ek (KB 1)")
    assert "at most 6 changes in all" in reason
    assert place("ledger", "check").document["faults"] == []
    assert first != done["plan"]


def test_the_single_yes_alone_allows_no_later_plan(nights, place):
    plan = nights.planned()
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 1")
    nights.run()
    nights.planned()
    nights.closed("nobody has approved this plan")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"recurring": "raised"}, "the rule digest of the manifest differs"),
        ({"purpose": "Another purpose"}, "the rule digest of the manifest differs"),
        ({"policy": {"plan_max_age_hours": 100}}, "the rule digest of the manifest differs"),
    ],
    ids=["bounds raised", "purpose", "policy"],
)
def test_another_rule_is_another_yes(nights, change, said):
    nights.approved()
    if change.get("recurring"):
        raised = {"per_run": {"update": 9}, "per_day": 90}
        change = {"recurring": {"until": nights.first_until, "at_most": raised}}
    nights.planned(2, **change)
    nights.closed(said)


def test_too_many_for_a_run_and_an_ordinary_yes_serves(nights, place):
    nights.approved()
    plan = nights.planned(4)
    nights.closed("the plan has 4 updates", "at most 3 such a run")
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 2")
    assert nights.run().document["outcomes"]["applied"] == 4


def test_twenty_four_hours_are_counted_over_every_run(nights):
    nights.approved()
    nights.run()
    nights.planned(3)
    nights.run()
    nights.calendar.on(hours=12)
    nights.planned(1)
    nights.closed("6 more are used of the last 24 hours", "at most 6")
    nights.calendar.on(hours=12.2)
    nights.run()


def test_a_reviewer_gives_less_than_was_asked_for(nights, calendar):
    nights.approved("--until", calendar.day(3), "--per-run", "update=1", "--per-day", "5")
    nights.run()
    calendar.on(days=1)
    nights.planned(2)
    nights.closed("at most 1 such a run")
    nights.planned(1)
    nights.run()
    calendar.on(days=3)
    nights.planned(1)
    nights.closed("valid until")


def test_deletions_count_apart(nights, place):
    steps = [{"ids": "night.txt", "delete": {}}]
    files = {"night.txt": nights.records[0] + "\n"}
    keys = {"steps": steps, "recurring": {"until": nights.first_until, "at_most": nights.at_most}}
    job = place.job("weeded", files=files, **keys)
    plan = place.through_staging(job).document["plan"]
    place("approve", plan, "--by", "K", "--reference", "1", "--standing")
    place("run", job, "--env", "production")
    for night, expect in ((1, 0), (2, 4)):
        (job / "night.txt").write_text(nights.records[night] + "\n")
        place.through_staging(job)
        done = place("run", job, "--env", "production", expect=expect)
    assert "at most 2 such in 24 hours" in done.document["error"]["message"]


def test_a_pattern_that_was_not_shown_is_smuggled_in_by_no_parameter(nights, place):
    changed = {"parameters": {"place": "a"}}
    steps = [
        {
            "rows": {"file": "night.csv", "key": "Id"},
            "where": {"@param.place": "a"},
            "set": {"at": "shelfMark.label", "to": {"$value": "@row.Signum"}},
        },
        {
            "rows": {"file": "night.csv", "key": "Id"},
            "where": {"@param.place": "b"},
            "append": {"at": "cataloguersNote", "value": "x"},
        },
    ]
    nights.changed = {**changed, "steps": steps}
    nights.approved()
    job = nights.write(*nights.rows(2))
    for environment in ("staging", "production"):
        place("plan", job, "--env", environment, "--param", "place=b")
        if environment == "staging":
            place("run", job, "--env", environment)
    nights.closed("the plan does what the approved one did not show", "cataloguersNote")


@pytest.mark.parametrize("rejected", ["the approved plan", "a later one"])
def test_a_no_ends_it(nights, place, rejected):
    first = nights.approved()
    nights.run()
    later = nights.planned(1)
    no = ("--by", "Ulla Ek", "--reference", "KB 9")
    place("reject", first if rejected == "the approved plan" else later, *no)
    nights.planned(1)
    nights.closed("Ulla Ek has said no since (KB 9)")


def test_the_staging_gate_is_as_for_any_plan(nights, place):
    nights.approved()
    nights.run()
    job = nights.write(*nights.rows(2))
    place("plan", job, "--env", "production")
    done = nights.run(expect=4)
    assert done.closed == {"staging"}


def test_a_clock_set_back_prolongs_nothing(nights, calendar):
    nights.until = 2
    nights.approved()
    nights.run()
    calendar.on(days=4)
    nights.planned(1)
    nights.closed("valid until")
    calendar.on(days=-4)
    nights.planned(1)
    nights.closed("valid until")


def test_a_clock_set_back_gives_no_new_day(nights, calendar):
    nights.approved()
    nights.run()
    calendar.on(days=-2)
    nights.planned(3)
    nights.run()
    nights.planned(1)
    nights.closed("6 more are used of the last 24 hours")


def test_a_ledger_that_was_restored_knows_no_standing_approval(nights, place):
    nights.approved()
    nights.run()
    place("ledger", "restore", "--by", "Me", "--reason", "a new disk")
    nights.planned(1)
    nights.closed("the ledger was restored since")


def test_a_client_that_is_retired_ends_what_it_was_given(nights, place):
    first = nights.approved()
    nights.run()
    place("clients", "retire", "production", "supplier", "--out", place.folder / "notice.txt")
    place.client = "cataloguer"
    nights.planned(1)
    nights.closed("ended by", "supplier is used no more")
    assert first


def test_the_answer_from_the_page_s_own_text(nights, place):
    plan = nights.planned()
    path = place.folder / "report.json"
    place("report", plan, "--format", "json", "--out", path)
    text = json.loads(path.read_text())["answer_text"]
    filled = text.replace("Namn: ", "Namn: Karin Ek").replace("nummer: ", "nummer: KB 1")
    until = nights.calendar.day(30)
    filled = filled.replace("till och med (ÅÅÅÅ-MM-DD): ", f"till och med (ÅÅÅÅ-MM-DD): {until}")
    (place.folder / "svar.txt").write_text(filled)
    found = place("approve", "--from", place.folder / "svar.txt").document["standing"]
    assert found["until"] == until
    assert found["per_run"] == {"update": 3, "create": 0, "delete": 1}
    nights.run()
    nights.planned(1)
    nights.run()
