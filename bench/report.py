"""``python -m bench.report``: a plan of 100,000 changes grouped, written, and opened in Chromium.

Prints seconds by the clock and of the processor, bytes, and the times that the page itself measures. Argument: the
number of changes (default 100000).
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import sync_playwright

from bench.__main__ import BASE, LIBRARY, SIGELS, record, short_id
from bulkrunner.adapters.ledger import LedgerStore, open_ledger
from bulkrunner.adapters.machine import SystemClock
from bulkrunner.adapters.reports import write_report
from bulkrunner.domain.plan import Action, BibSummary, Plan, PlannedChange, PlanState, plan_digest
from bulkrunner.errors import Source
from bulkrunner.services.report.service import ReportService

T = TypeVar("T")
BATCH = 2000
ADDRESSES = {
    "kind": "production",
    "base_url": BASE.rstrip("/"),
    "token_url": "https://login.libris.kb.se/oauth/token",
    "base_uri": BASE,
}
HEAD: dict[str, Any] = {
    "title": "Hyllkoden Hc blir Hce",
    "purpose": "Mätning",
    "on_behalf_of": "Ylm",
    "active_sigel": "Ylm",
    "sigels": list(SIGELS),
}
FAMILY = ("Lagerlöf", "Strindberg", "Boye", "Söderberg", "Ekman", "Martinson", "Lindgren")
WORDS = ("skog", "stad", "hav", "vinter", "fågel", "resa", "minne", "ljus", "väg", "natt", "arv")


def changes(count: int) -> Iterator[PlannedChange]:
    """Yield 70 % updates of a shelf mark, 20 % removed notes, 10 % deletions."""
    for number in range(1, count + 1):
        holding = short_id("h", number * 7919 % 30**9)
        bib = short_id("b", number * 104729 % 30**9)
        item = {
            "@type": "Item",
            "heldBy": {"@id": LIBRARY + SIGELS[number % len(SIGELS)]},
            "itemOf": {"@id": f"{BASE}{bib}#it"},
            "shelfMark": {"@type": "ShelfMark", "label": "Hc" if number % 9 else f"Hc {number}"},
            "physicalLocation": ["Magasin", "Öppen hylla"],
            "hasNote": [
                {"@type": "Note", "label": f"Gåva {1900 + number % 120} av vän {number}"},
                {"@type": "Note", "label": "Bunden"},
            ],
        }
        before = record(holding, item)
        after: dict[str, Any] | None = deepcopy(before)
        action = Action.UPDATE
        if number % 10 == 0:
            action, after = Action.DELETE, None
        elif number % 5 == 1:
            del after["@graph"][1]["hasNote"][0]  # type: ignore[index]
        else:
            after["@graph"][1]["shelfMark"]["label"] = "Hce"  # type: ignore[index]
        title = " ".join(WORDS[(number * step) % len(WORDS)] for step in (1, 3, 7))
        yield PlannedChange(
            number=number,
            action=action,
            record=holding,
            given=holding,
            source=Source(file="ops.jsonl", line=number),
            operation={"update": holding, "changes": []},
            kind="holding",
            sigel=SIGELS[number % len(SIGELS)],
            bib=BibSummary(
                id=bib,
                title=f"{title.capitalize()} {number}",
                author=f"{FAMILY[number % len(FAMILY)]}, {WORDS[number % 5].capitalize()}",
                year=str(1900 + number % 125),
            ),
            etag="1",
            before=before,
            after=after,
            pattern="update holding: set shelfMark.label",
            target_key=f"record:{holding}",
        )


def store(ledger: LedgerStore, count: int) -> Plan:
    now = datetime.now(UTC)
    plan = Plan(
        id="p-bench",
        job="bench",
        environment="production",
        addresses=ADDRESSES,
        manifest_digest="sha256:" + "1" * 64,
        effect_digest="sha256:" + "2" * 64,
        policy={},
        manifest=HEAD,
        program_version="0",
        created_at=now,
        state=PlanState.PLANNING,
        folder="/jobs/bench",
    )
    ledger.plans.begin(plan)
    batch: list[PlannedChange] = []
    for change in changes(count):
        batch.append(change)
        if len(batch) == BATCH or change.number == count:
            ledger.plans.add_changes(plan.id, batch, cursor=change.number)
            batch = []
    digest = plan_digest(plan.digest_head(), ledger.plans.change_digests(plan.id))
    return ledger.plans.finish(
        plan.id,
        plan_digest=digest,
        counts=ledger.plans.count_actions(plan.id),
        requests=count,
        at=now,
    )


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkrunner-bench-") as name:
        folder = Path(name)
        ledger = open_ledger(f"sqlite:///{folder}/ledger.db", clock=SystemClock())
        try:
            plan = store(ledger, count)
            data, spent = timed(
                lambda: ReportService(ledger, SystemClock()).report_of(plan, None, ())
            )
            patterns = len(data.grouped.patterns)
            print(f"{count} changes grouped  {spent}  {patterns} patterns")
            for form in ("html", "zip", "xlsx", "csv"):
                path = folder / f"report.{form}"
                _, spent = timed(lambda: write_report(data, path, form=form))  # noqa: B023
                print(f"{form:5} written           {spent}  {path.stat().st_size / 1e6:6.1f} MB")
        finally:
            ledger.close()
        measure(folder / "report.html")


def timed(work: Callable[[], T]) -> tuple[T, str]:
    began, busy = time.perf_counter(), time.process_time()
    found = work()
    wall, cpu = time.perf_counter() - began, time.process_time() - busy
    return found, f"{wall:7.1f} s ({cpu:5.1f} s of CPU)"


def measure(path: Path) -> None:
    """Open the page in Chromium and print what it says of itself."""
    chromium = shutil.which("chromium")
    if chromium is None:
        print("no chromium: the page was not opened")
        return
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(path.as_uri(), wait_until="commit")
        page.wait_for_selector("#grid .item", timeout=120_000)
        listed = page.evaluate("performance.now()")
        page.wait_for_selector("body[data-ready=yes]", timeout=120_000)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"first paint             {paint / 1000:7.2f} s")
        print(f"first rows in the list  {listed / 1000:7.2f} s")
        print(f"every row in the list   {page.evaluate('performance.now()') / 1000:7.2f} s")
        for text in ("resa", "lagerlöf 77", "nothing at all", ""):
            print(f"filter {text!r:17}{page.evaluate(FILTER, text):7.0f} ms")
        print(f"filter by library       {page.evaluate(CHOOSE, 'by-sigel'):7.0f} ms")
        print(f"sort by title           {page.evaluate(SORT, 'title'):7.0f} ms")
        browser.close()


WAIT = """
    const bar = document.getElementById('hits'), began = performance.now();
    const drawn = new Promise((done) => new MutationObserver(() =>
        requestAnimationFrame(() => done(performance.now() - began))
    ).observe(bar, { childList: true, characterData: true, subtree: true }));
"""
FILTER = (
    """async (text) => {
    const field = document.getElementById('search');
    field.value = text;
    field.dispatchEvent(new Event('input'));
"""
    + WAIT
    + "return await drawn - 80; }"  # the page waits so long for more letters
)
CHOOSE = (
    "async (name) => { const field = document.getElementById(name); field.value = '1';"
    + WAIT
    + "field.dispatchEvent(new Event('change')); return await drawn; }"
)
SORT = (
    "async (name) => { const button = document.querySelector(`[data-column=${name}]`);"
    + WAIT
    + "button.click(); return await drawn; }"
)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
