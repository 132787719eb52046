"""Reads the report's HTML back, as strictly as a browser would read it."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

VOID = frozenset({"meta", "br", "input", "link", "img", "hr"})


@dataclass
class Node:
    """An element with its attributes and its whole text."""

    tag: str
    attributes: dict[str, str]
    inside: tuple[str, ...]
    parts: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join("".join(self.parts).split())

    @property
    def classes(self) -> list[str]:
        return self.attributes.get("class", "").split()


class Page(HTMLParser):
    """Every element of a page in one of its languages; fails where tags do not match."""

    def __init__(self, source: str, lang: str | None = None) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
        self._lang = lang
        self.nodes: list[Node] = []
        self._open: list[Node] = []
        self.feed(source)
        self.close()
        assert not self._open, f"never closed: {[node.tag for node in self._open]}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), f"an attribute twice on {tag}"
        node = Node(
            tag,
            {name: value or "" for name, value in attrs},
            tuple(open_.attributes.get("id", "") for open_ in self._open),
        )
        if not any(map(self._is_foreign, [*self._open, node])):
            self.nodes.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if any(map(self._is_foreign, self._open)):
            return
        for node in self._open:
            node.parts.append(data)

    def _is_foreign(self, node: Node) -> bool:
        """Whether the element is there for readers of another language."""
        return "in" in node.classes and self._lang not in (None, node.attributes.get("lang"))

    def all(self, tag: str, css: str = "") -> list[Node]:
        return [n for n in self.nodes if n.tag == tag and (not css or css in n.classes)]

    def section(self, name: str) -> Node:
        return next(n for n in self.nodes if n.attributes.get("id") == name)

    def within(self, section: str, tag: str, css: str = "") -> list[Node]:
        return [n for n in self.all(tag, css) if section in n.inside]

    # --- the changes, which only the page's script shows ---------------------------------------

    @property
    def tables(self) -> dict[str, Any]:
        """The tables behind the numbers in the rows."""
        found = json.loads("".join(self.section("tables").parts))
        assert isinstance(found, dict)
        return found

    def _block(self, name: str) -> list[Any]:
        rows: list[Any] = []
        for node in self.all("script", name):
            data = zlib.decompress(base64.b64decode("".join(node.parts)), wbits=-zlib.MAX_WBITS)
            assert len(data) == int(node.attributes["data-size"])
            rows += json.loads(data)
        return rows

    def rows(self) -> list[dict[str, Any]]:
        """Every change as the list knows it: what names it, its lines, and what else there is."""
        tables = self.tables
        return [
            {
                "number": head[0],
                "action": tables["actions"][head[1]],
                "outcome": None if head[2] < 0 else tables["outcomes"][head[2]],
                "record": head[3],
                "sigel": tables["sigels"][head[4]],
                "title": head[5],
                "author": head[6],
                "year": head[7],
                "pattern": head[8],
                "code": tables["codes"][head[9]][0],
                "lines": [
                    (
                        tables["places"][place][0],
                        ("changed", "added", "removed")[kind],
                        before,
                        after,
                    )
                    for place, kind, before, after in lines
                ],
                **({"further": head[14]} if len(head) > 14 else {}),
                **(extra[0] if extra else {}),
            }
            for head, (lines, *extra) in zip(
                self._block("index"), self._block("detail"), strict=True
            )
        ]

    def row(self, number: int) -> dict[str, Any]:
        """One change as the list knows it."""
        return next(row for row in self.rows() if row["number"] == number)
