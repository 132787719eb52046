"""Text out of what a person got by mail: a text file, a saved mail (.eml), or its HTML.

Nothing that a reader of the mail would see or not see is lost on the way: what is struck out or
hidden is told as such, and so is an attachment that is not read. Of alternatives each is a part of
its own, since a reader sees only one of them.
"""

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

from bulkrunner.domain.filled_forms import PART
from bulkrunner.errors import AnswerRefused, why_of
from bulkrunner.sentences import Sentence, verbatim

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

# Lightness from which, and opacity below which, words are not seen on white.
_PALE, _SEEN = 0.87, 0.25

_SHEET = re.compile(r"<style\b[^>]*>(.*?)</style", re.IGNORECASE | re.DOTALL)

_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")

_CONDITIONS = re.compile(r"\[[^\]]*\]|::?[\w-]+(?:\([^)]*\))?")

_SELECTED = re.compile(r"[.#]?[A-Za-z][\w-]*")

# Stands for every element, where a selector names none.
ANY = "*"


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


MOST_BYTES = 30 * 1024 * 1024

MOST_PARTS = 50

_HEADER = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:From |[A-Za-z][A-Za-z0-9-]{0,60}:[ \t]?[^\r\n]*\r?\n)", re.ASCII
)

_MAIL = re.compile(
    rb"^(?:message-id|mime-version|received|content-type|return-path):",
    re.IGNORECASE | re.MULTILINE,
)

# What quoted-printable makes of long lines and of letters, where a mail's source was pasted.
_PACKED = re.compile(r"^[^\n]{71,75}=$|=(?:3D|20$|C3=[89AB][0-9A-F]|[CEF][456])", re.MULTILINE)

_TAGS = re.compile(r"</(?:p|div|td|span|pre|blockquote|table)>|<br\s*/?>", re.IGNORECASE)

_ENOUGH_TAGS = 3

_SAVE_IT = Sentence("save_the_mail")

_OUTLOOK = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

_RICH = b"{\\rtf"

_ENDS_LINE = re.compile(
    "address|article|aside|blockquote|br|caption|center|dd|details|div|dl|dt|fieldset|fig(?:caption|ure)|"
    "footer|form|h[1-6]|header|hr|li|main|nav|ol|option|p|pre|r[pt]|section|summary|t(?:able|body|d|foot|h|head|r)|ul"
)

_UNSEEN = frozenset({"style", "script", "head", "title"})

_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")

_MARKED_TAGS = {
    **dict.fromkeys(("s", "strike", "del"), "struck out"),
    **dict.fromkeys(("template", "dialog", "noscript", "datalist"), "not shown"),
    **dict.fromkeys(("sup", "sub"), "raised or lowered"),
    "bdo": "turned round",
}

# What some mail programs show and others take for a comment.
_SHOWN_BY_SOME = re.compile(r"\[if\b[^\]]*\]>(.*)<!\[endif\]", re.IGNORECASE | re.DOTALL)

