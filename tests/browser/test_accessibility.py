"""The page for those who use a keyboard or a screen reader, as axe-core and the standards see it."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from bulkrunner.adapters.reports import write_report
from tests.browser.conftest import Opened, Opener
from tests.support import reports

Pages = dict[str, Path]
LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="module")
def joint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("joint")
    data = reports.report_data(folder, changes=reports.joint_changes(), tried=4)
    return write_report(data, folder / "joint.html", form="html")


def faults(opened: Opened) -> list[str]:
    found: Any = Axe().run(opened.page, options={"runOnly": LEVELS, "resultTypes": ["violations"]})
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary'][:300]}"
        for one in found.response["violations"]
        for node in one["nodes"][:3]
    ]


@pytest.mark.parametrize("name", ["plan", "run", "many", "joint"])
@pytest.mark.parametrize("lang", ["Svenska", "English"])
def test_axe_finds_nothing(
    open_report: Opener, pages: Pages, joint: Path, name: str, lang: str
) -> None:
    path = joint if name == "joint" else pages[name]
    opened = open_report(path, bypass_csp=True)  # axe is put into the page
    opened.page.get_by_label(lang).check()
    for details in opened.page.locator("details:visible").all():
        details.evaluate("(node) => { node.open = true; }")
    opened.page.locator(".toggle").first.click()
    opened.page.locator(".item.open .detail p").first.wait_for()
    found = faults(opened)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("name", ["plan", "run"])
@pytest.mark.parametrize("width", [1440, 390])
def test_axe_finds_nothing_in_the_dark_or_on_a_phone(
    open_report: Opener, pages: Pages, name: str, width: int
) -> None:
    opened = open_report(
        pages[name],
        bypass_csp=True,
        color_scheme="dark",
        viewport={"width": width, "height": 844},
    )
    background = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(22, 25, 29)"
    found = faults(opened)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("name", ["plan", "run"])
def test_axe_finds_nothing_without_script(open_report: Opener, pages: Pages, name: str) -> None:
    source = pages[name].read_text("utf-8")
    path = pages[name].with_name(f"{name}-bare.html")
    bare = source.replace(
        "<script>document.documentElement", "<script type=x>document.documentElement"
    )
    path.write_text(bare.replace("<script>", "<script type=x>"), encoding="utf-8")
    opened = open_report(path, bypass_csp=True, ready=False)
    found = faults(opened)
    assert not found, "\n\n".join(found)


@pytest.mark.parametrize("name", ["plan", "run", "joint"])
@pytest.mark.parametrize("lang", ["Svenska", "English"])
def test_headings_skip_no_level_and_landmarks_are_there(
    open_report: Opener, pages: Pages, joint: Path, name: str, lang: str
) -> None:
    page = open_report(joint if name == "joint" else pages[name]).page
    page.get_by_label(lang).check()
    levels = page.evaluate(
        """() => [...document.querySelectorAll('h1, h2, h3, h4')]
            .filter((node) => node.offsetParent).map((node) => Number(node.tagName[1]))"""
    )
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for role in ("main", "navigation", "search"):
        assert page.get_by_role(role).count() == 1  # type: ignore[arg-type]


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
