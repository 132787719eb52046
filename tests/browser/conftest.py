"""The report's page in a real browser: Debian's Chromium, from disk, with nothing to fetch."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from bulkrunner.adapters.reports import write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.report import ReportData
from tests.support import reports
from tests.support.catalogue import short_id

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
)
MANY = 3000


@pytest.fixture(scope="session")
def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        reason = "there is no chromium; on Debian: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=list(ARGUMENTS))
        yield launched
        launched.close()


@dataclass
class Opened:
    """A page of a report, with all that the browser complained of and asked for."""

    page: Page
    path: Path
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def ready(self) -> Opened:
        self.page.wait_for_selector("body[data-ready=yes]", timeout=60_000)
        return self

    def rows(self) -> list[str]:
        """The numbers of the changes in sight, from the top."""
        script = """() => [...document.querySelectorAll('.item')]
            .sort((a, b) => a.dataset.index - b.dataset.index)
            .map((node) => node.querySelector('.toggle').textContent.replace(/\\D/g, ''))"""
        found: list[str] = self.page.evaluate(script)
        return found

    def hits(self) -> str:
        return (self.page.locator("#hits").text_content() or "").replace("\u00a0", " ")

    def settle(self, hits: str) -> None:
        """Wait until the list says how many it shows."""
        self.wait(lambda: self.hits().startswith(hits), hits)

    def wait(self, done: Callable[[], bool], what: str = "") -> None:
        """Wait for something to become true (Playwright's own waiting needs what the policy forbids)."""
        for _ in range(200):
            if done():
                return
            self.page.wait_for_timeout(50)
        pytest.fail(f"never: {what or done}; the list says {self.hits()!r}")


class Opener:
    """Opens reports; every page is closed at the end of the test."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []

    def __call__(
        self, path: Path, *, before: str = "", ready: bool = True, **context: Any
    ) -> Opened:
        size = {"width": 1440, "height": 900}
        opened = self._browser.new_context(**{"viewport": size, "offline": True, **context})
        self._contexts.append(opened)
        page = opened.new_page()
        found = Opened(page, path)
        page.on(
            "console",
            lambda message: (
                found.complaints.append(message.text)
                if message.type in ("error", "warning")
                else None
            ),
        )
        page.on("pageerror", lambda error: found.complaints.append(str(error)))
        page.on("request", lambda request: found.requests.append(request.url))
        if before:
            page.add_init_script(before)
        page.goto(path.as_uri())
        return found.ready() if ready else found

    def close(self) -> None:
        for context in self._contexts:
            context.close()


@pytest.fixture
def open_report(browser: Browser) -> Iterator[Opener]:
    opener = Opener(browser)
    yield opener
    opener.close()


def a_change(number: int, **values: Any) -> PlannedChange:
    """One of many: every seventh a deletion, titles and libraries that differ."""
    record = short_id(number * 7919, "h")
    before = reports.holding(record, "Hc" if number % 11 else "Hcf")
    after = deepcopy(before)
    after["@graph"][1]["shelfMark"]["label"] = "Hce"
    action = Action.DELETE if number % 7 == 0 else Action.UPDATE
    sigel = ("Ylm", "NO", "S")[number % 3]
    fields: dict[str, Any] = {
        "record": record,
        "given": record,
        "target_key": f"record:{record}",
        "before": before,
        "after": None if action is Action.DELETE else after,
        "sigel": sigel,
        "library": {"Ylm": "Ylms stadsbibliotek", "NO": "Norrbottens bibliotek"}.get(sigel, ""),
        "bib": BibSummary(
            id=short_id(number, "b"),
            title=f"{('Ö', 'Å', 'A', 'Z')[number % 4]}-boken {number}",
            author="Ek, Anna",
            year=str(1900 + number % 120),
        ),
        **values,
    }
    return reports.a_reported(number, action, **fields)


def crowded() -> list[PlannedChange]:
    """Many libraries, many groups, and many reasons for what is left out."""
    codes = [*language("sv")._data["code"]][:40]
    made = [
        a_change(
            number,
            sigel=f"S{number % 90}",
            library=f"Bibliotek {number % 90}",
            pattern=f"p{number}",
        )
        for number in range(1, 400)
    ]
    refused = [
        reports.a_reported(
            number,
            Action.REFUSED,
            record=short_id(number * 7919, "h"),
            target_key=None,
            code=codes[number % 40],
            message="x " * 60,
            before=None,
            after=None,
        )
        for number in range(400, 600)
    ]
    return [*made, *refused]


class Made(dict[str, Path]):
    """Reports by name, each made when it is first asked for, once for all processes of the tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def __missing__(self, name: str) -> Path:
        path = self._folder / name / "report.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (path.parent / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                write_report(REPORTS[name](path.parent), path, form="html")
        self[name] = path
        return path


REPORTS: dict[str, Callable[[Path], ReportData]] = {
    "plan": lambda folder: reports.report_data(folder, tried=12, policy=reports.LOOSE_POLICY),
    "run": lambda folder: reports.report_data(folder, run=True, approved=True),
    "many": lambda folder: reports.report_data(
        folder, changes=[a_change(number) for number in range(1, MANY + 1)]
    ),
    "crowded": lambda folder: reports.report_data(
        folder, changes=crowded(), run=True, approved=True
    ),
    "joint": lambda folder: reports.report_data(folder, changes=reports.joint_changes(), tried=4),
}


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Reports of the ordinary plan, of its run, and of some with many changes."""
    own = tmp_path_factory.getbasetemp()
    return Made((own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own) / "pages")
