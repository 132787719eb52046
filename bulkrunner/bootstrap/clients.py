"""Wiring of ``clients``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bulkrunner.bootstrap.core import Core
from bulkrunner.errors import BulkRunnerError, UsageError, why_of
from bulkrunner.sentences import Sentence

if TYPE_CHECKING:
    from bulkrunner.domain.ledger_port import Client
    from bulkrunner.services.clients import Retired


class Clients:
    """Lists API clients and retires them."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def listed_clients(self) -> list[dict[str, Any]]:
        """Return every client with what it did."""
        return self._core.client_service().listed()

    def idle_clients(self) -> list[Client]:
        """Return the clients that lie idle for longer than policy says."""
        return self._core.client_service().idle(self._core.settings.policy.client_unused_days)

    def retire(
        self, environment_name: str, client: str | None, *, by: str, out: Path | None
    ) -> tuple[Retired, Path]:
        """Write the notice to KB, then block the client.

        Raises:
            UsageError: nobody knows which client, it is in use, or the file cannot be written.
        """
        from bulkrunner.services.clients import notice

        environment = self._core.settings.environment(environment_name)
        service = self._core.client_service()
        name = service.choose(environment.name, client, self._configured(environment_name))
        path = out or Path(f"retired-{environment.name}-{_plain(name)}.txt")
        if path.exists():
            raise UsageError(
                Sentence("file_there_already", path=str(path)),
                hint=Sentence("give_other_file"),
                code="not_written",
            )
        retired = service.retire(environment.name, name, by=by, drivers=self._core.drivers())
        text = notice(retired, environment, by=by, at=self._core.clock.now())
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(
                Sentence(
                    "notice_not_written",
                    name=name,
                    path=str(path),
                    why=why_of(error),
                    text=text,
                ),
                hint=Sentence("notice_not_written_hint"),
                code="not_written",
            ) from None
        return retired, path.absolute()

    def _configured(self, environment: str) -> str | None:
        try:
            return self._core.credentials(self._core.settings.environment(environment)).client_id
        except BulkRunnerError:
            return None


def _plain(name: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in name)[:60] or "client"
