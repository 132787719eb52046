"""What is wrong with an input file."""

from __future__ import annotations

from bulkrunner.sentences import Sentence


class BadFile(Exception):
    """A file that cannot be read as what it should be.

    Attributes:
        line: of the file or row of the sheet, from 1; 0 where no single one is meant.
        column: from 1; 0 where no single one is meant.
    """

    def __init__(
        self,
        code: str,
        message: Sentence,
        hint: Sentence | str = "",
        *,
        line: int = 0,
        column: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.line = line
        self.column = column