_WITHOUT_WORDS = re.compile(r"<(style|xml|script|head)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)

_COMMON_PREAMBLE = re.compile(r"This is an? [\w/ -]*message\b[^\n]*", re.IGNORECASE)

# What Python reads and no mail program does.
_ODD_CHARSETS = frozenset({"utf-7", "unicode-escape", "raw-unicode-escape", "punycode", "idna"})

_PROOFS = frozenset(
    {"application/pkcs7-signature", "application/x-pkcs7-signature", "application/pgp-signature"}
)


def read_letter(path: str) -> str:
    """Return the text of a file, ``-``: of stdin. AnswerRefused: it cannot be read as text."""
    try:
        if path == "-":
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise AnswerRefused(
            Sentence("file_cannot_be_read", path=path, why=why_of(error)),
            code="answer_unreadable",
        ) from None
    if len(content) > MOST_BYTES:
        raise AnswerRefused(
            Sentence("letter_too_long", path=path, most=MOST_BYTES), code="answer_unreadable"
        )
    return letter_text(content, path)


def letter_text(content: bytes, name: str = "") -> str:
    """Return the text of a mail, with its attachments, or of a text file.

    Raises:
        AnswerRefused: it is neither.
    """
    named = verbatim(name) if name else Sentence("the_file")
    if content.startswith(_OUTLOOK) or (b"\0" in content[:4] and not _is_utf16(content)):
        raise AnswerRefused(
            Sentence("letter_no_text", name=named),
            hint=_SAVE_IT,
            code="answer_unreadable",
        )
    if content.startswith(_RICH):
        raise AnswerRefused(
            Sentence("letter_document", name=named), hint=_SAVE_IT, code="answer_unreadable"
        )
    if _HEADER.match(content) and _MAIL.search(content[:20000]):
        try:
            return PART.join(part.replace(PART, "\n") for part in _parts(content))
        except RecursionError:
            raise AnswerRefused(
                Sentence("letter_too_deep", name=named), code="answer_unreadable"
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
    """Yield the subjects and texts of a mail, and the names of attachments that are not read."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    outside = f"{_COMMON_PREAMBLE.sub('', message.preamble or '', 1)}\n{message.epilogue or ''}"
    if outside.strip():
        yield outside
    for number, (part, headed) in enumerate(_leaves(message)):
        if number >= MOST_PARTS:
            raise AnswerRefused(
                Sentence("letter_many_parts", most=MOST_PARTS),
                hint=Sentence("letter_copy_text"),
                code="answer_unreadable",
            )
        if headed is not None:
            yield "\n".join(f"Subject: {said}" for said in _subjects(headed))
        if (text := _text_of(part)) is not None:
            page = part.get_content_type() == "text/html"
            yield text if text.strip() or not page else "[a page without words]"
        elif not _is_of_the_page(part):
            name = str(part.get_filename() or part.get_content_type())
            yield f"[attachment not read: {' '.join(name.split())[:100]}]"


def _subjects(message: EmailMessage) -> list[str]:
    try:
        return [" ".join(str(said).split()) for said in message.get_all("Subject") or [""]]
    except (ValueError, LookupError, TypeError, AttributeError):  # the library's, on odd headers
        return ["[cannot be read]"]


def _text_of(part: EmailMessage) -> str | None:
    """Return the text of a part, None where it is none or an attached page."""
    kind = part.get_content_type()
    page = kind == "text/html" and part.get_content_disposition() != "attachment"
    if not (page or kind == "text/plain" or _is_attached_text(part)):
        return None
    data = part.get_payload(decode=True)
    text = _charset(data if isinstance(data, bytes) else b"", part.get_content_charset())
    return _without_tags(text) if page else text


def _is_of_the_page(part: EmailMessage) -> bool:
    """Return True for a picture in the text, and for a signature over the mail as a whole."""
    if part.get_content_type() in _PROOFS:
        return True
    attached = part.get_content_disposition() == "attachment"
    return part.get_content_maintype() == "image" and not attached


def _children(part: EmailMessage) -> list[EmailMessage]:
    found = part.get_payload() if part.is_multipart() else []
    return (
        [one for one in found if isinstance(one, EmailMessage)] if isinstance(found, list) else []
    )


def _leaves(mail: EmailMessage) -> Iterator[tuple[EmailMessage, EmailMessage | None]]:
    """Yield every part that holds no other, the first of each mail with that mail."""
    stack: list[tuple[EmailMessage, EmailMessage | None]] = [(mail, mail)]
    while stack:
        one, headed = stack.pop()
        children = _children(one)
        if one.get_content_type() == "message/rfc822":
            stack.extend((child, child) for child in reversed(children))
        elif children:
            stack.extend((child, None) for child in reversed(children[1:]))
            stack.append((children[0], headed))
        elif not one.is_multipart():
            yield one, headed


def _is_attached_text(part: EmailMessage) -> bool:
    return str(part.get_filename() or "").lower().endswith((".txt", ".sig", ".asc"))


def _charset(raw: bytes, name: str | None) -> str:
    plain = (name or "us-ascii").lower().replace("_", "-")
    if plain in ("us-ascii", "utf-8", "unknown-8bit") or plain in _ODD_CHARSETS:
        return _decoded(raw)
    try:
        return raw.decode(plain, "replace")
    except LookupError:
        return _decoded(raw)


def _without_tags(text: str) -> str:
    parser = _Words(text)
    parser.feed(text)
    parser.close()
    return "".join(parser.words)


class _Words(HTMLParser):
    """Keeps the words of a page; every block is a line of its own, what is struck out is told."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.words: list[str] = []
        self._sheets = marked_by_sheets(page)
        self._open: list[tuple[str, str]] = []
        self._unseen = 0
        self._kept = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a line, or what is not seen."""
        self._unseen += tag in _UNSEEN
        self._kept += tag == "pre"
        if _ENDS_LINE.fullmatch(tag):
            self.words.append("\n")
        given = {key: value or "" for key, value in attrs}
        if not _VOID.fullmatch(tag):
            self._open.append((tag, self._mark(tag, given)))
        elif given.get("type", "").lower() in ("checkbox", "radio"):
            self.handle_data(" [x] " if "checked" in given else " [ ] ")
        elif said := given.get({"img": "alt", "input": "value"}.get(tag, ""), ""):
            self.handle_data(f" {said} ")

    def handle_endtag(self, tag: str) -> None:
        """End a line, or what is not seen."""
        self._unseen -= tag in _UNSEEN and self._unseen > 0
        self._kept -= tag == "pre" and self._kept > 0
        if _ENDS_LINE.fullmatch(tag) and tag != "br":
            self.words.append("\n")
        opened = [number for number, (name, _) in enumerate(self._open) if name == tag]
        if opened:
            del self._open[opened[-1] :]

    def handle_data(self, data: str) -> None:
        """Keep words, with a mark about those that a reader would not take as they stand."""
        if self._unseen:
            return
        words = data if self._kept else re.sub(r"[ \t\r\n]+", " ", data)
        marks = dict.fromkeys(mark for _, mark in self._open if mark)
        if words.strip() and marks:
            words = f" [{', '.join(marks)}: {words} ] "
        self.words.append(words)

    def handle_comment(self, data: str) -> None:
        """Keep words that some mail programs show."""
        if shown := _SHOWN_BY_SOME.match(data):
            words = " ".join(_without_tags(_WITHOUT_WORDS.sub(" ", shown[1])).split())
            self.handle_data(f" [shown by some mail programs: {words} ] " if words else "")

    def _mark(self, tag: str, attrs: dict[str, str]) -> str:
        style = f"{attrs.get('style', '')};color:{attrs.get('color', '')}"
        names = [tag, f"#{attrs.get('id', '')}", *(f".{c}" for c in attrs.get("class", "").split())]
        marks = [
            _MARKED_TAGS.get(tag),
            "not shown" if "hidden" in attrs else None,
            "turned round" if attrs.get("dir", "").lower() == "rtl" else None,
            *map(self._sheets.get, [*names, ANY]),
            *marks_of(style),
        ]
        return next(filter(None, marks), "")
