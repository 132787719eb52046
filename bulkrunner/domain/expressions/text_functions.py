"""Functions that a value applies to texts, and how they are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bulkrunner.domain.expressions import brief, meant
from bulkrunner.domain.text import harmless
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_FUNCTIONS = 20

MAX_WRITTEN = 500

MAX_RESULT = 1_000_000  # characters of a result

MAX_WIDTH = 1000


class TooLong(Exception):
    """A result beyond ``MAX_RESULT``."""


@dataclass(frozen=True, kw_only=True)
class _Function:
    """One function of values."""

    call: Callable[..., str | None]  # answers None where the text has no such part
    said: Callable[..., Sentence]  # what it makes of a text, given its arguments in words
    # least, most: how many arguments it takes.
    least: int = 0
    most: int = 0
    numbers: frozenset[int] = frozenset()  # which of them are whole numbers


def _strip_zeros(text: str) -> str:
    return text.lstrip("0") or text[-1:]


def _split(text: str, separator: str, number: int) -> str | None:
    parts = text.split(separator)
    index = number - 1 if number > 0 else number
    return parts[index] if number and -len(parts) <= index < len(parts) else None


def _replace(text: str, old: str, new: str) -> str:
    if len(text) + text.count(old) * (len(new) - len(old)) > MAX_RESULT:
        raise TooLong
    return text.replace(old, new)


def _after_first_word(text: str) -> str | None:
    words = text.split(maxsplit=1)
    return words[1] if len(words) > 1 else None


# By name. ``default(x)`` stands in where there is no value.
FUNCTIONS = {
    "trim": _Function(call=str.strip, said=lambda: Sentence("call_trim")),
    "collapse": _Function(
        call=lambda text: " ".join(text.split()), said=lambda: Sentence("call_collapse")
    ),
    "upper": _Function(call=str.upper, said=lambda: Sentence("call_upper")),
    "lower": _Function(call=str.lower, said=lambda: Sentence("call_lower")),
    "capitalize": _Function(
        call=lambda text: text[:1].upper() + text[1:], said=lambda: Sentence("call_capitalize")
    ),
    "strip_zeros": _Function(call=_strip_zeros, said=lambda: Sentence("call_strip_zeros")),
    "strip_prefix": _Function(
        call=str.removeprefix,
        said=lambda text: Sentence("call_strip_prefix", text=text),
        least=1,
        most=1,
    ),
    "strip_suffix": _Function(
        call=str.removesuffix,
        said=lambda text: Sentence("call_strip_suffix", text=text),
        least=1,
        most=1,
    ),
    "split": _Function(
        call=_split,
        said=lambda text, part: Sentence("call_split", text=text, part=part),
        least=2,
        most=2,
        numbers=frozenset({1}),
    ),
    "first_word": _Function(
        call=lambda text: next(iter(text.split()), None), said=lambda: Sentence("call_first_word")
    ),
    "after_first_word": _Function(
        call=_after_first_word, said=lambda: Sentence("call_after_first_word")
    ),
    "replace": _Function(
        call=_replace,
        said=lambda old, new: Sentence("call_replace", old=old, new=new),
        least=2,
        most=2,
    ),
    "digits": _Function(
        call=lambda text: "".join(re.findall("[0-9]", text)), said=lambda: Sentence("call_digits")
    ),
    "pad": _Function(
        call=lambda text, width: text.rjust(width, "0"),
        said=lambda width: Sentence("call_pad", width=width),
        least=1,
        most=1,
        numbers=frozenset({0}),
    ),
    "default": _Function(
        call=lambda text, _other: text,
        said=lambda text: Sentence("call_default", text=text),
        least=1,
        most=1,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Call:
    """One function with its arguments."""

    text: str
    name: str
    arguments: tuple[str | int, ...]

    @property
    def said(self) -> Sentence:
        """What it makes of a text, in words."""
        given = (
            f'"{harmless(one)}"' if isinstance(one, str) else str(one) for one in self.arguments
        )
        return FUNCTIONS[self.name].said(*given)


def apply(calls: Sequence[Call], text: str | None) -> str | None:
    """Return what functions make of a text, in turn."""
    # None: nothing is left. TooLong: ``MAX_RESULT``.
    # A text of None is no value; only ``default`` takes it up.
    for call in calls:
        if call.name == "default":
            text = text or str(call.arguments[0])
        elif text is not None:
            text = FUNCTIONS[call.name].call(text, *call.arguments)
        if text is not None and len(text) > MAX_RESULT:
            raise TooLong
    return text


@lru_cache(maxsize=1024)
def parse_call(text: str) -> Call:
    """Read ``name`` or ``name(argument, …)``, arguments perhaps in quotes."""
    # Fault says what is wrong.
    if len(text) > MAX_WRITTEN:
        raise Fault(Sentence("call_long", most=MAX_WRITTEN))
    name, bracket, rest = text.strip().partition("(")
    name = name.strip()
    function = FUNCTIONS.get(name)
    if function is None:
        raise Fault(Sentence("call_unknown", name=brief(name)), hint=meant(name, list(FUNCTIONS)))
    if bracket and not rest.endswith(")"):
        raise Fault(Sentence("call_open", name=name))
    given = _arguments(rest[:-1], name) if bracket else []
    if given and not given[0] and name != "default":
        raise Fault(Sentence("call_empty", name=name))
    if not function.least <= len(given) <= function.most:
        raise Fault(
            Sentence("takes_arguments", name=name, wanted=function.least, count=len(given))
            if function.least
            else Sentence("takes_no_arguments", name=name, count=len(given))
        )
    return Call(
        text=text,
        name=name,
        arguments=tuple(
            _whole(value, name) if number in function.numbers else value
            for number, value in enumerate(given)
        ),
    )


def _whole(text: str, name: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,4}", text) or not -MAX_WIDTH <= int(text) <= MAX_WIDTH:
        raise Fault(Sentence("call_no_whole", text=brief(text), name=name, most=MAX_WIDTH))
    return int(text)


_ARGUMENT = re.compile(r"""(?:\s*"([^"]*)"\s*|\s*'([^']*)'\s*|([^,"']*))(,|$)""")


def _arguments(text: str, name: str) -> list[str]:
    found: list[str] = []
    at = 0
    while True:
        match = _ARGUMENT.match(text, at)
        if match is None:
            raise Fault(
                Sentence("call_arguments", name=name, text=brief(text)),
                hint=Sentence("call_arguments_hint"),
            )
        quoted = match[1] if match[1] is not None else match[2]
        if quoted is None:
            # A blank alone is meant: ``split( , 1)``. Blanks around a word are not.
            quoted = match[3].strip() or (match[3] if not found else "")
        found.append(quoted)
        if not match[4]:
            break
        at = match.end()
    return found
