"""What the styles of a page do to words that a reader would heed: struck out, hidden, turned."""

from __future__ import annotations

import re

_STRUCK = re.compile(r"line-through", re.IGNORECASE)
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|mso-hide\s*:\s*all"
    r"|(?<![\w-])(?:font-size|(?:max-)?height|opacity|(?:max-)?width)\s*:\s*0(?![.\d]*[1-9])"
    r"|font-size\s*:\s*[12](?:\.\d+)?p[xt]"
    r"|(?<![\w-])(?:text-indent|left|right|top|margin-left)\s*:\s*-\d{3}"
    r"|(?<![\w-])clip(?:-path)?\s*:\s*(?!auto|none)\w",
    re.IGNORECASE,
)
_TURNED = re.compile(
    r"-override|(?<![\w-])(?:direction\s*:\s*rtl|transform\s*:|writing-mode\s*:)", re.IGNORECASE
)
_ADDING = re.compile(r"content\s*:\s*(?:[\"'][^\"']|attr)", re.IGNORECASE)

_COLOUR = re.compile(r"(?<![\w-])color\s*:\s*(#?[\w-]+(?:\([^)]*\))?)", re.IGNORECASE)
_LIGHT = re.compile(
    r"transparent|\w*white\w*|snow|ivory|azure|mintcream|honeydew|seashell|\w*cream"
)
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_AMOUNT = re.compile(r"(\d*\.?\d+)(%?)")
_PALE, _SEEN = 0.87, 0.25
"""Lightness from which, and opacity below which, words are not seen on white."""

_SHEET = re.compile(r"<style\b[^>]*>(.*?)</style", re.IGNORECASE | re.DOTALL)
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_CONDITIONS = re.compile(r"\[[^\]]*\]|::?[\w-]+(?:\([^)]*\))?")
_SELECTED = re.compile(r"[.#]?[A-Za-z][\w-]*")
ANY = "*"
"""Stands for every element, where a selector names none."""


def marks_of(style: str) -> list[str]:
    """Return what a style does to words."""
    style = style.replace("\\", "")
    found = {
        "struck out": _STRUCK.search(style) is not None,
        "not shown": _HIDDEN.search(style) is not None
        or any(map(_is_faint, _COLOUR.findall(style))),
        "turned round": _TURNED.search(style) is not None,
        "words added by a style": _ADDING.search(style) is not None,
    }
    return [mark for mark, so in found.items() if so]


def marked_by_sheets(page: str) -> dict[str, str]:
    """Return tags, ``.classes`` and ``#ids`` that a style sheet may mark, with the mark."""
    found: dict[str, str] = {}
    for selectors, rule in _RULE.findall(" ".join(_SHEET.findall(page))):
        if marks := marks_of(rule):
            for selector in selectors.split(","):
                last = (_CONDITIONS.sub("", selector).split() or [""])[-1]
                for name in _SELECTED.findall(last) or [ANY]:
                    found.setdefault(name, marks[0])
    return found


def _is_faint(colour: str) -> bool:
    colour = colour.lower()
    if _HEX.fullmatch(colour):
        wide = len(colour) > 5
        digits = [
            colour[n : n + 2] if wide else colour[n] * 2 for n in range(1, len(colour), 1 + wide)
        ]
        parts = [int(pair, 16) / 255 for pair in digits]
    elif "(" in colour:
        kind, _, inside = colour.partition("(")
        parts = [
            float(number) / (100 if percent else 1 if n == 3 or kind.startswith("hsl") else 255)
            for n, (number, percent) in enumerate(_AMOUNT.findall(inside))
        ]
        if kind.startswith("hsl"):
            parts[:3] = parts[2:3]
            return min(parts[:1], default=1) >= _PALE or min(parts[1:], default=1) < _SEEN
    else:
        return _LIGHT.fullmatch(colour) is not None
    return min(parts[:3], default=1) >= _PALE or min(parts[3:], default=1) < _SEEN
