"""The exception tree, sorted by what the operator can do.

::

    BulkRunnerError                 1  a fault of the program itself, where nothing more precise is known
    ├── UsageError                  2  wrong arguments, unknown plan or run
    │   ├── ConfigError             2  bulkrunner.toml or the environment
    │   ├── ManifestError           2  the job folder; carries every finding
    │   ├── AnswerRefused           2  an answer to a plan that cannot be recorded
    │   │   └── SignatureRefused    2  its signature is not good
    │   └── NothingToResume         2
    ├── PlanRefused                 3  the plan is stored but holds refusals nobody accepted
    ├── GateClosed                  4  carries the gates
    ├── ChainBroken                 4  the ledger does not fit its own chain
    ├── IncompleteOutcome           5  a finished run with anything but applied and unchanged
    ├── Interrupted                 6  resumable
    │   ├── CatalogueUnreachable    6  reads failed after every retry
    │   ├── LedgerUnavailable       6  locked, full disk
    │   │   ├── LedgerAway          6  the connection to its server was lost
    │   │   ├── LedgerGone          6  its file was removed or replaced
    │   │   └── LedgerDamaged       6  something of it is lost
    │   └── LeaseLost               6  somebody else drives the run
    └── AccessLost                  7  no token, or rights lost
        ├── LoginRefused            7  the login said no
        └── LoginDown               7  the login could not be reached

Exit codes are the contract of ``docs/reference/exit-codes.md``.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from bulkrunner.sentences import Sentence, as_sentence, verbatim


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where something was declared; line and column count from 1, 0 where there is none."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return place

    @property
    def said(self) -> str:
        """Where it is, as a part of a sentence."""
        if not self.line:
            return self.file
        if not self.column:
            return Sentence("source_line", file=self.file, line=self.line)
        return Sentence("source_column", file=self.file, line=self.line, column=self.column)


NOWHERE = Source()


class Fault(ValueError):
    """Something is wrong in what was given; raised, or collected with others.

    Attributes:
        said: what is wrong. hint: what can be done about it, where anything.
        code: stable name of the fault.
        path: from the value that was read to the part that is wrong.
        key: the key of the object at the path that is meant, if any.
        source: the place in a file, as far as it is known.
    """

    def __init__(
        self,
        message: Sentence | str,
        *,
        code: str = "wrong_value",
        hint: Sentence | str = "",
        path: tuple[str | int, ...] = (),
        key: str | None = None,
        source: Source = NOWHERE,
    ) -> None:
        super().__init__(message)
        self.said = as_sentence(message)
        self.code = code
        self.hint = hint
        self.path = path
        self.key = key
        self.source = source

    @property
    def message(self) -> Sentence:
        """What is wrong."""
        return self.said

    def but(self, **given: Any) -> Fault:
        """Return the same fault with something else said of it."""
        kept = {name: getattr(self, name) for name in ("code", "hint", "path", "key", "source")}
        return Fault(self.said, **kept | given)

    def below(self, *steps: str | int) -> Fault:
        """Return the same fault, seen from further out."""
        return self.but(path=(*steps, *self.path))

    def at(self, source: Source) -> Fault:
        """Return the same fault with its place, unless that is known."""
        return self if self.source.file else self.but(source=source)

    def in_file(self, name: str) -> Fault:
        """Return the same fault with the name of its file."""
        return self.but(source=replace(self.source, file=name))

    @property
    def at_place(self) -> Sentence:
        """What is wrong, with its place."""
        return Sentence("problem", place=str(self.source), message=self.said)

    @property
    def whole(self) -> Sentence:
        """The same, with what can be done about it."""
        if not self.hint:
            return self.at_place
        return Sentence("problem_with_hint", problem=self.at_place, hint=as_sentence(self.hint))


class BulkRunnerError(Exception):
    """Root of everything the program raises on purpose.

    Attributes:
        code: stable machine-readable name, for the ``error`` object of ``--json``.
        said: what is wrong. advice: what the operator can do about it, where anything.
        document: what the command that failed has found so far, where a runner was called.
    """

    document: Mapping[str, Any] = MappingProxyType({})

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "internal_error"

    def __init__(
        self, message: Sentence | str, *, hint: Sentence | str = "", code: str | None = None
    ) -> None:
        super().__init__(message)
        self.said = as_sentence(message)
        self.advice = as_sentence(hint) if hint else None
        self.code = code or self.default_code

    @property
    def message(self) -> str:
        """What is wrong, in English."""
        return str(self.said)

    @property
    def hint(self) -> str:
        """What can be done, in English; empty where nothing is known."""
        return str(self.advice or "")

    def __str__(self) -> str:
        return self.message


class UsageError(BulkRunnerError):
    """The command cannot be carried out as it was given."""

    exit_code = 2
    default_code = "usage"


class ConfigError(UsageError):
    """The configuration file or the environment variables are wrong."""

    default_code = "configuration"


class ManifestError(UsageError):
    """The manifest or its input files are wrong; ``problems`` holds every fault found."""

    default_code = "manifest"

    def __init__(
        self,
        message: Sentence | str,
        *,
        problems: tuple[Fault, ...] = (),
        hint: Sentence | str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.problems = problems


class NothingToResume(UsageError):
    """No plan or run is waiting to be continued."""

    default_code = "nothing_to_resume"


class AnswerRefused(UsageError):
    """An answer to a plan cannot be recorded as it stands."""

    default_code = "answer_refused"


class SignatureRefused(AnswerRefused):
    """A signature is missing or does not prove what it should."""

    default_code = "signature_refused"


class PlanRefused(BulkRunnerError):
    """The plan holds refusals that the manifest does not accept."""

    exit_code = 3
    default_code = "refusals"


class GateClosed(BulkRunnerError):
    """A condition for running is not met; nothing was sent."""

    exit_code = 4
    default_code = "gate_closed"

    def __init__(
        self,
        message: Sentence | str,
        *,
        gates: tuple[Any, ...] = (),
        hint: Sentence | str = "",
    ) -> None:
        super().__init__(message, hint=hint)
        self.gates = gates


class ChainBroken(BulkRunnerError):
    """A row of the ledger does not fit the chain of events."""

    exit_code = 4
    default_code = "chain_broken"


class IncompleteOutcome(BulkRunnerError):
    """The run is complete, but not every change was applied."""

    exit_code = 5
    default_code = "incomplete"


class Interrupted(BulkRunnerError):
    """Stopped before the end; can be resumed."""

    exit_code = 6
    default_code = "interrupted"


class CatalogueUnreachable(Interrupted):
    """A read failed after every retry, or the answer could not be read.

    Attributes:
        by_server: the catalogue itself says, in its own form, that it cannot answer.
    """

    default_code = "catalogue_unreachable"

    def __init__(
        self,
        message: Sentence | str,
        *,
        hint: Sentence | str = "",
        code: str | None = None,
        by_server: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.by_server = by_server


class LedgerUnavailable(Interrupted):
    """The ledger is locked, or its disk is full; nothing was sent that it does not know of."""

    default_code = "ledger_unavailable"


class LedgerAway(LedgerUnavailable):
    """The connection to the ledger's server was lost, which says nothing of what is in it."""


