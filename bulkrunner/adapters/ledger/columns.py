"""How values stand in columns: moments, digests, texts of any origin, JSON, sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    Dialect,
    LargeBinary,
    String,
    Text,
)
from sqlalchemy.types import TypeDecorator

from bulkrunner.errors import ChainBroken
from bulkrunner.sentences import Sentence, text_of

T = TypeVar("T")

_ESCAPED = "\x01"

_PREFIX = "sha256:"

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def instant_text(value: datetime) -> str:
    """Return UTC with microseconds, always as long, so that text order is the order of time."""
    if value.tzinfo is None:
        raise ValueError("a time without zone cannot be stored")
    return value.astimezone(UTC).isoformat(timespec="microseconds")


def digest_bytes(value: str) -> bytes:
    """Return the 32 bytes of ``sha256:<hex>``."""
    return bytes.fromhex(value.removeprefix(_PREFIX))


def digest_text(value: bytes) -> str:
    """Return ``sha256:<hex>`` of 32 bytes."""
    return _PREFIX + value.hex()


def json_text(value: Any) -> str:
    """Return canonical JSON in ASCII, which every database stores and compares alike."""
    return _JSON.encode(value)


class _Value(TypeDecorator[T]):
    """A column that is asked about its values only where there is one: of most there is none."""

    def result_processor(self, dialect: Dialect, _coltype: object) -> Callable[[Any], T | None]:
        """Return what reads a value; the types that columns are made of change none."""
        read = self.process_result_value
        return lambda value: None if value is None else read(value, dialect)


class Instant(_Value[datetime]):
    """An aware datetime."""

    impl = String(32)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> str | None:
        return None if value is None else instant_text(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> datetime | None:
        return None if value is None else parsed(_instant, value)


class Digest(_Value[str]):
    """A ``sha256:<hex>`` text, kept as its 32 bytes."""

    impl = LargeBinary(32)
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> bytes | None:
        return None if value is None else digest_bytes(value)

    def process_result_value(self, value: bytes | None, _dialect: Dialect) -> str | None:
        return None if value is None else parsed(digest_text, value)


class Words(_Value[str]):
    """Text of any origin.

    Catalogues send lone surrogates and NUL, which no database stores as text; such a value is kept
    as JSON behind a mark, every other one as it is.
    """

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is None or (value.isprintable() and not value.startswith(_ESCAPED)):
            return value
        if value.startswith(_ESCAPED) or "\0" in value or not _encodable(value):
            return _ESCAPED + json.dumps(value)
        return value

    def process_result_value(self, value: str | None, _dialect: Dialect) -> str | None:
        if value is None or not value.startswith(_ESCAPED):
            return value
        return str(parsed(json.loads, value[1:]))


class Json(_Value[Any]):
    """Plain JSON data."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, _dialect: Dialect) -> str | None:
        return None if value is None else json_text(value)

    def process_result_value(self, value: str | None, _dialect: Dialect) -> Any:
        return None if value is None else parsed(json.loads, value)


# Changes of a plan say the same few things, pattern above all.
@lru_cache(maxsize=4096)
def said(stored: str) -> str:
    """Return the text whose stored form a column holds, a sentence where it is one.

    Columns hold the stored form itself, since digests of rows are of what is stored.
    """
    return parsed(text_of, stored)


def kind_of(stored: str | None) -> str | None:
    """Return the kind of a record. ChainBroken: what is stored is none."""
    return parsed(_kind, stored)


def _kind(value: str | None) -> str | None:
    if value not in (None, "holding", "bib"):
        raise ValueError(f"{value!r} is no kind of record")
    return value


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _instant(value: str) -> datetime:
    found = datetime.fromisoformat(value)
    if instant_text(found) != value:
        raise ValueError(f"{value!r} is not how a time is written")
    return found


def parsed(parse: Callable[[Any], T], value: object) -> T:
    """Return what is stored as what it means. ChainBroken: it is nothing that was ever stored."""
    try:
        return parse(value)
    except (ValueError, TypeError, AttributeError) as error:
        raise ChainBroken(
            Sentence("ledger_value_changed", error=str(error)),
            hint=Sentence("ledger_run_check"),
        ) from error
