"""A standing approval: what later plans may do by it, and everything that closes the gate again."""

import hashlib
import json
import sqlite3
import zipfile
from contextlib import closing

import pytest

from tests.support.answers import Key
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


def test_one_that_was_given_before_a_no_is_not_made_new_by_being_recorded_late(nights, place):
    first = nights.planned()
    path = place.folder / "svar.txt"
    by = ("--by", "Karin Ek", "--reference", "KB 1")
    place("approve", first, *by, "--standing", "--draft", path)
    later = nights.planned(1)
    place("reject", later, "--by", "Ulla Ek", "--reference", "KB 9")
    place("approve", "--from", path)
    nights.planned(1)
    nights.closed("Ulla Ek has said no since (KB 9)")


def test_after_a_no_a_new_one_can_be_given(nights, place):
    first = nights.approved()
    place("reject", first, "--by", "Ulla Ek", "--reference", "KB 9")
    by = ("--by", "Karin Ek", "--reference", "KB 10", "--standing")
    place("approve", first, *by)
    nights.planned(1)
    nights.run()


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


def test_a_bundle_proves_what_a_run_rests_on(nights, place):
    first = nights.approved()
    nights.run()
    nights.calendar.on(days=1)
    nights.planned(1)
    run = nights.run().document["run"]
    path = place.folder / "run.zip"
    place("ledger", "export", run, "--out", path)
    found = place("ledger", "check", path).document["bundle"]
    (answer,) = found["answers"]
    assert (answer["plan"], answer["by"]) == (first, "Karin Ek")
    assert answer["standing"]["per_run"]["update"] == 3
    for old, new in (
        ("per_day", "per_dag"),
        ('"number":1', '"number":2'),
        ("Karin Ek", "Kalle Ek"),
    ):
        forged = place.folder / "forged.zip"
        _rewritten(path, forged, old, new)
        assert place("ledger", "check", forged, expect=4).document["faults"]


def _rewritten(path, forged, old, new):
    """Another text in the part about standing approvals, with the digest of that part put right."""
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name) for name in whole.namelist()}
    text = parts["standing.jsonl"].decode()
    assert old in text
    parts["standing.jsonl"] = text.replace(old, new).encode()
    head = json.loads(parts["bundle.json"])
    digest = hashlib.sha256(parts["standing.jsonl"]).hexdigest()
    head["members"]["standing.jsonl"] = f"sha256:{digest}"
    parts["bundle.json"] = json.dumps(head).encode()
    with zipfile.ZipFile(forged, "w") as made:
        for name, content in parts.items():
            made.writestr(name, content)


def test_an_answer_that_was_forged_in_the_file_closes_the_gate(nights, place):
    nights.approved("--per-run", "update=1")
    nights.run()
    nights.planned(2)
    with closing(sqlite3.connect(place.ledger)) as raw:
        raw.execute("DROP TRIGGER approvals_update")
        raw.execute(
            "UPDATE approvals SET standing = replace(standing, '\"update\":1', '\"update\":3')"
        )
        raw.commit()
    assert "ledger" in nights.run(expect=4).closed


@pytest.mark.parametrize("what", ["a signature", "struck off", "unsigned now"])
def test_a_signed_one_is_proved_again_each_time(nights, place, what, tmp_path):
    key = Key(tmp_path, "karin")
    reviewers = place.folder / "reviewers"
    reviewers.write_text(key.line(), encoding="utf-8")
    place.configure(policy={"reviewers": "reviewers"})
    plan = nights.planned(2)
    by = ("--by", "Karin Ek", "--reference", "KB 1", "--standing")
    draft = place.folder / "svar.txt"
    place("approve", plan, *by, "--draft", draft)
    signature = place.folder / "svar.sig"
    signature.write_text(key.sign(draft.read_text(encoding="utf-8")))
    place("approve", "--from", draft, "--signature", signature)
    nights.run()
    if what == "struck off":
        other = Key(tmp_path, "ulla")
        reviewers.write_text(other.line(), encoding="utf-8")
    if what == "unsigned now":
        place.configure()
    nights.planned(1)
    if what == "a signature":
        gates = {gate["name"]: gate["reason"] for gate in nights.run().document["gates"]}
        assert "karin@kb.se" in gates["approval"]
        return
    nights.closed("the answer does not hold")


def test_two_people_must_have_given_it_where_a_rule_asks_for_two(nights, place):
    rule = '[[rule]]\nid = "two"\nkind = "approvers"\nabove = 1\npeople = 2\nsource = "s"\n'
    (place.folder / "policy.toml").write_text(rule, encoding="utf-8")
    place.configure(policy={"rules": "policy.toml"})
    plan = nights.approved()
    second = ("--by", "Ulla Ek", "--reference", "KB 2")
    place("approve", plan, *second)
    nights.run()
    nights.planned(2)
    nights.closed("one person has given a standing approval, and 2 are needed")
    place("approve", plan, *second, "--standing", "--per-run", "update=2")
    nights.run()
    nights.planned(3)
    nights.closed("at most 2 such a run")


def test_the_next_command_is_to_run_it(nights, place):
    nights.approved()
    nights.run()
    plan = nights.planned(1)
    assert place("status", plan).document["next"].startswith("bulkrunner run ")


def test_a_client_that_is_retired_ends_what_it_was_given(nights, place):
    first = nights.approved()
    nights.run()
    place("clients", "retire", "production", "supplier", "--out", place.folder / "notice.txt")
    place.client = "cataloguer"
    nights.planned(1)
    nights.closed("ended by", "supplier is used no more")
    assert first


def test_a_copy_of_the_ledger_runs_nothing_by_it(nights, place):
    nights.approved()
    nights.run()
    nights.planned(1)
    kept = place.ledger.read_bytes()
    nights.run()
    place.ledger.write_bytes(kept)
    for beside in place.folder.glob("bulkrunner.db-*"):
        beside.unlink()
    assert "ledger" in nights.run(expect=4).closed


def test_a_record_that_the_answer_excludes_is_left_alone_by_later_plans_too(nights, place):
    nights.approved("--exclude", nights.records[0])
    nights.run(expect=None)
    nights.calendar.on(days=1)
    nights.planned(2)
    nights.run(expect=None)
    written = {one["path"].rpartition("/")[2] for one in place.sandbox.production.writes()}
    assert written == set(nights.records[1:3])


def test_what_no_standing_approval_can_say(nights, place):
    plan = nights.planned(3)
    by = ("--by", "K", "--reference", "1", "--standing", "--exclude", f"{plan}.1")
    refused = place("approve", plan, *by, expect=2).document["error"]
    assert refused["code"] == "answer_unclear"
    late = ("--by", "K", "--reference", "1", "--standing", "--until", nights.calendar.day(-3))
    assert (
        place("approve", plan, *late, expect=2).document["error"]["code"] == "answer_standing_past"
    )
    alone = ("--by", "K", "--reference", "1", "--until", nights.calendar.day(3))
    assert place("approve", plan, *alone, expect=2).document["error"]["code"] == "usage"


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
