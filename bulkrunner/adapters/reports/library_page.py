"""The page for one library: its own holdings, before and after, for a librarian to read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bulkrunner.adapters.machine import made_folder, written_whole
from bulkrunner.adapters.reports.language import Language, language, one_line
from bulkrunner.adapters.reports.page import Page, page_margins, page_policy, read_part, templates
from bulkrunner.adapters.reports.page_head import Head, PagePart
from bulkrunner.adapters.reports.phrasing import Line, lines_of
from bulkrunner.domain.approvals import EXCLUDED
from bulkrunner.domain.plan import WRITING, Action
from bulkrunner.domain.report import ORDER, ReportData
from bulkrunner.domain.report_groups import ReportedChange
from bulkrunner.domain.run import Outcome, RunState

# Lines of a change; a holding that goes away or is made has many.
MAX_LINES = 8
MAX_VALUE = 200

# What a librarian asks of an outcome: whether it was done.
DONE = {
    Outcome.APPLIED.value: "done",
    Outcome.UNCHANGED.value: "already",
    Outcome.PENDING.value: "waits",
    EXCLUDED: "excluded",
}


NOT_DONE = ("not_done", "excluded", "waits")


@dataclass(frozen=True, kw_only=True)
class LibraryRow:
    """A record of the library.

    Attributes:
        mark: what becomes or became of it, by which it is coloured. why: it was left as it is.
        lines: what differs. more: lines that are left out.
    """

    item: ReportedChange
    mark: str
    state: str
    why: str
    lines: Sequence[Line]
    more: int


class LibraryPage(PagePart):
    """Sentences and rows of one library."""

    @property
    def name(self) -> str:
        """The library, by its name where that is known."""
        return self.library(self._data.sigel)

    def sentence(self) -> str:
        """Return in one sentence what is done to the library's holdings."""
        words, data = self._words, self._data
        if data.run is not None:
            return self._ran()
        told = [
            words.text(f"what_{action.value}", what=words.count("holding", count))
            for action in ORDER
            if action in WRITING and (count := data.counts.get(action.value, 0))
        ]
        if not told:
            return words.text("l_nothing", library=self.name)
        return words.text("l_plan", deeds=words.listed(told), library=self.name)

    def _ran(self) -> str:
        words, counts = self._words, self.outcomes()
        if not any(counts.values()):
            return words.text("l_nothing", library=self.name)
        done, total = counts["done"] + counts["already"], sum(counts.values())
        told = words.count("holding", total)
        if done == total:
            return words.text("l_run", done=told, library=self.name)
        return words.text("l_run_not_all", done=words.number(done), total=told, library=self.name)

    def outcomes(self) -> dict[str, int]:
        """Return how many of the library's changes were done, and how many were not."""
        counts = dict.fromkeys(("done", "already", "not_done", "excluded", "waits"), 0)
        for word, count in (self._data.outcomes or {}).items():
            counts[DONE.get(word, "not_done")] += count
        return counts

    def rests_on(self) -> str:
        """Return the standing approval that the plan or run rests on, empty where it does not."""
        return Head(self._data, self._words).rests_on()

    def standing(self) -> list[str]:
        """Return what the page is: of when, of which catalogue, and what is still to come."""
        words, data, run = self._words, self._data, self._data.run
        told = [] if data.production else [words.text("l_test")]
        if run is None:
            told.append(words.text("l_of_plan", made=words.time(data.plan.created_at)))
            return told
        key = "l_of_run" if run.state is RunState.COMPLETED else "l_of_unfinished"
        at = run.finished_at or data.generated_at
        told.append(words.text(key, started=words.time(run.started_at), at=words.time(at)))
        return told

    def tiles(self) -> list[tuple[str, int, str]]:
        """Return (mark, count, label): what is done, or was, and what is left as it is."""
        words = self._words
        if self._data.run is not None:
            return [
                (name, count, words.text(f"l_{name}"))
                for name, count in self.outcomes().items()
                if count or name in ("done", "not_done")
            ]
        counts = self._data.counts
        left = sum(count for word, count in counts.items() if word not in set(WRITING))
        return [
            *(
                (action.value, counts.get(action.value, 0), words.name_of("action_count", action))
                for action in (Action.DELETE, Action.UPDATE, Action.CREATE)
            ),
            ("left", left, words.text("l_left")),
        ]

    def rows(self) -> Iterator[LibraryRow]:
        """Yield what is written, then what is left as it is; after a run what was not done first."""
        if self._data.run is None:
            yield from map(self._row, self._data.changes())
            return
        for wanted in (True, False):
            for row in map(self._row, self._data.changes()):
                if (row.mark in NOT_DONE) is wanted:
                    yield row

    def _row(self, item: ReportedChange) -> LibraryRow:
        words, change, result = self._words, item.change, item.result
        action = change.action
        # What a record says of itself is the catalogue's matter where the whole record comes or goes.
        shown = [
            one
            for one in item.differences
            if action is Action.UPDATE or not one.place.startswith("@record.")
        ]
        found, more = lines_of(shown, MAX_VALUE)
        mark, code = action.value, change.code
        state = words.name_of("action", action.value)
        if action not in WRITING:
            return self._left(item, words.text("l_left_one"), code, mark="left")
        if result is not None:
            excluded = result.outcome is Outcome.REFUSED and result.code == EXCLUDED
            done = DONE.get(EXCLUDED if excluded else result.outcome.value, "not_done")
            if done != "done":
                told = words.text(f"l_{done}_one")
                return self._left(item, f"{state}: {told}", result.code, mark=done)
            mark, state = "done", words.text(f"l_done_{action.value}")
        return LibraryRow(
            item=item,
            mark=mark,
            state=state,
            why="",
            lines=found[:MAX_LINES],
            more=max(0, len(found) - MAX_LINES) + more + item.beyond,
        )

    def names_record(self, row: LibraryRow) -> str:
        """Return what the id beside a row names: a holding that is to be made has its bib's."""
        new = row.item.change.action is Action.CREATE and row.mark != "done"
        return self._words.text("on_bib" if new else "l_record")

    def _left(self, item: ReportedChange, state: str, code: str, *, mark: str) -> LibraryRow:
        """Return a record that is as it was; its reason in set words, which name nobody else."""
        why = self._words.explained(code)[0]
        return LibraryRow(item=item, mark=mark, state=state, why=why, lines=(), more=0)


