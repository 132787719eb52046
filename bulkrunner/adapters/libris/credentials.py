"""Where an environment's client id and secret come from: variables, a command, the keyring.

Nothing here is logged, and no message repeats what was found.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bulkrunner.errors import AccessLost
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.config import OwnCommand, Settings
    from bulkrunner.domain.environment import Environment

# Seconds that a command may take; a person may have to unlock something.
COMMAND_PATIENCE = 60.0

MOST_BYTES = 4096

# From service and client id (None where unknown) to client id and secret, if they are there.
KeyringLookup = Callable[[str, str | None], tuple[str, str] | None]


@dataclass(frozen=True, kw_only=True)
class Credentials:
    """A client of the login; ``repr`` hides the secret."""

    client_id: str
    client_secret: str = field(repr=False)


class _Nothing(Exception):
    """A place holds no secret; says why."""

    def __init__(self, said: Sentence) -> None:
        super().__init__(said)
        self.said = said


def variable_names(environment: str) -> tuple[str, str]:
    """Return the names of the variables with the client id and the secret."""
    stem = "BULKRUNNER_" + environment.upper().replace("-", "_")
    return f"{stem}_CLIENT_ID", f"{stem}_CLIENT_SECRET"


def find_credentials(
    settings: Settings,
    environment: Environment,
    variables: Mapping[str, str],
    *,
    keyring: KeyringLookup | None = None,
) -> Credentials:
    """Look for an environment's credentials; the first place that has them counts.

    Args:
        settings: say what files know of the client.
        environment: whose client it is.
        variables: the process' environment variables.
        keyring: instead of the system's.

    Raises:
        AccessLost: no place has them; the message names every place.
    """
    name = environment.name
    place = settings.clients[name]
    id_name, secret_name = variable_names(name)
    client_id = variables.get(id_name, "").strip() or place.client_id
    looked: list[Sentence] = []
    found: tuple[str, str] | None = None
    secret = variables.get(secret_name, "").strip()
    if secret and client_id:
        return Credentials(client_id=client_id, client_secret=secret)
    missing = [] if client_id else [id_name]
    missing += [] if secret else [secret_name]
    looked.append(Sentence("credentials_not_set", missing=missing))
    if place.command and client_id and not secret:
        try:
            return Credentials(client_id=client_id, client_secret=_run(place.command, variables))
        except _Nothing as nothing:
            looked.append(Sentence("secret_command", why=nothing.said))
    try:
        found = (keyring or system_keyring)(f"bulkrunner/{name}", client_id)
    except _Nothing as nothing:
        looked.append(nothing.said)
    else:
        if found is not None and found[0]:
            return Credentials(client_id=found[0], client_secret=secret or found[1])
        looked.append(_not_in_keyring(name, client_id, entry=found is not None))
    wanted: list[str] = (
        [] if client_id else [Sentence("credential_or_configured", variable=id_name)]
    )
    wanted += [] if secret or found is not None else [secret_name]
    raise AccessLost(
        Sentence("no_credentials", environment=name, looked=looked),
        hint=Sentence("no_credentials_hint", wanted=wanted),
        code="no_credentials",
    )


def is_begun(settings: Settings, environment: Environment, variables: Mapping[str, str]) -> bool:
    """Return True if a part of an environment's credentials is set, be it the id or the secret."""
    place = settings.clients[environment.name]
    names = variable_names(environment.name)
    set_here = any(variables.get(name, "").strip() for name in names)
    return set_here or place.client_id is not None or place.command is not None


def _not_in_keyring(name: str, client_id: str | None, *, entry: bool) -> Sentence:
    if client_id:
        return Sentence("keyring_no_entry", name=name, client=client_id)
    if entry:
        return Sentence("keyring_no_client", name=name)
    return Sentence("keyring_without_client", name=name)


def _run(command: OwnCommand, variables: Mapping[str, str]) -> str:
    """Return the first line that the command prints; what it says of errors may hold the secret."""
    try:
        done = subprocess.run(  # noqa: S603 (a list of arguments from a file of the user's own)
            list(command.arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=command.folder,
            env=dict(variables),
            timeout=COMMAND_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise _Nothing(Sentence("command_slow", most=f"{COMMAND_PATIENCE:g}")) from None
    except OSError as error:
        raise _Nothing(Sentence("command_unstarted", why=str(error.strerror))) from None
    if done.returncode:
        raise _Nothing(Sentence("command_failed", status=done.returncode))
    try:
        line = done.stdout[:MOST_BYTES].decode("utf-8").partition("\n")[0].strip()
    except UnicodeDecodeError:
        raise _Nothing(Sentence("command_no_text")) from None
    if not line:
        raise _Nothing(Sentence("command_silent"))
    return line


def system_keyring(service: str, client_id: str | None) -> tuple[str, str] | None:
    """Ask the system's keyring."""
    try:
        import keyring  # noqa: PLC0415 (optional, and slow to import)
        from keyring.errors import KeyringError  # noqa: PLC0415
    except ImportError:
        raise _Nothing(Sentence("keyring_missing")) from None
    try:
        found = keyring.get_credential(service, client_id)
    except KeyringError as error:
        raise _Nothing(Sentence("keyring_failed", why=type(error).__name__)) from None
    if found is None or not found.password:
        return None
    return (found.username or client_id or "", found.password)
