"""Reports as they should be, to be looked at whenever they change.

``python -m tests.unit.adapters.reports.golden`` writes them anew; look at the difference before committing it.
What is not for people (scripts, styles, digests) is left out, and the changes that stand deflated in
the page are written out.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bulkrunner.adapters.reports import write_report
from tests.support import reports
from tests.support.pages import Page

FOLDER = Path(__file__).parent / "golden"
FORMS = ("html", "md", "csv", "json", "jsonl")


def made() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every golden file; the clock is set."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for kind, given in (
            ("plan", {"tried": 12, "policy": reports.LOOSE_POLICY}),
            ("run", {"run": True, "approved": True}),
            ("joint", {"changes": reports.joint_changes(), "tried": 4}),
        ):
            data = reports.report_data(folder / kind, **given)  # type: ignore[arg-type]
            for form in FORMS:
                for lang in ("sv", "en") if form == "md" else ("sv",):
                    path = write_report(data, folder / f"{kind}.{form}", form=form, lang=lang)
                    text = path.read_bytes().decode("utf-8")
                    shown = readable(text) if form == "html" else text
                    suffix = ".en" if lang == "en" else ""
                    yield f"{kind}{suffix}.{form}", without_digests(shown)


def without_digests(text: str) -> str:
    return re.sub(r"sha256:[0-9a-f]{64}", "sha256:…", text)


def readable(source: str) -> str:
    page = Page(source)
    text = re.sub(r"(&#39;sha256-)[A-Za-z0-9+/=]+", r"\1…", source)
    text = re.sub(r"(<style>).*?(</style>)", r"\1…\2", text, flags=re.DOTALL)
    text = re.sub(r"(<script\b[^>]*>).*?(</script>)", r"\1…\2", text, flags=re.DOTALL)
    text = re.sub(r'data-size="\d+"', 'data-size="…"', text)
    tables = page.tables
    del tables["words"]
    rows = "\n".join(json.dumps(row, ensure_ascii=False) for row in page.rows())
    told = json.dumps(tables, ensure_ascii=False, indent=1)
    return f"{text}\n<!-- the changes -->\n{rows}\n<!-- the tables -->\n{told}\n"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in made():
        (FOLDER / name).write_bytes(text.encode("utf-8"))


if __name__ == "__main__":
    main()