def library_chunks(data: ReportData, words: Language) -> Iterator[bytes]:
    """Yield the page of the library that the report is on; rows are never held all at once."""
    style = read_part("templates/style.css") + page_margins([(data.run or data.plan).id], words)
    page = Page(data, words)
    stream = (
        templates()
        .get_template("library.html")
        .stream(
            data=data,
            plan=data.plan,
            run=data.run,
            main=words,
            w=words,
            t=words.text,
            page=page,
            own=LibraryPage(data, words),
            style=style,
            csp=page_policy(style, ()),
            i="",
        )
    )
    stream.enable_buffering(20)
    for chunk in stream:
        yield chunk.encode()


def write_library_page(data: ReportData, path: Path, *, lang: str) -> Path:
    """Write the page of one library, whole or not at all. UsageError: it cannot be written."""
    with written_whole(path) as file:
        file.writelines(library_chunks(data, language(lang)))
    return path


def file_names(what: str, sigels: Sequence[str], folder: Path | None = None) -> Mapping[str, Path]:
    """Return a file for each sigel, none like another on any file system; makes the folder."""
    taken: set[str] = set()
    found: dict[str, Path] = {}
    for sigel in sigels:
        plain = re.sub(r"[^A-Za-z0-9]+", "_", one_line(sigel, 40)) or "_"
        name, number = plain, 1
        while name.casefold() in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(name.casefold())
        found[sigel] = (folder or Path()) / f"{what}-{name}.html"
    if folder is not None:
        made_folder(folder)
    return found
