"""Regular expressions by RE2, which takes time linear in the text for every search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import re2

from bulkrunner.domain.expressions import Pattern, brief
from bulkrunner.errors import Fault
from bulkrunner.sentences import Sentence

MAX_PATTERN = 1000
# Bytes that one compiled expression may take.
MAX_MEMORY = 4_000_000

# Characters of a text that is replaced in; real ones have a few hundred.
MAX_TEXT = 100_000

# Matches replaced in one text. Each begins a search of its own, so that both bounds count.
MAX_MATCHES = 1000


class Re2Engine:
    """Compiles regular expressions in RE2's syntax."""

    def compile(self, text: str, /) -> Pattern:
        """Return the compiled expression. Fault: malformed, or too large."""
        if len(text) > MAX_PATTERN:
            raise Fault(Sentence("pattern_too_long", most=MAX_PATTERN))
        options = re2.Options()
        options.log_errors = False
        options.max_mem = MAX_MEMORY
        try:
            compiled = re2.compile(text, options)
        except (re2.error, UnicodeEncodeError) as error:
            raise Fault(
                Sentence("pattern_bad", text=brief(text), error=_reason(error)),
                hint=Sentence("pattern_bad_hint"),
                code="bad_pattern",
            ) from None
        return _Compiled(text=text, regexp=compiled)


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
    return text if isinstance(error, re2.error) else Sentence("half_character_in_it")


@dataclass(frozen=True, kw_only=True)
class _Compiled:
    text: str
    regexp: Any = field(compare=False, repr=False)

    @property
    def groups(self) -> int:
        return int(self.regexp.groups)

    def found_in(self, text: str, /) -> bool:
        # One search is linear, however long the text; it needs no bound.
        try:
            return self.regexp.search(text) is not None
        except UnicodeEncodeError:
            return False

    def replaced(self, text: str, template: Sequence[str | int], /) -> str | None:
        if len(text) > MAX_TEXT:
            return None
        pieces: list[str] = []
        at = count = 0
        try:
            for match in self.regexp.finditer(text):
                count += 1
                if count > MAX_MATCHES:
                    return None
                pieces.append(text[at : match.start()])
                pieces += [
                    part if isinstance(part, str) else (match.group(part) or "")
                    for part in template
                ]
                at = match.end()
        except UnicodeEncodeError:
            return text
        return "".join([*pieces, text[at:]])
