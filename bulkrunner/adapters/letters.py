"""Text out of what a person got by mail: a text file, a saved mail (.eml), or its HTML."""

from __future__ import annotations

import email
import email.policy
import quopri
import re
import sys
from collections.abc import Iterator
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path

from bulkrunner.errors import AnswerRefused

MOST_BYTES = 30 * 1024 * 1024
MOST_PARTS = 50
_HEADER = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:From |[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]?[^\r\n]*\r?\n)", re.ASCII
)
_MAIL = re.compile(
    rb"^(?:message-id|mime-version|received|content-type|return-path):",
    re.IGNORECASE | re.MULTILINE,
)
_PACKED = re.compile(r"^[^\n]{71,75}=$|=(?:3D|20$|C3=[89AB][0-9A-F]|[CEF][456])", re.MULTILINE)
"""What quoted-printable makes of long lines and of letters, where a mail's source was pasted."""
_TAGS = re.compile(r"</(?:p|div|td|span|pre|blockquote|table)>|<br\s*/?>", re.IGNORECASE)
_ENOUGH_TAGS = 3
_OUTLOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENDS_LINE = frozenset(
    {"br", "p", "div", "tr", "li", "pre", "h1", "h2", "h3", "table", "blockquote"}
)
_UNSEEN = frozenset({"style", "script", "head", "title"})


def read_letter(path: str) -> str:
    """Return the text of a file, ``-``: of stdin.

    Raises:
        AnswerRefused: it cannot be read as text.
    """
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise AnswerRefused(
            f"{path} cannot be read ({error.strerror or error})", code="answer_unreadable"
        ) from None
    if len(content) > MOST_BYTES:
        raise AnswerRefused(f"{path} is longer than {MOST_BYTES} bytes", code="answer_unreadable")
    return letter_text(content, path)


def letter_text(content: bytes, name: str = "the file") -> str:
    """Return the text of a mail, with its attachments, or of a text file.

    Raises:
        AnswerRefused: it is neither.
    """
    if content.startswith(_OUTLOOK) or (b"\0" in content[:4] and not _is_utf16(content)):
        raise AnswerRefused(
            f"{name} is no text",
            hint="save the mail as .eml or as text, or copy its text into a file",
            code="answer_unreadable",
        )
    if _HEADER.match(content) and _MAIL.search(content[:20000]):
        try:
            return "\n\n".join(_parts(content))
        except RecursionError:
            raise AnswerRefused(
                f"{name} holds mails within mails, too deep to be read", code="answer_unreadable"
            ) from None
    text = _decoded(content)
    if _PACKED.search(text):
        text = _decoded(quopri.decodestring(content))
    return _without_tags(text) if _is_html(text) else text


def _is_utf16(content: bytes) -> bool:
    return content.startswith((b"\xff\xfe", b"\xfe\xff"))


def _decoded(content: bytes) -> str:
    if _is_utf16(content):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _is_html(text: str) -> bool:
    begins = text.lstrip()[:200].lower().startswith(("<!doctype html", "<html"))
    return begins or len(_TAGS.findall(text, 0, 20_000)) >= _ENOUGH_TAGS


def _parts(content: bytes) -> Iterator[str]:
    """Yield the texts of a mail: of alternatives the plain one, and every attached text."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    plain = {
        id(parent)
        for parent in message.walk()
        if parent.get_content_type() == "multipart/alternative"
        and any(part.get_content_type() == "text/plain" for part in _children(parent))
    }
    for number, (part, parent) in enumerate(_leaves(message, 0)):
        if number >= MOST_PARTS:
            return
        kind = part.get_content_type()
        if kind == "text/html" and (
            parent in plain or part.get_content_disposition() == "attachment"
        ):
            continue  # said again; or the report that was answered
        if part.get_content_maintype() == "text" or _is_attached_text(part):
            data = part.get_payload(decode=True)
            raw = data if isinstance(data, bytes) else b""
            text = _charset(raw, part.get_content_charset())
            yield _without_tags(text) if kind == "text/html" else text


def _children(part: EmailMessage) -> list[EmailMessage]:
    found = part.get_payload() if part.is_multipart() else []
    return (
        [one for one in found if isinstance(one, EmailMessage)] if isinstance(found, list) else []
    )


def _leaves(part: EmailMessage, parent: int) -> Iterator[tuple[EmailMessage, int]]:
    """Yield every part that holds no other, with what it is directly in."""
    stack = [(part, parent)]
    while stack:
        one, above = stack.pop()
        if children := _children(one):
            stack.extend((child, id(one)) for child in reversed(children))
        elif not one.is_multipart():
            yield one, above


def _is_attached_text(part: EmailMessage) -> bool:
    return str(part.get_filename() or "").lower().endswith((".txt", ".sig", ".asc"))


def _charset(raw: bytes, name: str | None) -> str:
    if name is None or name.lower() in ("us-ascii", "utf-8", "unknown-8bit"):
        return _decoded(raw)
    try:
        return raw.decode(name, "replace")
    except LookupError:
        return _decoded(raw)


def _without_tags(text: str) -> str:
    parser = _Words()
    parser.feed(text)
    parser.close()
    return "".join(parser.words)


class _Words(HTMLParser):
    """Keeps the words of a page; every block is a line of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._unseen = 0
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Begin a line, or what is not seen."""
        self._unseen += tag in _UNSEEN
        self._kept += tag == "pre"
        if tag in _ENDS_LINE:
            self.words.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """End a line, or what is not seen."""
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        self._kept -= tag == "pre" and self._kept > 0
        if tag in _ENDS_LINE and tag != "br":
            self.words.append("\n")

    def handle_data(self, data: str) -> None:
        """Keep words."""
        if not self._unseen:
            self.words.append(data if self._kept else re.sub(r"[ \t\r\n]+", " ", data))
