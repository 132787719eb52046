"""Names of what is counted and how things stand, as sentences for the terminal."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bulkrunner.sentences import Sentence, verbatim

_COUNTED: Mapping[str, Callable[[int], Sentence]] = {
    "above_header": lambda n: Sentence("count_above_header", n=n),
    "applied": lambda n: Sentence("count_applied", n=n),
    "blank": lambda n: Sentence("count_blank", n=n),
    "comment": lambda n: Sentence("count_comment", n=n),
    "conflict": lambda n: Sentence("count_conflict", n=n),
    "create": lambda n: Sentence("count_create", n=n),
    "delete": lambda n: Sentence("count_delete", n=n),
    "different": lambda n: Sentence("count_different", n=n),
    "duplicates": lambda n: Sentence("count_duplicates", n=n),
    "excluded": lambda n: Sentence("count_excluded", n=n),
    "failed": lambda n: Sentence("count_failed", n=n),
    "hidden": lambda n: Sentence("count_hidden", n=n),
    "not_found": lambda n: Sentence("count_not_found", n=n),
    "other_outcome": lambda n: Sentence("count_other_outcome", n=n),
    "pending": lambda n: Sentence("count_pending", n=n),
    "refused": lambda n: Sentence("count_refused", n=n),
    "unchanged": lambda n: Sentence("count_unchanged", n=n),
    "unknown": lambda n: Sentence("count_unknown", n=n),
    "unreadable": lambda n: Sentence("count_unreadable", n=n),
    "update": lambda n: Sentence("count_update", n=n),
}


def counted(name: str, count: int) -> Sentence:
    """Return how many of what is counted under a name; a code stays as it is."""
    found = _COUNTED.get(name)
    return Sentence("count_of", n=count, name=name) if found is None else found(count)


def counts_said(counts: Mapping[str, int]) -> Sentence:
    """Return every count that is not zero, apart by commas."""
    return Sentence("listed", parts=[counted(name, n) for name, n in counts.items() if n])


_WORDS: Mapping[str, Sentence] = {
    str(said): said
    for said in (
        Sentence("word_applied"),
        Sentence("word_complete"),
        Sentence("word_completed"),
        Sentence("word_conflict"),
        Sentence("word_failed"),
        Sentence("word_interrupted"),
        Sentence("word_pending"),
        Sentence("word_planning"),
        Sentence("word_refused"),
        Sentence("word_running"),
        Sentence("word_stopped"),
        Sentence("word_unchanged"),
        Sentence("word_unknown"),
    )
}


def word(name: str) -> Sentence:
    """Return the word for an outcome or a state."""
    return _WORDS.get(name) or verbatim(name)


def signed_said(signer: str, key: str | None = "") -> Sentence:
    """Return by whom an answer is signed, and with which key where that is to be told."""
    if key:
        return Sentence("signed_with_key", signer=signer, key=key)
    if key is None or not signer:
        return Sentence("not_signed")
    return Sentence("signed_by", signer=signer)
