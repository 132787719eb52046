"""Pictures in the how-tos: ``make pictures`` takes them anew, of the reports that the demo writes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from tests.support.paths import ROOT

FOLDER = ROOT / "docs" / "how-to" / "pictures"
WIDTH = 1280

# Report, section whose top is the picture's, and the height in pixels.
PICTURES = {
    "plan-overblick": ("plan", "summary", 440),
    "plan-grupper": ("plan", "patterns", 520),
    "plan-svara": ("plan", "answer", 560),
    "korning-overblick": ("run", "summary", 520),
}


def told() -> Path:
    """Return the folder with the demo's reports."""
    command = [sys.executable, "-m", "bulkrunner", "demo", "--lang", "sv", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Path(json.loads(done.stdout)["folder"])


def taken(page: Page, section: str, height: int, path: Path) -> None:
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.evaluate(f"document.getElementById('{section}').scrollIntoView()")
    page.screenshot(path=path)


def main() -> None:
    folder = told()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for name, (report, section, height) in PICTURES.items():
            page = browser.new_page()
            page.goto((folder / f"{report}.html").as_uri())
            page.wait_for_selector("body[data-ready=yes]")
            taken(page, section, height, FOLDER / f"{name}.png")
            page.close()
        browser.close()
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
