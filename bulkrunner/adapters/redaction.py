"""What a server says, without the secrets that it was sent: the one place where they are hidden.

A server, or something in front of it, may repeat what it was sent: as it was, in another encoding,
in part, backwards, in pieces. Texts that are shown are searched for a few characters in a row, also
in every decoding that is known; what holds some is hidden, rather too much than too little. Data
(records, ids) cannot be altered without harm, so it is only told that it repeats a secret.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
import threading
import unicodedata
from collections import deque
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import re2

HIDDEN = "•••"

# Characters of a secret in a row that are hidden in a text.
PART = 6

# Likewise, where only letters and digits of text and secret are looked at.
SQUEEZED_PART = 8

# Characters of a secret in a row that data may not repeat, or half of it where that is more.
DATA_PART = 12

# Characters that are searched for in data; any DATA_PART in a row hold one of the windows.
_WINDOW = 10

# The newest tokens, also ended ones, are hidden; the last two are looked for in data.
TOKENS = 16

# Characters of a text that are looked at; what comes after them is not shown.
_MOST = 32 * 1024

# Encodings within each other that are seen through.
_DEPTH = 4

# A text from which more can be decoded is not shown.
_MOST_VIEWS = 300

# Keys of an answer that stay where nothing else does.
_KEYS = frozenset({"message", "error", "errors", "code", "status_code", "error_id"})

_TAG = re.compile(r"<[^<>]*>")
_ESCAPE = re.compile(
    r"\\(?:u([0-9a-fA-F]{4})|u\{([0-9a-fA-F]{1,6})\}|x([0-9a-fA-F]{2})|([0-3][0-7]{2})|(.))",
    re.DOTALL,
)
_MARKED_HEX = re.compile(r"(?:0[xX]|[uU]\+)0{0,4}([0-9a-fA-F]{2})(?![0-9a-fA-F])[\s,;:]*")
_QUOTED = re.compile(r"=([0-9A-Fa-f]{2})")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}[ :,-]?){5,}[0-9a-fA-F]{1,2}")
_NUMBERS = re.compile(r"(?:\d{2,3}[ ,;]+){5,}\d{2,3}")
_BASE64 = re.compile(r"[A-Za-z0-9+/]{8,}")
_BASE32 = re.compile(r"[A-Z2-7]{16,}|[a-z2-7]{16,}")
_BETWEEN = re.compile(r"[^A-Za-z0-9+/_=-]+")
_READABLE = re.compile(r"[^\x01-\x1f\x7f\ufffd]{6,}")
_NO_LETTERS = re.compile(r"[\W_]+")


class Redaction:
    """Knows the secret and the tokens of one client; thread safe."""

    def __init__(self, *secrets: str) -> None:
        self._lock = threading.Lock()
        self._secrets = tuple(secret for secret in secrets if secret)
        self._tokens: deque[str] = deque(maxlen=TOKENS)
        self._learn()

    def add(self, token: str) -> None:
        """Hide one more."""
        with self._lock:
            if token not in self._tokens:
                self._tokens.append(token)
                self._learn()

    def _learn(self) -> None:
        self._parts = _Parts((*self._secrets, *self._tokens))
        self._data = _data_pattern((*self._secrets, *list(self._tokens)[-2:]))

    def repeats(self, *data: bytes) -> bool:
        """Return True if data holds much of a secret, in one of the usual encodings."""
        found = self._data
        return found is not None and any(found.search(one) is not None for one in data)

    def hidden(self, said: str) -> str:
        """Return a text without the secrets; a sentence that holds none is left one."""
        shown = self.hide(said)
        return said if shown == said else shown

    def hide(self, text: str) -> str:
        """Return a text without secrets; it may be cut."""
        parts = self._parts
        text = text[:_MOST]
        if not parts.shine_through(text):
            return text
        text = parts.covered(text)
        text = "".join(
            HIDDEN if not word.isspace() and parts.shine_through(word) else word
            for word in re.split(r"(\s+)", text)
        )
        return HIDDEN if parts.shine_through(text) else text

    def body(self, content: bytes, *, is_json: bool) -> bytes:
        """Return the body of an answer that is shown, without secrets."""
        if not content:
            return content
        text = content[:_MOST].decode("utf-8", "replace")
        if not self._parts.shine_through(text):
            return content
        if is_json:
            try:
                return self._hidden_json(json.loads(content)).encode("utf-8", "replace")
            except (ValueError, RecursionError):
                pass
        return self.hide(text).encode("utf-8", "replace")

    def _hidden_json(self, data: Any) -> str:
        hidden = self._value(data)
        text = json.dumps(hidden, ensure_ascii=False)
        # Or it lies in the joints of several texts.
        return json.dumps(_blank(hidden)) if self._parts.shine_through(text) else text

    def _value(self, value: Any) -> Any:
        match value:
            case str():
                return self.hide(value)
            case dict():
                return {self.hide(key): self._value(inner) for key, inner in value.items()}
            case list():
                return [self._value(inner) for inner in value]
            case bool() | None:
                return value
            case _:
                shown = str(value)
                return value if self.hide(shown) == shown else HIDDEN


def _blank(value: Any) -> Any:
    """Return data without its texts."""
    match value:
        case dict():
            return {key if key in _KEYS else HIDDEN: _blank(inner) for key, inner in value.items()}
        case list():
            return [_blank(inner) for inner in value]
        case str():
            return HIDDEN
        case _:
            return value


class _Parts:
    """A few characters in a row of every secret, forwards and backwards."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._direct: dict[int, set[str]] = {}
        squeezed: set[str] = set()
        for secret in secrets:
            folded = _folded(secret)
            for form in (folded, folded[::-1]):
                size = min(PART, len(form))
                self._direct.setdefault(size, set()).update(_runs(form, size))
                squeezed.update(_runs(_squeeze(form), SQUEEZED_PART))
        self._found = _any_of(run for runs in self._direct.values() for run in runs)
        self._found_squeezed = _any_of(squeezed)

    def covered(self, text: str) -> str:
        """Return the text with every part hidden that stands there as it is."""
        folded = _folded(text)
        made, end = "", 0
        for start, stop in sorted(
            (at, at + size)
            for size, runs in self._direct.items()
            for at in range(len(folded) - size + 1)
            if folded[at : at + size] in runs
        ):
            if start > end or not made:
                made += text[end:start] + HIDDEN
            end = max(end, stop)
        return made + text[end:]

    def shine_through(self, text: str) -> bool:
        """Return True if a part stands in the text, or in what can be decoded from it."""
        if self._found is None:
            return False
        return any(
            count >= _MOST_VIEWS or self._stand_in(view) for count, view in enumerate(_views(text))
        )

    def _stand_in(self, text: str) -> bool:
        folded = _folded(text)
        if self._found.search(folded) is not None:
            return True
        return (
            self._found_squeezed is not None
            and self._found_squeezed.search(_squeeze(folded)) is not None
        )


