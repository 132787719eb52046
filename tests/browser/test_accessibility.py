"""The page for those who use a keyboard or a screen reader, as axe-core and the standards see it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bulkrunner.adapters.reports.library_page import write_library_page
from bulkrunner.services.report.service import ReportService
from tests.browser.conftest import Opened, Opener
from tests.support import reports
from tests.support.ledgers import SetClock, new_ledger

Pages = dict[str, Path]
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def faults(opened: Opened, **options: Any) -> list[str]:
    asked = {"runOnly": LEVELS, "resultTypes": ["violations"], **options}
    found: Any = Axe().run(opened.page, options=asked)
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found.response["violations"]
        for node in one["nodes"][:3]
    ]


# What only colours decide: asked once for each set of them.
COLOURS = {"color-contrast": {"enabled": False}}


@pytest.mark.parametrize("name", ["plan", "run", "many", "joint"])
def test_axe_finds_nothing_and_headings_skip_no_level(
    open_report: Opener, pages: Pages, name: str
) -> None:
    opened = open_report(pages[name], bypass_csp=True)  # axe is put into the page
    page = opened.page
    page.locator(".toggle").first.click()
    page.locator(".item.open .detail p").first.wait_for()
    for lang in ("Svenska", "English"):
        page.get_by_label(lang).check()
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        found = faults(opened, rules={} if lang == "Svenska" else COLOURS)
        assert not found, "\n\n".join(found)
        levels = page.evaluate(
            """() => [...document.querySelectorAll('h1, h2, h3, h4')]
                .filter((node) => node.offsetParent).map((node) => Number(node.tagName[1]))"""
        )
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))
        for role in ("main", "navigation", "search"):
            assert page.get_by_role(role).count() == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["plan", "run"])
def test_axe_finds_nothing_in_the_dark_or_on_a_phone(
    open_report: Opener, pages: Pages, name: str
) -> None:
    opened = open_report(pages[name], bypass_csp=True, color_scheme="dark")
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(22, 25, 29)"
    found = faults(opened)
    opened.page.set_viewport_size({"width": 390, "height": 844})
    found += faults(opened)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("name", ["plan", "run"])
def test_axe_finds_nothing_without_script(
    open_report: Opener, pages: Pages, tmp_path: Path, name: str
) -> None:
    source = pages[name].read_text("utf-8")
    bare = source.replace(
        "<script>document.documentElement", "<script type=x>document.documentElement"
    )
    path = tmp_path / "bare.html"
    path.write_text(bare.replace("<script>", "<script type=x>"), encoding="utf-8")
    opened = open_report(path, bypass_csp=True, ready=False)
    found = faults(opened)
    assert not found, "\n\n".join(found)


def test_axe_finds_nothing_on_a_librarys_page(open_report: Opener, tmp_path: Path) -> None:
    ledger = new_ledger(tmp_path)
    plan = reports.stored_plan(ledger, reports.some_changes())
    run = reports.finished_run(ledger, plan)
    service = ReportService(ledger, SetClock())
    for number, of in enumerate((None, run)):
        data = service.report_to(plan, of, "Ylm")
        path = write_library_page(data, tmp_path / f"{number}.html", lang="sv")
        opened = open_report(path, bypass_csp=True, ready=False)
        found = faults(opened)
        opened.page.emulate_media(color_scheme="dark")
        opened.page.set_viewport_size({"width": 390, "height": 844})
        found += faults(opened)
        assert not found, "\n\n".join(found)
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert opened.complaints == []
        assert opened.requests == [path.as_uri()]


def test_the_list_says_where_one_is_among_all_rows(open_report: Opener, pages: Pages) -> None:
    page = open_report(pages["many"]).page
    grid = page.locator("#grid")
    assert grid.get_attribute("aria-rowcount") == "3001"
    assert grid.get_attribute("aria-colcount") == "6"
    page.locator(".scroller").evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    page.wait_for_selector(".item[data-index='2999']")
    assert page.locator(".item[data-index='2999'] > [role=row]").first.get_attribute(
        "aria-rowindex"
    ) == ("3001")
    indexes = page.evaluate(
        """() => [...document.querySelectorAll('#grid [role=row]')]
            .map((node) => Number(node.getAttribute('aria-rowindex')))"""
    )
    assert all(index >= 1 for index in indexes)


def test_a_walk_with_the_keyboard_alone(open_report: Opener, pages: Pages) -> None:
    """Every control is reached with Tab, in the order it stands, seen, and named."""
    page = open_report(pages["plan"]).page
    seen: list[dict[str, Any]] = []
    for _ in range(400):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """() => { const node = document.activeElement;
                if (node === document.body) return null;
                const box = node.getBoundingClientRect(), style = getComputedStyle(node);
                return { top: box.top + scrollY, tag: node.tagName, class: node.className,
                    ring: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2,
                    covered: box.top < 0 || box.bottom > innerHeight + 1,
                    name: node.getAttribute('aria-label') || node.textContent.trim()
                        || (node.labels && node.labels.length ? node.labels[0].textContent : '') }; }"""
        )
        if at is None:
            break
        seen.append(at)
    assert len(seen) > 30
    assert [one for one in seen if not one["ring"]] == []
    assert [one for one in seen if not one["name"]] == []
    assert [one for one in seen if one["covered"]] == []
    assert {"INPUT", "SELECT", "BUTTON", "A", "SUMMARY"} <= {one["tag"] for one in seen}
    toggles = [one for one in seen if one["class"] == "toggle"]
    assert len(toggles) == 1, "arrows move among the rows, Tab goes past them"
