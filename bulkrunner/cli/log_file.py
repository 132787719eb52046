"""``--log FILE``: what a command did and met, one JSON object a line, without secrets of clients."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from bulkrunner.config import SECRET_VARIABLE
from bulkrunner.errors import UsageError, why_of
from bulkrunner.sentences import Sentence

# What stands in place of a secret.
HIDDEN = "•••"

# What every record of the logging library has by itself.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(logging.Formatter):
    """Writes a record as one JSON object on one line."""

    def __init__(self, secrets: Sequence[str]) -> None:
        super().__init__()
        forms = {form for secret in secrets if secret for form in _forms(secret)}
        self._secrets = sorted(forms, key=len, reverse=True)

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _USUAL},
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        line = json.dumps(told, ensure_ascii=False, default=str)
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def _forms(secret: str) -> set[str]:
    """Return a secret as it is written, also in JSON, and in JSON that is text of JSON."""
    forms = {secret}
    for _ in range(3):
        forms |= {
            json.dumps(one, ensure_ascii=flag)[1:-1] for one in forms for flag in (True, False)
        }
    return forms


@contextmanager
def logging_to(path: str | None, level: int, environ: Mapping[str, str]) -> Iterator[None]:
    """Append what is logged to a file of the user's alone, at level info at least; None: to none.

    UsageError: it cannot be written.
    """
    if path is None:
        yield
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        stream = os.fdopen(handle, "a", encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(
            Sentence("file_not_written", path=path, why=why_of(error)), code="not_written"
        ) from None
    root, secrets = (
        logging.getLogger(),
        [value for name, value in environ.items() if name.endswith(SECRET_VARIABLE)],
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines(secrets))
    old, least = root.level, min(level, logging.INFO)
    root.addHandler(handler)
    root.setLevel(min(old, least) if old else least)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(old)
        stream.close()