def _any_of(texts: Iterable[str]) -> Any:
    """Return the pattern that finds any of the texts; None where there is none."""
    every = sorted(texts)
    options = re2.Options()
    options.never_capture = True
    return re2.compile("|".join(map(re2.escape, every)), options) if every else None


def _runs(text: str, size: int) -> Iterator[str]:
    for at in range(len(text) - size + 1):
        yield text[at : at + size]


def _folded(text: str) -> str:
    """Return a text in lower case, letter for letter."""
    lower = text.lower()
    return lower if len(lower) == len(text) else "".join(letter.lower()[:1] for letter in text)


def _squeeze(text: str) -> str:
    return _NO_LETTERS.sub("", text)


# What can be decoded


def _views(text: str) -> Iterator[str]:
    """Yield a text and what can be decoded from it, again and again."""
    text = _whole(text)
    seen = {text}
    level = [text]
    yield text
    for _ in range(_DEPTH):
        decoded = {said for view in level for said in _decodings(view) if said} - seen
        seen |= decoded
        yield from decoded
        level = list(decoded)


def _decodings(text: str) -> Iterator[str]:
    if "%" in text:
        yield _whole(unquote(text))
    if "&" in text:
        yield _whole(html.unescape(text))
    if "\\" in text:
        yield _whole(_ESCAPE.sub(_unescaped, text))
    if "=" in text:
        yield _QUOTED.sub(lambda found: _letter(int(found[1], 16)), text.replace("=\n", ""))
    if _MARKED_HEX.search(text):
        yield _MARKED_HEX.sub(lambda found: _letter(int(found[1], 16)), text)
    if "<" in text:
        yield _TAG.sub("", text)
    if not text.isascii():
        yield unicodedata.normalize("NFKC", text)
    yield _BETWEEN.sub("", text)
    yield _readable(_from_base64(text))
    yield _readable(_from_base32(text))
    yield _readable(_from_hex(text))
    yield "\n".join(map(_from_numbers, _NUMBERS.findall(text)))


