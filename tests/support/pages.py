"""Reads the report's HTML back, as strictly as a browser would read it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

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
    """Every element of a page, in order; fails where tags do not match."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.source = source
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
        self.nodes.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open[-1].tag == tag, f"</{tag}> closes <{self._open[-1].tag}>"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for node in self._open:
            node.parts.append(data)

    def all(self, tag: str, css: str = "") -> list[Node]:
        return [n for n in self.nodes if n.tag == tag and (not css or css in n.classes)]

    def section(self, name: str) -> Node:
        return next(n for n in self.nodes if n.attributes.get("id") == name)

    def within(self, section: str, tag: str, css: str = "") -> list[Node]:
        return [n for n in self.all(tag, css) if section in n.inside]
