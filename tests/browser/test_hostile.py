"""Records that would like to be more than text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.reports import FORMATS, write_report
from bulkrunner.domain.plan import Action, BibSummary
from bulkrunner.domain.report import ReportData
from tests.browser.conftest import Opener
from tests.support import reports

SCRIPT = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
FORMULA = '=HYPERLINK("https://evil.example.org","Klicka")'
TURNED = "\u202egnp.exe\u202c עברית العربية"
LONG = "Lång text. " * 10_000


def components() -> list[dict[str, Any]]:
    mark = {"@type": "ShelfMark", "label": FORMULA}
    return [{"@type": "Item", "shelfMark": mark, "copyNumber": str(n)} for n in range(400)]


def hostile(folder: Path) -> ReportData:
    notes = [{"@type": "Note", "label": text} for text in (SCRIPT, FORMULA, TURNED, LONG)]
    item: dict[str, Any] = {"cataloguersNote": [LONG], "hasNote": notes}
    before = reports.holding(reports.record_id(1), SCRIPT, **item, hasComponent=components())
    after = reports.holding(reports.record_id(1), FORMULA, hasNote=notes[:1])
    bib = BibSummary(id="bib", title=SCRIPT, author=TURNED, year=FORMULA)
    named: dict[str, Any] = {"bib": bib, "sigel": "Ylm", "library": SCRIPT}
    changes = [
        reports.a_reported(1, before=before, after=after, **named),
        reports.a_reported(2, Action.DELETE, before=before, **named),
        reports.a_reported(3, Action.CREATE, after=before, **named),
        reports.a_reported(
            4,
            Action.REFUSED,
            record=SCRIPT,
            given=SCRIPT,
            code="foreign_sigel",
            message=SCRIPT,
            target_key=None,
            **named,
        ),
    ]
    head = {**reports.HEAD, "title": SCRIPT, "purpose": LONG}
    return reports.report_data(folder, changes=changes, manifest=head)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> ReportData:
    return hostile(tmp_path_factory.mktemp("hostile"))


def test_the_page_shows_them_as_text(open_report: Opener, data: ReportData, tmp_path: Path) -> None:
    opened = open_report(write_report(data, tmp_path / "hostile.html", form="html"))
    page = opened.page
    text, titles = "", set()
    for number in ("1", "2", "3", "4"):
        page.get_by_label("Gå till nr eller id").fill(number)
        page.keyboard.press("Enter")
        row = page.locator(".item.open").filter(has=page.locator(f".toggle >> text=/^{number}$/"))
        row.locator(".detail p").first.wait_for()
        text += row.inner_text()
        titles |= set(row.locator("cite").all_text_contents())
    assert titles == {SCRIPT}
    assert SCRIPT in (page.locator("h1:visible").text_content() or "")
    assert FORMULA in text
    assert "⟨U+202E⟩gnp.exe⟨U+202C⟩ עברית العربية" in text
    assert "tecken)" in text
    assert "komponent" in text
    assert "platser till" in text
    page.get_by_label("English").check()
    page.pdf(path=tmp_path / "hostile.pdf")
    assert page.evaluate("window.hacked") is None
    assert page.locator("img").count() == 0
    assert opened.requests == [opened.path.as_uri()]
    assert opened.complaints == []


def test_the_browser_itself_refuses_markup(
    open_report: Opener, data: ReportData, tmp_path: Path
) -> None:
    opened = open_report(write_report(data, tmp_path / "hostile.html", form="html"))
    refused = opened.page.evaluate(
        "() => { try { document.body.innerHTML = '<b>x</b>'; return false; } catch { return true; } }"
    )
    assert refused is True


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_can_be_written(data: ReportData, tmp_path: Path, form: str) -> None:
    path = write_report(data, tmp_path / f"hostile.{form}", form=form)
    assert path.stat().st_size > 0


@pytest.mark.parametrize("form", ["csv", "md", "html"])
def test_no_control_or_direction_character_is_left(
    data: ReportData, tmp_path: Path, form: str
) -> None:
    path = write_report(data, tmp_path / f"hostile.{form}", form=form)
    text = path.read_text(encoding="utf-8-sig")
    assert not {"\u202e", "\u202c", "\x00"} & set(text)
