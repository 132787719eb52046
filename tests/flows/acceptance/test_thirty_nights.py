"""A job under a standing approval for thirty nights: what goes through by itself, and what stops where."""

import json

import pytest

from tests.support.nights import Calendar, Nights

RULES = """\
def change(record, context):
    item, mark = record["@graph"][1], context.row["Signum"]
    if mark.startswith("!"):
        item["cataloguersNote"] = [*item.get("cataloguersNote", []), mark]
    else:
        item["shelfMark"]["label"] = mark
    return record
"""

QUIET = (3, 8, 12, 15, 20, 25, 28)  # nights without anything new


@pytest.fixture
def calendar(monkeypatch):
    return Calendar(monkeypatch)


@pytest.fixture
def nights(place, own, calendar):
    step = {"rows": {"file": "night.csv", "key": "Id"}, "function": "rules:change"}
    found = Nights(place, calendar, own, until=100, changed={"steps": [step]})
    found.write(*found.rows(3))
    (found.folder / "rules.py").write_text(RULES, encoding="utf-8")
    return found


class Night:
    """One call of ``advance``."""

    def __init__(self, nights):
        self.nights = nights
        self.place = nights.place

    def advance(self, *options, expect=0):
        self.given = options
        reports = self.place.folder / "reports"
        done = self.place(
            "advance", self.nights.folder, "--reports", reports, *options, expect=expect
        )
        self.document = done.document
        self.closed = done.closed
        return self

    def table(self, *rows):
        path = self.place.folder / "tonight.csv"
        path.write_text("\n".join(["Id;Signum", *rows]) + "\n", encoding="utf-8")
        return ("--input", f"night.csv={path}")


def summary(place, plan):
    path = place.folder / "summary.json"
    place("report", "--standing", plan, "--format", "json", "--out", path)
    return json.loads(path.read_text(encoding="utf-8"))


def approve(nights, plan, until):
    by = ("--by", "Karin Ek", "--reference", "KB 1")
    nights.place("approve", plan, *by, "--standing", "--until", until)


def test_thirty_nights(nights, place, calendar):
    night = Night(nights)
    first = night.advance(expect=4)
    assert first.closed == {"approval"}
    assert first.document["report"].endswith(f"{first.document['plan']}.html")
    Kinds.approved = first_plan = first.document["plan"]
    approve(nights, Kinds.approved, calendar.day(60))
    assert night.advance().document["standing"] is None
    begun = place.sandbox.production.came(writes=True)
    ran, sent = 0, 0
    for number in range(1, 31):
        calendar.on(days=1)
        before = place.sandbox.production.came(writes=True)
        went_through = getattr(Kinds, f"night_{number}", Kinds.usual)(night, nights, number)
        writes = place.sandbox.production.came(writes=True) - before
        assert bool(writes) == bool(went_through), number
        if went_through:
            ran, sent = ran + 1, sent + writes
            assert night.document["standing"] == Kinds.approved
            assert [step["step"] for step in night.document["steps"]] == [
                *("check", "plan", "run", "plan", "report", "run", "verify", "report"),
            ]
    assert ran
    assert place.sandbox.production.came(writes=True) - begun == sent
    assert place("ledger", "check").document["faults"] == []
    found = [summary(place, plan) for plan in (first_plan, Kinds.approved)]
    runs = [one for two in found for month in two["months"].values() for one in month["runs"]]
    assert sum(two["totals"]["update"] for two in found) == place.sandbox.production.came(
        writes=True
    )
    assert len(runs) == ran + 1  # and that of the approved plan; the second one never ran


class Kinds:
    """What is done on a night; True where it is to go through by itself."""

    approved = ""

    @staticmethod
    def usual(night, nights, number):
        if number in QUIET:  # the table of last night lies there still
            night.advance(*night.given)
            assert "nothing left" in night.document["why"]
            return False
        night.advance(*night.table(*nights.rows(1 + number % 3, start=number % 4)))
        return True

    @staticmethod
    def night_5(night, nights, _number):
        """Too many records."""
        night.advance(*night.table(*nights.rows(4)), expect=4)
        assert night.closed == {"approval"}
        assert "at most 3 such a run" in night.document["why"]

    @staticmethod
    def night_9(night, nights, _number):
        """A kind of change that was not shown, brought in by a row of the table."""
        record = nights.rows(1)[0].partition(";")[0]
        night.advance(*night.table(f"{record};!nytt"), expect=4)
        assert night.closed == {"approval"}
        assert "what the approved one did not show" in night.document["why"]
        assert "cataloguersNote" in night.document["why"]

    @staticmethod
    def night_10(night, nights, _number):
        """The function's source was changed."""
        rules = nights.folder / "rules.py"
        rules.write_text(RULES.replace("= mark", "= mark.lower()"), encoding="utf-8")
        night.advance(*night.table(*nights.rows(1)), expect=4)
        rules.write_text(RULES, encoding="utf-8")
        assert night.closed == {"approval"}
        assert "the rule digest of the manifest differs" in night.document["why"]

    @staticmethod
    def night_13(night, nights, _number):
        """The test environment refuses it."""
        night.place.sandbox.staging.fault("status", method="PUT", status=400)
        night.advance(*night.table(*nights.rows(2)), expect=5)
        night.place.sandbox.staging.clear_faults()
        assert night.document["stopped_at"] == "run"
        assert night.document["steps"][-1]["environment"] == "staging"

    @staticmethod
    def night_17(night, nights, _number):
        """There is no file."""
        gone = night.place.folder / "gone.csv"
        night.advance("--input", f"night.csv={gone}", expect=2)
        assert night.document["stopped_at"] == "check"
        assert "gone.csv" in night.document["why"]

    @staticmethod
    def night_21(night, nights, _number):
        """Somebody says no to the night's plan; the job stands still until there is a new yes."""
        night.advance(*night.table(*nights.rows(4)), expect=4)
        no = ("--by", "Ulla Ek", "--reference", "KB 9")
        night.place("reject", night.document["plan"], *no)

    @staticmethod
    def night_22(night, nights, _number):
        night.advance(*night.table(*nights.rows(2)), expect=4)
        assert "Ulla Ek has said no since" in night.document["why"]
        approve(nights, night.document["plan"], nights.calendar.day(7))
        Kinds.approved = night.document["plan"]

    @staticmethod
    def night_30(night, nights, _number):
        """The last day was yesterday."""
        night.advance(*night.table(*nights.rows(1)), expect=4)
        assert "valid until" in night.document["why"]
