"""KB's summary of what was done under a standing approval: a page, Markdown for a ticket, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bulkrunner.adapters.machine import written_whole
from bulkrunner.adapters.reports.language import Language, language, one_line
from bulkrunner.adapters.reports.markdown import code, plain
from bulkrunner.adapters.reports.page import page_margins, page_policy, read_part, templates
from bulkrunner.domain.standing import ACTIONS
from bulkrunner.domain.standing_summary import OUTCOMES, StandingSummary, SummaryRun, total
from bulkrunner.domain.text import escaped

FORMATS = ("html", "json", "md")

# What is counted, in the order of the columns.
COUNTED = (*ACTIONS, *OUTCOMES, "refusals", "undone")


class StandingPage:
    """Sentences and tables of a summary in one language."""

    def __init__(self, found: StandingSummary, words: Language) -> None:
        self._found = found
        self._words = words

    def lines(self) -> list[str]:
        """Return what stands above the tables."""
        words, found = self._words, self._found
        told = [words.reason(found.rests_on.told()).text]
        if found.ended is not None:
            told.append(words.text("st_ended", why=words.reason(found.ended).text))
        done = sum(found.totals.get(action, 0) for action in ACTIONS)
        told.append(
            words.text("st_total", runs=words.number(len(found.runs)), n=words.number(done))
        )
        if found.others:
            told.append(words.text("st_others", n=words.number(len(found.others))))
        return [one_line(line, 600) for line in told]

    def months(self) -> Mapping[str, Sequence[Sequence[str]]]:
        """Return the rows of each month, sums last."""
        return {
            month: [*map(self._row, runs), ("", self._words.text("st_sum"), *self._sums(runs))]
            for month, runs in self._found.months().items()
        }

    def heads(self) -> list[str]:
        """Return the heads of the columns."""
        return [self._words.text(f"st_{name}") for name in ("day", "run", *COUNTED)]

    def _row(self, one: SummaryRun) -> Sequence[str]:
        numbers = one.numbers()
        own = f" ({self._words.text('st_own')})" if one.own else ""
        cells = (self._words.number(numbers[name]) for name in COUNTED)
        return (self._words.time(one.run.started_at), f"{one.run.id}{own}", *cells)

    def _sums(self, runs: Sequence[SummaryRun]) -> Iterator[str]:
        sums = total(list(runs))
        return (self._words.number(sums[name]) for name in COUNTED)


def write_summary(found: StandingSummary, path: Path, *, form: str, lang: str) -> None:
    """Write a summary, whole or not at all. UsageError: it cannot be written."""
    words = language(lang)
    with written_whole(path) as file:
        file.writelines(_FORMS[form](found, words))


def _html(found: StandingSummary, words: Language) -> Iterator[bytes]:
    style = read_part("templates/style.css") + page_margins([found.rests_on.plan], words)
    page = StandingPage(found, words)
    text = (
        templates()
        .get_template("standing.html")
        .render(
            found=found,
            page=page,
            main=words,
            w=words,
            t=words.text,
            style=style,
            csp=page_policy(style, ()),
        )
    )
    yield text.encode()


def _markdown(found: StandingSummary, words: Language) -> Iterator[bytes]:
    page = StandingPage(found, words)
    lines = [f"# {plain(words.text('st_title', title=found.title), 200)}", ""]
    lines += [f"{plain(line)}\n" for line in page.lines()]
    for month, rows in page.months().items():
        heads = page.heads()
        lines += [f"## {month}", "", f"| {' | '.join(map(plain, heads))} |"]
        lines.append(f"|{'|'.join(['---', '---', *('---:' for _ in COUNTED)])}|")
        lines += [f"| {' | '.join(plain(cell) for cell in row)} |" for row in rows]
        lines.append("")
    lines.append(f"{plain(words.text('fact_head'))}: {code(found.head)}")
    yield "\n".join([*lines, ""]).encode()


def _json(found: StandingSummary, _words: Language) -> Iterator[bytes]:
    yield escaped(json.dumps(found.as_dict(), ensure_ascii=False, indent=1)).encode() + b"\n"


_FORMS = {"html": _html, "md": _markdown, "json": _json}
