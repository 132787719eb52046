"""What is said of a standing approval: the page's first screen, every report under it, and KB's summary."""

import json
import re
from collections import Counter

import pytest

from tests.support.nights import Calendar, Nights


@pytest.fixture
def nights(place, own, monkeypatch):
    return Nights(place, Calendar(monkeypatch), own)


def report(place, what, form, *options):
    path = place.folder / f"report.{form}"
    place("report", *what, "--format", form, "--out", path, *options)
    return path.read_text(encoding="utf-8")


def text_of(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)).replace("\u00a0", " ")


def test_the_first_screen_says_what_is_asked_for(nights, place):
    plan = nights.planned()
    page = text_of(report(place, [plan], "html").partition('id="summary"')[2][:4000])
    day = nights.first_until
    months = ["jan", "feb", "mars", "apr", "maj", "juni", "juli", "aug", "sep", "okt", "nov", "dec"]
    asked = re.search(r"ber om ett stående godkännande: (.*?) till (\d+) (\w+) (\d{4}), bara", page)
    assert asked, page
    assert "högst 3 ändringar, 0 nya poster och 1 radering per körning" in asked[1]
    assert "6 poster sammanlagt" in asked[1]
    assert int(asked[2]) == int(day[-2:])
    assert asked[3].startswith(months[int(day[5:7]) - 1])
    assert asked[4] == day[:4]
    assert "asks for a standing approval" in report(place, [plan], "md", "--lang", "en")
    assert json.loads(report(place, [plan], "json"))["standing"]["asked"]["until"] == day


def test_every_report_under_it_says_so_first(nights, place):
    first = nights.approved()
    own = json.loads(report(place, [nights.run().document["run"]], "json"))
    assert own["standing"]["rests_on"] is None
    assert own["approvals"][0]["standing"]["per_run"]["update"] == 3
    nights.calendar.on(days=1)
    plan = nights.planned(2)
    before = json.loads(report(place, [plan], "json"))
    run = nights.run().document["run"]
    after = json.loads(report(place, [run], "json"))
    for found in (before, after):
        assert list(found)[:2] == ["report", "standing"]
        assert found["standing"]["rests_on"]["plan"] == first
        assert found["standing"]["rests_on"]["given"] == [{"by": "Karin Ek", "reference": "KB 1"}]
    told = f"Under ett stående godkännande av Karin Ek (KB 1), givet med {first}"
    page = text_of(report(place, [run], "html"))
    assert page.index(told) < page.index("Skapa") if "Skapa" in page else told in page
    for what in (plan, run):
        lines = report(place, [what], "md").splitlines()
        assert told.replace("(KB 1)", "(KB 1)") in lines[2].replace("\\", "")
    place("report", run, "--for", "Ylm", "--out", place.folder / "ylm.html")
    assert told in text_of((place.folder / "ylm.html").read_text(encoding="utf-8"))


def test_the_summary_adds_up_to_the_server_s_history(nights, place):
    first = nights.approved()
    nights.run()
    runs = []
    for count in (2, 1, 3):
        nights.calendar.on(days=1)
        nights.planned(count)
        runs.append(nights.run().document["run"])
    nights.calendar.on(days=1)
    nights.planned(4)
    nights.closed("at most 3 such a run")
    found = json.loads(report(place, ["--standing", "KB 1"], "json"))
    methods = Counter(one["method"] for one in place.sandbox.production.writes())
    assert found["totals"]["update"] == methods["PUT"] == 9
    assert found["totals"]["runs"] == 4
    assert found["totals"]["delete"] == found["totals"]["create"] == 0
    assert len(found["other_plans"]) == 1
    told = [one for month in found["months"].values() for one in month["runs"]]
    assert [one["run"] for one in told[1:]] == runs
    assert [one["own"] for one in told] == [True, False, False, False]
    for language, word in (("sv", "Summa"), ("en", "Sum")):
        page = report(place, ["--standing", first], "html", "--lang", language)
        assert word in text_of(page)
        assert runs[0] in page
        assert "<script" not in page
        assert f"| {word} |" in report(place, ["--standing", first], "md", "--lang", language)
    month = nights.calendar.now.strftime("%Y-%m")
    one = json.loads(report(place, ["--standing", "KB 1"], "json", "--month", month))
    assert set(one["months"]) <= {month}


def test_the_summary_counts_conflicts_refusals_and_what_was_taken_back(nights, place):
    nights.approved()
    nights.run()
    nights.calendar.on(days=1)
    nights.planned(2)
    place.sandbox.production.edit(nights.records[1], set={"shelfMark.label": "annans"})
    run = nights.run(expect=5).document["run"]
    back = place.folder / "back"
    place("undo", run, "--out", back)
    place("plan", back, "--env", "staging", expect=None)
    plan = place("plan", back, "--env", "production", expect=None).document["plan"]
    place(
        "approve",
        plan,
        "--by",
        "K",
        "--reference",
        "2",
        "--agree",
        "untried in staging",
        expect=None,
    )
    place("run", back, "--env", "production", expect=None)
    found = json.loads(report(place, ["--standing", "KB 1"], "json"))
    assert found["totals"]["conflict"] == 1
    assert found["totals"]["update"] == 4


def test_one_is_listed_shown_and_ended(nights, place):
    first = nights.approved()
    nights.run()
    nights.calendar.on(days=2)
    nights.planned(2)
    run = nights.run().document["run"]
    (listed,) = place("standing", "list").document["standing"]
    assert (listed["plan"], listed["ended"], listed["job"]) == (first, None, "nightly")
    (shown,) = place("standing", "show", "KB 1").document["standing"]
    assert shown["runs"][-1] == run
    assert shown["used"] == {"update": 2}
    by = ("--by", "Jag", "--reason", "jobbet är slut")
    done = place("standing", "end", first[:6], *by).document
    assert done["stopping"] == []
    nights.planned(1)
    nights.closed("it was ended by Jag", "jobbet är slut")
    again = place("standing", "end", first, *by, expect=2)
    assert again.document["error"]["code"] == "standing_over"
    assert place("ledger", "check").document["faults"] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("standing", "show", "KB 9"),
        ("standing", "end", "", "--by", "x", "--reason", "y"),
        ("report", "--standing", "KB 9"),
        ("report", "--standing", "KB 9", "--format", "csv"),
        ("report", "--standing", "KB 9", "--month", "november"),
        ("report", "--month", "2026-11", "p-1"),
        ("report",),
    ],
)
def test_what_is_not_there_is_told(nights, place, arguments):
    assert place(*arguments, expect=2).document["error"]["message"]
