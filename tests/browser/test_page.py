"""What a reviewer does with the page, done by a browser."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page

from bulkrunner.adapters.reports import write_report
from bulkrunner.domain.plan import Action
from tests.browser.conftest import MANY, Opened, Opener, a_change
from tests.support import reports

Pages = dict[str, Path]


@pytest.mark.parametrize("name", ["plan", "run", "many"])
def test_opens_from_disk_asks_for_nothing_and_complains_of_nothing(
    open_report: Opener, pages: Pages, name: str
) -> None:
    opened = open_report(pages[name])
    assert opened.requests == [opened.path.as_uri()]
    assert opened.complaints == []


def test_lists_every_change_but_holds_only_the_rows_in_sight(
    open_report: Opener, pages: Pages
) -> None:
    opened = open_report(pages["many"])
    assert opened.hits() == "3 000 ändringar"
    assert opened.rows()[:2] == ["7", "14"]
    assert 10 < opened.page.locator(".item").count() < 60
    assert opened.page.locator("#grid").get_attribute("aria-rowcount") == str(MANY + 1)
    opened.page.locator(".scroller").evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    opened.page.wait_for_selector(f".item[data-index='{MANY - 1}']")
    assert opened.rows()[-1] == "3000"
    assert opened.page.locator(".item").count() < 60


def test_searches_titles_libraries_ids_and_values(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"])
    search = opened.page.get_by_role("searchbox", name="Sök")
    for text, hits, first in (
        ("å-BOKEN 2997", "1 av 3 000", "2997"),
        ("norrbottens 2995", "1 av 3 000", "2995"),
        (a_change(1234).record, "1 av 3 000", "1234"),
        ("hcf", "272 av 3 000", "77"),
        ("no such thing", "0 av 3 000", None),
    ):
        search.fill(text)
        opened.settle(hits)
        opened.wait(lambda: opened.rows()[:1] == ([first] if first else []), text)  # noqa: B023
    opened.page.get_by_role("button", name="Visa alla").click()
    opened.settle("3 000 ändringar")


def test_filters_by_action_library_and_pattern(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"])
    opened.page.get_by_label("Åtgärd", exact=True).select_option(label="Radera")
    opened.settle("428 av 3 000")
    opened.page.get_by_label("Sigel", exact=True).select_option(label="NO Norrbottens bibliotek")
    opened.settle("143 av 3 000")
    opened.page.get_by_role("button", name="Visa alla").click()
    opened.page.locator(".pattern [data-pattern='2']:visible").click()
    opened.settle("234 av 3 000")
    assert "”Hcf” → ”Hce”" in (
        opened.page.get_by_label("Grupp", exact=True).locator("option:checked").text_content() or ""
    )


def test_shows_everything_that_was_refused_for_a_reason(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["plan"])
    reason = opened.page.locator(".reason:visible", has_text="foreign_sigel")
    reason.get_by_role("link", name="Visa dessa i listan").click()
    opened.settle("2 av 24")
    assert opened.rows() == ["19", "20"]
    chosen = opened.page.get_by_label("Skäl", exact=True).locator("option:checked")
    assert (chosen.text_content() or "").startswith("Avvisad: Beståndet tillhör ett bibliotek")
    opened.page.get_by_role("button", name="Visa alla").click()
    opened.settle("24 ändringar")


def test_sorts_as_swedish_is_sorted(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"])
    heading = opened.page.get_by_role("columnheader", name="Titel, upphov, år")
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert opened.rows()[:3] == ["2", "6", "10"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "descending"
    assert opened.rows()[:3] == ["3000", "2996", "2992"]
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "none"
    assert opened.rows()[:2] == ["7", "14"]


def test_jumps_to_a_change_by_number_and_by_id(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"])
    record = a_change(1234).record
    for text in ("1234", "p1.1234", record, f"https://libris.kb.se/{record}#it"):
        opened.page.get_by_label("Sök").fill("no such thing")
        opened.settle("0 av")
        assert opened.page.locator(".item").count() == 0
        opened.page.get_by_label("Gå till nr eller id").fill(text)
        opened.page.get_by_role("button", name="Gå", exact=True).click()
        opened.page.wait_for_selector(".item.open .detail table")
        assert opened.page.locator(".item.open .toggle").text_content() == "1\u00a0234"
        assert opened.page.evaluate("document.activeElement.textContent") == "1\u00a0234"
    opened.page.get_by_label("Gå till nr eller id").fill("99999")
    opened.page.keyboard.press("Enter")
    opened.settle("Ingen ändring har nummer eller id 99999")


def test_shows_a_change_side_by_side_named_as_cataloguers_do(
    open_report: Opener, pages: Pages
) -> None:
    opened = open_report(pages["plan"])
    opened.page.locator(".item", has_text=reports.record_id(1)).locator(".c-title").click()
    detail = opened.page.locator(".item.open .detail")
    detail.locator("table").wait_for()
    assert detail.locator("th[scope=row]").text_content() == "hyllkod shelfMark.label"
    assert detail.locator(".was").text_content() == "Hc"
    assert detail.locator(".now").text_content() == "Hce"
    assert detail.locator(".now mark").text_content() == "e"
    links = detail.locator("a").evaluate_all("(nodes) => nodes.map((node) => node.href)")
    record = reports.record_id(1)
    assert links[:2] == [f"https://libris.kb.se/{record}", f"https://libris-stg.kb.se/{record}"]
    opened.page.locator(".item.open .toggle").click()
    assert opened.page.locator(".item.open").count() == 0


def test_a_deletion_shows_the_item(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["plan"])
    opened.page.locator(".item").first.locator(".toggle").click()
    detail = opened.page.locator(".item.open .detail table")
    detail.wait_for()
    assert detail.locator(".was").all_text_contents() == [
        "Hc",
        "Öppen samling",
        "ÅJ",
        "Hemlån",
        "Nationalbibliografisk nivå",
    ]
    assert detail.locator(".now").count() == 0


def test_a_run_shows_outcomes_and_the_servers_words(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["run"])
    opened.page.get_by_label("Utfall", exact=True).select_option(label="avvisad")
    opened.settle("1 av 24")
    opened.page.locator(".toggle").click()
    said = opened.page.locator(".detail .said")
    said.wait_for()
    assert said.text_content() == (
        "Servern svarade 400: Invalid JsonLd, got errors: <b>x</b> (felnummer e-77)"
    )
    assert opened.page.locator("#outcomes svg.chart rect").count() == 18


def test_switches_language_everywhere(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["plan"])
    page = opened.page
    assert page.get_by_role("heading", name="Varje ändring").is_visible()
    page.get_by_label("English").check()
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.get_by_role("heading", name="Every change").is_visible()
    assert not page.get_by_role("heading", name="Varje ändring").is_visible()
    assert opened.hits() == "24 changes"
    assert page.get_by_role("columnheader", name="Title, author, year").is_visible()
    assert "shelf mark" in (page.locator(".item .c-change").nth(3).text_content() or "")
    page.get_by_label("Svenska").check()
    assert page.get_by_role("heading", name="Varje ändring").is_visible()


def test_can_be_read_without_script(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["plan"], java_script_enabled=False, ready=False)
    page = opened.page
    for text in (
        "När planen körs kommer bulkrunner att radera 2 beståndsposter",
        "Ändra beståndspost: hyllkod: ”Hc” → ”Hce”",
        "Beståndet tillhör ett bibliotek som jobbet inte får röra.",
        "Listan över 24 ändringar visas bara när webbläsaren kör sidans skript.",
    ):
        assert page.get_by_text(text).locator("visible=true").count() >= 1, text
    assert not page.locator("#list").is_visible()
    page.get_by_label("English").check()
    assert page.get_by_text("When the plan is run, bulkrunner will delete 2").is_visible()
    assert not page.get_by_text("När planen körs").is_visible()


def test_inflates_by_itself_where_the_browser_cannot(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"], before="delete window.DecompressionStream;")
    assert opened.hits() == "3 000 ändringar"
    assert opened.complaints == []


# --- keyboard and screen reader ------------------------------------------------------------------


def focused(opened: Opened) -> str:
    text: str = opened.page.evaluate("document.activeElement.textContent.trim()")
    return text.replace("\u00a0", "")


def test_everything_can_be_done_with_the_keyboard(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["many"])
    keys = opened.page.keyboard
    keys.press("Tab")
    assert focused(opened) == "Till listan över ändringar"
    keys.press("Enter")
    keys.press("Tab")
    keys.type("ö-boken")
    opened.settle("750 av 3 000")
    for _ in range(40):
        keys.press("Tab")
        if opened.page.evaluate("document.activeElement.className") == "toggle":
            break
    assert focused(opened) == "28"
    keys.press("ArrowDown")
    assert focused(opened) == "56"
    keys.press("End")
    opened.wait(lambda: focused(opened) == "3000")
    keys.press("ArrowUp")
    opened.wait(lambda: focused(opened) == "2992")
    keys.press("Enter")
    opened.page.wait_for_selector(".item.open .detail table")
    assert opened.page.evaluate("document.activeElement.getAttribute('aria-expanded')") == "true"
    keys.press("Home")
    opened.wait(lambda: focused(opened) == "28")
    assert opened.page.evaluate("getComputedStyle(document.activeElement).outlineStyle !== 'none'")


def test_a_screen_reader_is_told_what_there_is(open_report: Opener, pages: Pages) -> None:
    opened = open_report(pages["plan"])
    page = opened.page
    table = page.get_by_role("table", name="Varje ändring")
    assert table.get_attribute("aria-rowcount") == "25"
    assert table.get_by_role("columnheader").count() == 6
    assert table.get_by_role("row").nth(1).get_attribute("aria-rowindex") == "2"
    assert table.get_by_role("row").nth(1).get_by_role("cell").count() == 6
    toggle = page.get_by_role("button", name="Ändring 16, visa eller dölj")
    assert toggle.get_attribute("aria-expanded") == "false"
    assert page.locator("#hits").get_attribute("aria-live") == "polite"
    assert page.get_by_role("navigation", name="Innehåll").is_visible()
    assert page.locator("h1:visible").count() == 1
    unnamed = page.evaluate(
        """() => [...document.querySelectorAll('button, input, select, a')]
            .filter((node) => node.offsetParent && !(node.textContent.trim()
                || node.getAttribute('aria-label') || (node.labels && node.labels.length)))
            .map((node) => node.outerHTML)"""
    )
    assert unnamed == []


def test_nothing_is_wider_than_the_window(open_report: Opener, pages: Pages) -> None:
    for name in ("plan", "run"):
        page = open_report(pages[name]).page
        for width in (1920, 1280, 1024, 800):
            page.set_viewport_size({"width": width, "height": 768})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name


# --- on paper ------------------------------------------------------------------------------------


def printed(opened: Opened, path: Path) -> str:
    """Print the page and return what is laid out for paper alone."""
    opened.page.pdf(path=path, prefer_css_page_size=True, print_background=True)
    assert path.read_bytes().startswith(b"%PDF-")
    return (opened.page.locator(".printed").text_content() or "").replace("\u00a0", " ")


def pages_of(path: Path) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))


@pytest.mark.parametrize("name", ["plan", "run", "crowded"])
def test_paper_takes_four_pages_beside_the_samples(
    open_report: Opener, pages: Pages, tmp_path: Path, name: str
) -> None:
    opened = open_report(pages[name], bypass_csp=True)
    opened.page.add_style_tag(
        content="@media print { .pattern .side, .pattern .label { display: none } }"
    )
    text = printed(opened, tmp_path / "report.pdf")
    assert pages_of(tmp_path / "report.pdf") <= 4
    assert text.startswith("Listan över varje ändring är inte med på papper.")
    opened.page.emulate_media(media="print")
    assert not opened.page.locator("#grid").is_visible()
    assert not opened.page.locator(".bar").is_visible()
    assert opened.page.locator(".pattern:visible").count() > 0


def test_each_page_on_paper_names_the_report(open_report: Opener, pages: Pages) -> None:
    styles = open_report(pages["plan"]).page.evaluate(
        """() => [...document.styleSheets[0].cssRules].filter((r) => r instanceof CSSPageRule)
            .map((r) => r.cssText).join(" ")"""
    )
    assert "p1 · sha256:" in styles
    assert "counter(page)" in styles


def test_the_whole_list_is_on_paper_where_it_is_asked_for(
    open_report: Opener, pages: Pages, tmp_path: Path
) -> None:
    opened = open_report(pages["many"])
    opened.page.get_by_label("Hela listan med på papper").check()
    text = printed(opened, tmp_path / "report.pdf")
    assert pages_of(tmp_path / "report.pdf") > 10
    assert text.startswith(
        "Här står de 1 000 första av de 3 000 ändringar som listan visar. De övriga finns i listan "
        "på skärmen; alla finns i rapportens XLSX, CSV och JSON."
    )
    assert opened.page.locator(".printed article").count() == 1000
    assert opened.page.locator(".printed table.diff").count() == 1000


def test_prints_what_is_filtered_whole(open_report: Opener, pages: Pages, tmp_path: Path) -> None:
    opened = open_report(pages["many"])
    opened.page.get_by_label("Hela listan med på papper").check()
    opened.page.get_by_role("searchbox", name="Sök").fill("hcf")
    opened.settle("272 av 3 000")
    assert opened.page.get_by_label("Hela listan med på papper").is_checked()
    text = printed(opened, tmp_path / "report.pdf")
    assert text.startswith("Här står alla 272 ändringar som listan visar.")
    assert opened.page.locator(".printed table.diff").count() == 272


@pytest.mark.parametrize("name", ["plan", "run", "many"])
def test_the_first_screen_decides(open_report: Opener, pages: Pages, name: str) -> None:
    page = open_report(pages[name]).page
    for width, height in ((1440, 900), (390, 844)):
        page.set_viewport_size({"width": width, "height": height})
        for lang in ("Svenska", "English"):
            page.get_by_label(lang).check()
            page.evaluate("scrollTo(0, 0)")
            counts = page.locator(".first:visible .tiles b")
            asks = page.locator(".first:visible .asks")
            if name == "run":  # its outcome stands there, and what went wrong, by cause
                largest = page.locator(".first:visible .causes > li").first
            else:
                largest = (
                    page.locator(".first:visible .lines > li")
                    .filter(has=page.locator(".was"))
                    .filter(has=page.locator(".now"))
                    .first
                )
            answer = page.locator(".to-answer:visible")
            for found in (counts.last, asks, largest, answer):
                box = found.bounding_box()
                assert box is not None
                assert box["y"] + box["height"] <= height, found
            assert counts.count() >= 6


def test_counts_of_millions_stay_in_their_tiles(open_report: Opener, tmp_path: Path) -> None:
    data = replace(
        reports.report_data(tmp_path),
        counts={"delete": 2_033_901, "update": 1_400_000, "create": 7_777_777, "refused": 4},
    )
    path = write_report(data, tmp_path / "r.html", form="html")
    page = open_report(path).page
    for width in (1440, 1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for tile in page.locator(".first:visible .tiles b").all():
            inner, outer = tile.evaluate("(node) => [node.scrollWidth, node.clientWidth]")
            assert inner <= outer
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", ["run", "many"])
def test_a_phone_shows_the_list_without_scrolling_sideways(
    open_report: Opener, pages: Pages, name: str
) -> None:
    opened = open_report(pages[name], viewport={"width": 390, "height": 844})
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    cells = page.locator(".item").first.locator(".cell")
    for cell in cells.all():
        box = cell.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
    page.locator(".item .toggle").first.click()
    page.locator(".item.open .detail table").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_the_menu_covers_no_heading(open_report: Opener, pages: Pages) -> None:
    page = open_report(pages["plan"]).page
    for width in (390, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 844})
        covers_nothing(page)


def covers_nothing(page: Page) -> None:
    for link in page.locator(".bar nav.in.sv a").all():
        link.click()
        target = str(link.get_attribute("href"))
        heading = page.locator(f"{target} h1, {target} h2").first.bounding_box()
        bar = page.locator(".bar").bounding_box()
        assert heading is not None
        assert bar is not None
        beside = bar["x"] + bar["width"] <= heading["x"]
        assert beside or heading["y"] >= bar["y"] + bar["height"], target


def test_searches_every_place_of_a_change(open_report: Opener, tmp_path: Path) -> None:
    notes = [{"@type": "Note", "label": f"anmärkning {n}"} for n in range(60)]
    notes.append({"@type": "Note", "label": f"{'x' * 200} nål i höstack {'y' * 400} slutord"})
    before = reports.holding(reports.record_id(2), hasNote=notes)
    changes = [reports.a_reported(1), reports.a_reported(2, Action.DELETE, before=before)]
    data = reports.report_data(tmp_path / "ledger", changes=changes)
    opened = open_report(write_report(data, tmp_path / "r.html", form="html"))
    search = opened.page.get_by_role("searchbox", name="Sök")
    for text, hits in (
        ("anmärkning 59", "1 av 2"),
        ("nål höstack", "1 av 2"),
        ("slutord", "0 av 2"),
    ):
        search.fill(text)
        opened.settle(hits)
    assert "Av långa texter söks bara början (i 1 av ändringarna)." in opened.hits()


def test_bibs_can_be_chosen_and_the_table_stays_on_a_small_screen(
    open_report: Opener, tmp_path: Path
) -> None:
    bib = reports.a_reported(3, Action.DELETE, kind="bib", sigel=None, pattern="delete bib")
    changes = [*(reports.a_reported(n, Action.DELETE) for n in (1, 2)), bib]
    data = reports.report_data(tmp_path, changes=changes)
    path = write_report(data, tmp_path / "r.html", form="html")
    opened = open_report(path, viewport={"width": 420, "height": 900})
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= 420
    (right,) = opened.page.evaluate(
        "[...document.querySelectorAll('main .wide-table')].filter((n) => n.offsetWidth)"
        ".map((n) => n.getBoundingClientRect().right)"
    )
    assert right <= 420
    opened.page.get_by_label("Sigel", exact=True).select_option(label="Bibliografiska poster")
    opened.settle("1 av 3")
    assert opened.rows() == ["3"]