class LedgerGone(LedgerUnavailable):
    """The ledger's file was removed or replaced while in use."""

    default_code = "ledger_gone"


class LedgerDamaged(LedgerUnavailable):
    """The ledger's file was cut short, or holds what no ledger holds."""

    default_code = "ledger_damaged"


class LeaseLost(Interrupted):
    """The process no longer drives the run; it sends nothing more."""

    default_code = "lease_lost"


class AccessLost(BulkRunnerError):
    """No token can be had, or the client's rights shrank."""

    exit_code = 7
    default_code = "access_lost"


class LoginRefused(AccessLost):
    """The login does not accept the client."""

    default_code = "login_refused"

    def again(self) -> LoginRefused:
        """Return the same for another thread."""
        return LoginRefused(self.said, hint=self.advice or "", code=self.code)


class LoginDown(AccessLost):
    """The login cannot be reached.

    Attributes:
        lasting: waiting would not mend it.
    """

    default_code = "login_down"

    def __init__(
        self,
        message: Sentence | str,
        *,
        hint: Sentence | str = "",
        code: str | None = None,
        lasting: bool = False,
    ) -> None:
        super().__init__(message, hint=hint, code=code)
        self.lasting = lasting

    def again(self) -> LoginDown:
        """Return the same for another thread."""
        return LoginDown(self.said, hint=self.advice or "", code=self.code, lasting=self.lasting)


def why_of(error: OSError) -> Sentence:
    """Return why the system does not do what it was asked; what is rare stays in its own words."""
    known = None if error.errno is None else _SYSTEM.get(error.errno)
    return known or verbatim(error.strerror or str(error))


_SYSTEM = {
    errno.EACCES: Sentence("os_denied"),
    errno.EDQUOT: Sentence("os_quota"),
    errno.EEXIST: Sentence("os_exists"),
    errno.EISDIR: Sentence("os_is_folder"),
    errno.ENAMETOOLONG: Sentence("os_name_too_long"),
    errno.ENOENT: Sentence("os_missing"),
    errno.ENOSPC: Sentence("os_full"),
    errno.ENOTDIR: Sentence("os_no_folder"),
    errno.EROFS: Sentence("os_read_only"),
}
