"""``python -m bench.library``: one library's holdings, planned from its dump.

Deletes all of a library's holdings, in the plan only: once as a whole library, once as a list of
its ids, and both of the first tenth one by one. Prints seconds, CPU of the client, peak memory and
requests a record; more than 0.05 requests a record are a fault. Argument: the number of holdings
(default 100000).
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.__main__ import BASE, LIBRARY, configure, record, short_id, start_sandbox, timed

MOST = 0.05


def write_records(path: Path, count: int) -> list[str]:
    """Write bibs with one holding each; return the holdings' ids, in no order."""
    ids = [short_id("h", number) for number in range(1, count + 1)]
    with path.open("w", encoding="utf-8") as file:
        for number, one in enumerate(ids, start=1):
            bib = short_id("b", number)
            title = {"@type": "Title", "mainTitle": f"Bok nummer {number}"}
            item = {
                "@type": "Item",
                "heldBy": {"@id": LIBRARY + "Ylm"},
                "itemOf": {"@id": f"{BASE}{bib}#it"},
                "shelfMark": {"@type": "ShelfMark", "label": "Hc"},
                "physicalLocation": ["Magasin", "Öppen hylla"],
            }
            for document in (
                record(bib, {"@type": "Instance", "hasTitle": [title]}),
                record(one, item),
            ):
                file.write(json.dumps(document) + "\n")
    random.Random(7).shuffle(ids)
    return ids


def write_job(folder: Path, selects: dict[str, Any]) -> Path:
    folder.mkdir(parents=True)
    manifest = {
        "bulkrunner": 1,
        "job": folder.name,
        "title": "Bench",
        "purpose": "Requests",
        "on_behalf_of": "Ylm",
        "sigels": ["Ylm"],
        "steps": [{**selects, "delete": True}],
    }
    (folder / "job.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def planned(
    folder: Path, environ: dict[str, str], what: str, job: Path, *options: str
) -> tuple[float, dict[str, Any]]:
    """Plan a job; print its figures and return requests a record, and the document."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent, peak, document = timed(folder, environ, "plan", str(job), "--env", "staging", *options)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    records = document["counts"]["delete"]
    each = document["requests"] / records
    print(
        f"{what:28} {records:7} records {spent:7.1f} s  CPU {cpu / records * 1000:5.2f} ms a record"
        f"  {each:6.4f} requests a record  peak {peak / 1e6:6.1f} MB  {document.get('reads')}",
        flush=True,
    )
    assert peak < 300e6, "more than 300 MB"
    return each, document


def main(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bulkrunner-bench-") as name:
        folder = Path(name)
        ids = write_records(folder / "records.jsonl", count)
        library = write_job(folder / "library", {"library": "Ylm"})
        listed = write_job(folder / "list", {"ids": {"file": "ids.txt"}})
        (listed / "ids.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
        tenth = write_job(folder / "tenth", {"ids": {"file": "ids.txt"}})
        (tenth / "ids.txt").write_text("\n".join(ids[: count // 10]) + "\n", encoding="utf-8")
        sandbox, facts = start_sandbox(folder, folder / "records.jsonl")
        try:
            environ = configure(folder, facts, 8)
            for what, job in (("the library", library), ("a list of its ids", listed)):
                each, document = planned(folder, environ, what, job)
                assert document["counts"]["delete"] == count, document["counts"]
                assert each <= MOST, f"more than {MOST} requests a record"
            planned(folder, environ, "a tenth, one by one", tenth, "--source", "get")
        finally:
            sandbox.terminate()
            sandbox.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
