"""What comes to nothing: told with every reason and its count, on the terminal and on the page."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Workplace

LABEL = {"set": {"at": "shelfMark.label", "to": "Hx"}}


def test_why_nothing_is_done_is_told_reason_by_reason(place: Workplace, own: list[str]) -> None:
    here = place.sandbox.staging
    theirs = here.document(here.records("hold", "NO")[0])["@graph"][1]["itemOf"]
    for holding, value in zip(own[:5], ("Hx", "Hx", "Hy", "Hy", "Hy"), strict=True):
        here.edit(holding, sigel="Ylm", set={"shelfMark": {"@type": "ShelfMark", "label": value}})
    here.edit(own[5], sigel="Ylm", set={"itemOf": theirs})
    (place.folder / "jobs" / "why").mkdir(parents=True)
    job = place.job(
        "why",
        sigels=["Ylm", "NO"],
        steps=[
            {"ids": own[:2], **LABEL},
            {"ids": own[2:5], "where": {"shelfMark.label": {"equals": "Hz"}}, **LABEL},
            {"ids": [own[5]], "on_duplicate": "skip", "move": {"to": "NO"}},
        ],
    )
    done = place("plan", job, "--env", "staging")
    lines = done.stderr.splitlines()
    assert "  unchanged: 3 × where_not_met, 2 × no_change, 1 × skipped_duplicate" in lines
    assert "  findings: 1 × left_behind; such as" in lines
    for lang, told in (
        (
            "sv",
            ("3 × Posten uppfyller inte", "2 × Posten är redan så", "1 × Biblioteket har redan"),
        ),
        ("en", ("3 × The record does not", "2 × The record is already", "1 × The library already")),
    ):
        path = place.folder / f"{lang}.html"
        place("report", done.document["plan"], "--lang", lang, "--format", "html", "--out", path)
        page = Path(path).read_text(encoding="utf-8")
        assert all(f"<dd>{text}" in page for text in told)
        assert "<dt>lämnas orörda</dt>" in page or "<dt>left as they are</dt>" in page
        assert "redan som önskat" not in page.partition('class="tiles"')[2].partition("</ul>")[0]
        assert "left_behind" in page


def test_a_run_tells_why_a_change_was_not_made(place: Workplace, own: list[str]) -> None:
    here = place.sandbox.staging
    mark = {"@type": "ShelfMark", "label": "Hy"}
    for holding in own[:3]:
        here.edit(holding, sigel="Ylm", set={"shelfMark": mark})
    job = place.job("ran", steps=[{"ids": own[:3], **LABEL}])
    place("plan", job, "--env", "staging")
    for holding, label in ((own[0], "Hx"), (own[1], "Hq")):
        here.edit(holding, sigel="Ylm", set={"shelfMark": mark | {"label": label}})
    lines = place("run", job, "--env", "staging", expect=5).stderr.splitlines()
    assert "  unchanged: 1 × done_by_other" in lines
    assert "  conflict: 1 × edited" in lines


def test_what_staging_refused_is_told_as_refused_and_not_as_untried(
    place: Workplace, own: list[str]
) -> None:
    place.sandbox.staging.fault("status", method="PUT", status=400, times=1)
    label = {"set": {"at": "shelfLabel", "to": "Hx"}}
    job = place.job("invalid", steps=[{"ids": own[:4], **label}])
    place("plan", job, "--env", "staging")
    place("run", job, "--env", "staging", expect=5)
    done = place("plan", job, "--env", "production")
    lines = [line.strip() for line in done.stderr.splitlines()]
    (told,) = (line for line in lines if line.startswith("refused in a test environment: 1 × "))
    assert told.endswith(")")
    assert "what is invalid production will refuse too: mend it, or take it off the job" in lines
    gates = {
        gate["name"]: gate for gate in place("status", done.document["plan"]).document["gates"]
    }
    assert told in gates["staging"]["reason"]
    assert "untried" not in gates["staging"]["reason"]
    path = place.folder / "report.html"
    place("report", done.document["plan"], "--format", "html", "--out", path)
    page = path.read_text(encoding="utf-8")
    assert "Avvisade i testmiljön (1): " in page
    assert "Produktionen kommer att avvisa dem också" in page
    assert "Inte provade" not in page


def test_what_two_steps_say_of_one_line_counts_once(place: Workplace, own: list[str]) -> None:
    theirs = place.sandbox.staging.records("hold", "NO")[0]
    rows = f"id;a;b\n{own[0]};1;2\nzzz;1;2\nzzz;1;2\n{theirs};1;2\n{own[1]};1;2\n"
    note = {"rows": {"file": "t.csv", "key": "id"}}
    steps = [
        {**note, "set": {"at": at, "to": {"$value": f"@row.{column}"}}}
        for at, column in (("shelfLabel", "a"), ("shelfControlNumber", "b"))
    ]
    most = {"unreadable_id": 2, "foreign_sigel": 1}
    for at_most, code in ((most, 0), ({**most, "unreadable_id": 1}, 3)):
        accept = [{"code": name, "at_most": n, "reason": "x"} for name, n in at_most.items()]
        job = place.job("twice", steps=steps, accept=accept)
        (job / "t.csv").write_text(rows, encoding="utf-8")
        done = place("plan", job, "--env", "staging", expect=code)
        assert done.document["counts"]["refused"] == 5
        (told,) = (line for line in done.stderr.splitlines() if "findings: " in line)
        assert all(f"{n} × {name}" in told for name, n in most.items())
        gates = place("status", done.document["plan"]).document["gates"]
        assert next(gate["open"] for gate in gates if gate["name"] == "refusals") == (not code)
        path = place.folder / "report.html"
        place("report", done.document["plan"], "--format", "html", "--out", path)
        page = path.read_text(encoding="utf-8")
        assert page.count("räknas en gång: 2") == 1
        assert ("Jobbet godtar högst 1: planen kan inte köras så." in page) == bool(code)
