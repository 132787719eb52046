"""``python -m bench.selection``: a list of mixed ids and a spreadsheet, planned in little memory.

A list of 100,000 lines (byte order mark, CRLF, blanks, comments, every fifth line a repeat) that
names bibs in every dialect, and an XLSX of 100,000 rows that names holdings, each planned against a
sandbox. Prints seconds and peak memory, and checks that every line is accounted for. Argument: the
number of lines (default 100000).
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

import xlsxwriter

from bench.__main__ import BASE, LIBRARY, configure, record, short_id, start_sandbox, timed

LEGACY = "http://libris.kb.se/bib/"
SEED = 7


def isbn(number: int) -> str:
    stem = f"97891{number:07d}"
    check = -sum(int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(stem)) % 10
    return stem + str(check)


def write_records(path: Path, count: int) -> None:
    """Write bibs with numbers of every kind, each with one holding."""
    with path.open("w", encoding="utf-8") as file:
        for number in range(1, count + 1):
            bib, holding = short_id("b", number), short_id("h", number)
            thing = {
                "@type": "Instance",
                "hasTitle": [{"@type": "Title", "mainTitle": f"Bok nummer {number}"}],
                "identifiedBy": [{"@type": "ISBN", "value": isbn(number)}],
            }
            document = record(bib, thing)
            document["@graph"][0]["sameAs"] = [{"@id": f"{LEGACY}{number}"}]
            document["@graph"][0]["identifiedBy"] = [
                {"@type": "LibrisIIINumber", "value": f"91{number:08d}"},
                {"@type": "SystemNumber", "value": f"(OCoLC){number}"},
            ]
            item = {
                "@type": "Item",
                "heldBy": {"@id": LIBRARY + "Ylm"},
                "itemOf": {"@id": f"{BASE}{bib}#it"},
                "shelfMark": {"@type": "ShelfMark", "label": "Hc"},
            }
            file.write(json.dumps(document) + "\n" + json.dumps(record(holding, item)) + "\n")


def names_of(number: int) -> list[str]:
    bib = short_id("b", number)
    return [
        bib,
        BASE + bib,
        f"https://libris-stg.kb.se/{bib}#it",
        f"{LEGACY}{number}",
        f"(LIBRIS){number}",
        str(number),
        f"(LIBRRIS) {number}",
        isbn(number),
        f"libris3:91{number:08d}",
        f"(OCoLC){number}",
    ]


def write_list(path: Path, lines: int) -> dict[str, int]:
    """Write the list; return how many lines are of which kind."""
    dice = random.Random(SEED)
    repeats, blanks, comments, wrong = lines // 5, lines // 50, lines // 100, lines // 100
    fresh = lines - repeats - blanks - comments - wrong
    texts = [names_of(number)[number % 10] for number in range(1, fresh + 1)]
    texts += dice.choices(texts, k=repeats)
    texts += ["", "   "] * (blanks // 2) + ["# från hyllan"] * comments
    texts += [f"fel {number}" for number in range(wrong)]
    dice.shuffle(texts)
    padded = (f"  {t}\t" if dice.random() < 0.1 and not t.startswith("#") else t for t in texts)
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(padded).encode() + b"\r\n")
    return {"fresh": fresh, "repeat": repeats, "blank": blanks, "comment": comments, "wrong": wrong}


def write_sheet(path: Path, rows: int) -> None:
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("Blad1")
        page.write_row(0, 0, ["Bestånd", "Signum", "Titel", "Antal", "Not"])
        for number in range(1, rows + 1):
            title = f"Bok nummer {number} om något"
            page.write_row(number, 0, [short_id("h", number), "Hce", title, number, "ur listan"])


def write_job(folder: Path, name: str, steps: list[dict[str, Any]], wrong: int) -> Path:
    folder.mkdir(parents=True)
    manifest = {
        "bulkrunner": 1,
        "job": name,
        "title": "Bench",
        "purpose": "Memory",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "accept": [{"code": "unreadable_id", "at_most": wrong, "reason": "made wrong"}],
        "steps": steps,
    }
    (folder / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def report(what: str, spent: float, peak: int, document: dict[str, Any]) -> None:
    print(
        f"{what:24} {spent:8.1f} s  peak {peak / 1e6:6.1f} MB  "
        f"{document.get('requests', 0):7} requests  {document.get('counts', '')}",
        flush=True,
    )
    assert peak < 300e6, "more than 300 MB"


def main(lines: int) -> None:
    change = {"set": {"at": "shelfMark.label", "to": "Hce"}}
    with tempfile.TemporaryDirectory(prefix="bulkrunner-bench-") as name:
        folder = Path(name)
        write_records(folder / "records.jsonl", lines)
        listed = {"ids": {"file": "ids.txt", "as": "bib"}, "holdings": "own", **change}
        first = write_job(folder / "list", "list", [listed], lines)
        kinds = write_list(first / "ids.txt", lines)
        second = write_job(
            folder / "sheet",
            "sheet",
            [{"rows": {"file": "lista.xlsx", "key": "Bestånd"}, **change}],
            0,
        )
        write_sheet(second / "lista.xlsx", lines)
        sandbox, facts = start_sandbox(folder, folder / "records.jsonl")
        try:
            environ = configure(folder, facts, 8)
            for what, job in (("list", first), ("sheet", second)):
                report(f"check of the {what}", *timed(folder, environ, "check", str(job)))
            planned = timed(folder, environ, "plan", str(first), "--env", "staging")
            report("plan of the list", *planned)
            counts = planned[2]["counts"]
            assert counts["update"] == kinds["fresh"], counts
            assert counts["refused"] == kinds["wrong"], counts
            assert accounted(folder, environ, planned[2]["plan"]) == lines
            planned = timed(folder, environ, "plan", str(second), "--env", "staging")
            report("plan of the spreadsheet", *planned)
            assert planned[2]["counts"]["update"] == lines
            assert accounted(folder, environ, planned[2]["plan"]) == lines
        finally:
            sandbox.terminate()
            sandbox.wait()


def accounted(folder: Path, environ: dict[str, str], plan: str) -> int:
    """Return how many lines of the input the plan's report names."""
    out = folder / "report.jsonl"
    spent, peak, _ = timed(folder, environ, "report", plan, "--format", "jsonl", "--out", str(out))
    report("report of it", spent, peak, {})
    seen = set()
    with out.open(encoding="utf-8") as file:
        for line in file:
            found = json.loads(line)
            for one in (found, *found.get("inputs", ())):
                seen.add((one["source"]["file"], one["source"]["line"]))
    return len(seen)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
