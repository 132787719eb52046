"""What cannot be done to a record: the refusal, and the exception that carries it."""

from __future__ import annotations

from dataclasses import dataclass

from bulkrunner.sentences import Sentence, joined


@dataclass(frozen=True)
class Refusal:
    """Why something is not done to a record: stable code, reason, what to do."""

    code: str
    message: str
    hint: str = ""

    @property
    def whole(self) -> Sentence:
        """Reason and advice as one."""
        return joined((self.message, self.hint))


class Refused(Exception):
    """Carries a refusal to whoever books it on the record."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.refusal = Refusal(code=code, message=message, hint=hint)

    @classmethod
    def of(cls, refusal: Refusal) -> Refused:
        """Return the exception that carries a refusal."""
        return cls(refusal.code, refusal.message, refusal.hint)
