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
from typing import Any, ClassVar

from bulkrunner.sentences import Sentence, as_sentence, verbatim


class Fault(ValueError):
    """Something is wrong in what was given; whoever knows the place adds it."""

    def __init__(self, said: Sentence) -> None:
        super().__init__(said)
        self.said = said


class BulkRunnerError(Exception):
    """Root of everything the program raises on purpose.

    Attributes:
        code: stable machine-readable name, for the ``error`` object of ``--json``.
        said: what is wrong. advice: what the operator can do about it, where anything.
    """

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
        problems: tuple[Any, ...] = (),
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
