"""Functions of a job folder, each with its processes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bulkrunner.adapters.functions.runner import FunctionNotLoaded, NotConfined, Runner
from bulkrunner.domain.functions import (
    FunctionRunner,
    FunctionSource,
)
from bulkrunner.domain.iris import IriMap
from bulkrunner.errors import UsageError
from bulkrunner.sentences import Sentence


class FunctionsForbidden(UsageError):
    """The policy wants no functions."""

    default_code = "functions_forbidden"


class Runners:
    """Starts a job's functions, and ends them."""

    def __init__(
        self, sources: Sequence[FunctionSource], folder: Path, *, policy: str, iris: IriMap
    ) -> None:
        """Start every function.

        Args:
            sources: the functions.
            folder: of the job.
            policy: ``confined``, ``any`` or ``none``.
            iris: of the environment.

        Raises:
            FunctionsForbidden, NotConfined, FunctionNotLoaded: one cannot be called.
        """
        if sources and policy == "none":
            raise FunctionsForbidden(
                Sentence("functions_forbidden", name=sources[0].name),
                hint=Sentence("functions_forbidden_hint"),
            )
        if sources and not hasattr(os, "killpg"):
            raise NotConfined(
                Sentence("functions_need_linux", name=sources[0].name),
                hint=Sentence("functions_need_linux_hint"),
            )
        self._running: dict[str, Runner] = {}
        try:
            for source in sources:
                if str(source.meaning()) not in self._running:
                    self._running[str(source.meaning())] = Runner(
                        source, folder, must_be_confined=policy != "any", iris=iris
                    )
        except BaseException:
            self.close()
            raise
        self._sources = tuple(sources)

    def __call__(self, source: FunctionSource) -> FunctionRunner:
        return self._running[str(source.meaning())]

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return what a plan and its report say of the functions."""
        return [
            {
                "name": source.name,
                "digests": source.meaning()["sources"],
                "files": dict(source.files),
                "source": dict(source.sources),
                "confinement": self(source).confinement,
            }
            for source in self._sources
        ]

    def close(self) -> None:
        """End their processes."""
        for runner in self._running.values():
            runner.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


__all__ = ["FunctionNotLoaded", "FunctionsForbidden", "NotConfined", "Runner", "Runners"]