def _whole(text: str) -> str:
    """Return a text that can be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _unescaped(found: re.Match[str]) -> str:
    number = found[1] or found[2] or found[3]
    if found[4]:
        return _letter(int(found[4], 8))
    return _letter(int(number, 16)) if number else found[5]


def _letter(number: int) -> str:
    return chr(number) if number <= 0x10FFFF else " "


def _readable(decoded: Iterable[bytes]) -> str:
    """Return the readable stretches; what was no encoding leaves hardly any."""
    return "\n".join(
        stretch
        for data in decoded
        for stretch in _READABLE.findall(data.decode("utf-8", "replace"))
    )


def _from_base64(text: str) -> Iterator[bytes]:
    """Decode from each of the four places in its unit where a run may begin."""
    for run in _BASE64.findall(text.replace("-", "+").replace("_", "/")):
        for skipped in range(4):
            piece = run[skipped : len(run) - ((len(run) - skipped) % 4 == 1)]
            yield binascii.a2b_base64(piece + "=" * (-len(piece) % 4))


def _from_base32(text: str) -> Iterator[bytes]:
    for run in _BASE32.findall(text):
        for skipped in range(8):
            size = (len(run) - skipped) // 8 * 8
            yield base64.b32decode(run[skipped : skipped + size], casefold=True)


def _from_hex(text: str) -> Iterator[bytes]:
    for run in _HEX.findall(text):
        digits = _NO_LETTERS.sub("", run)
        for skipped in range(2):
            size = (len(digits) - skipped) // 2 * 2
            yield bytes.fromhex(digits[skipped : skipped + size])


def _from_numbers(run: str) -> str:
    return "".join(_letter(int(number)) for number in re.findall(r"\d+", run))


# What data is searched for


@lru_cache(maxsize=8)  # every client of a process looks for the same
def _data_pattern(secrets: tuple[str, ...]) -> Any:
    forms = [
        form
        for secret in secrets
        for window in _windows(secret)
        for side in (window, window[::-1])
        for form in _forms(side)
    ]
    if not forms:
        return None
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.never_capture = True
    return re2.compile(b"|".join(forms), options)


def _windows(secret: str) -> Iterator[str]:
    """Yield windows of a secret such that whatever holds enough of it in a row holds one."""
    size = len(secret)
    if size < DATA_PART:
        return
    step = max(DATA_PART, -(-size // 2)) - _WINDOW + 1
    for at in sorted({*range(0, size - _WINDOW + 1, step), size - _WINDOW}):
        yield secret[at : at + _WINDOW]


def _forms(text: str) -> Iterator[bytes]:
    data = text.encode()
    any_case = {
        data,
        quote(text, safe="").encode(),
        html.escape(text).encode(),
        json.dumps(text)[1:-1].encode(),
        *(json.dumps(text)[1:-1].replace("/", slash).encode() for slash in ("\\/", "\\\\/")),
        data.hex().encode(),
        b"".join(b"%%%02x" % byte for byte in data),
        *(
            b"".join(escape % ord(letter) for letter in text if ord(letter) < 0x10000)
            for escape in (b"\\u%04x", b"\\\\u%04x")
        ),
        b"".join(b"&#%d;" % ord(letter) for letter in text),
        b"".join(b"&#x%x;" % ord(letter) for letter in text),
    }
    for form in any_case:
        yield b"(?i:" + _literal(form) + b")"
    for before in range(3):
        # Without the characters that also depend on what stands before and after.
        coded = base64.b64encode(b"\0" * before + data).rstrip(b"=")[(0, 2, 3)[before] : -1]
        yield _literal(coded)
        yield _literal(coded.translate(bytes.maketrans(b"+/", b"-_")))


_LITERALS = tuple(b"\\x%02x" % byte for byte in range(256))


def _literal(data: bytes) -> bytes:
    return b"".join(map(_LITERALS.__getitem__, data))
