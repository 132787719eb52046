"""The way of one explicit update through planning, measured: files, frames and wrapper types.

Counted is what happens to it in its batch; beside that stand the files that make the plan as a whole.

``python -m tests.project.trace`` prints it; ``test_trace.py`` keeps it from growing back.
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import FrameType
from typing import Any

import bulkrunner
from tests.support.catalogue import MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.planning import Desk, listed, set_label

PACKAGE = str(Path(bulkrunner.__file__).parent)
INNER = (f"{PACKAGE}/services/", f"{PACKAGE}/domain/")
PLANNING = f"{PACKAGE}/services/planning/"
CHANGE = "apply_change"
"""The function of the domain that changes a document."""

BATCH = "BatchPlanner.plan"
"""Turns the entries of a batch into changes."""

UPDATES = 3
"""Planned, each on a bib of its own: what is made for each of them is made so often at least."""


class Trace:
    """Notes every call in services and domain, in every thread."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.around: set[str] = set()
        self._in_batch = False
        self.functions: set[str] = set()
        self._made: Counter[str] = Counter()
        self.deepest: list[str] = []

    def __call__(self, frame: FrameType, event: str, _argument: Any) -> None:
        name = frame.f_code.co_filename
        if event in ("call", "return") and frame.f_code.co_qualname == BATCH:
            self._in_batch = event == "call"
        if event != "call":
            return
        if name.startswith(INNER):
            files = self.files if self._in_batch else self.around
            files.add(name.removeprefix(f"{PACKAGE}/"))
            self.functions.add(f"{name}:{frame.f_code.co_qualname}")
            if "/domain/changes/" in name and frame.f_code.co_name == CHANGE:
                self._measure(frame)
        elif name == "<string>" and frame.f_code.co_name == "__init__":
            self._note(type(frame.f_locals.get("self")))

    def _note(self, kind: type) -> None:
        """Note a dataclass of the planning room that is made on the way."""
        if kind.__module__.startswith("bulkrunner.services.planning") and dataclasses.is_dataclass(
            kind
        ):
            self._made[kind.__name__] += 1

    @property
    def wrappers(self) -> list[str]:
        """Types of the planning room that each change is put into on its way."""
        return sorted(name for name, count in self._made.items() if count >= UPDATES)

    def _measure(self, frame: FrameType) -> None:
        """Count the frames of the planning room above a change that is applied."""
        above: list[str] = []
        at: FrameType | None = frame
        while at is not None:
            if at.f_code.co_filename.startswith(PLANNING):
                above.append(at.f_code.co_qualname)
            at = at.f_back
        if len(above) > len(self.deepest):
            self.deepest = above[::-1]


def traced() -> Trace:
    """Plan explicit updates of holdings and return what was met on the way."""
    with tempfile.TemporaryDirectory() as folder:
        mark = {"@type": "ShelfMark", "label": "Hc"}
        pairs = [(short_id(number), short_id(number, "b")) for number in range(UPDATES)]
        records = {bib: a_bib(bib) for _holding, bib in pairs}
        records |= {one: a_holding(one, bib, shelfMark=mark) for one, bib in pairs}
        desk = Desk(Path(folder), MemoryCatalogue(records=records))
        trace = Trace()
        threading.setprofile(trace)
        sys.setprofile(trace)
        try:
            desk.plan(listed(*(set_label(record) for record, _bib in pairs)))
        finally:
            sys.setprofile(None)
            threading.setprofile(None)  # type: ignore[arg-type]
    return trace


if __name__ == "__main__":
    found = traced()
    print(len(found.files), "files of services and domain:", *sorted(found.files), sep="\n  ")
    print(len(found.files | found.around), "with those that make the plan as a whole")
    print(len(found.functions), "functions")
    print(len(found.deepest), "frames from the batch to the change:", *found.deepest, sep="\n  ")
    print(len(found.wrappers), "wrapper types:", ", ".join(sorted(found.wrappers)))
