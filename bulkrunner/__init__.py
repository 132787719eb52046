"""Bulk changes to a union catalogue: declared, proved, reviewed, resumable, undoable.

From Python: ``bulkrunner.open`` gives a ``Runner``; see docs/reference/python.md.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bulkrunner.errors import (
        AccessLost,
        BulkRunnerError,
        GateClosed,
        IncompleteOutcome,
        Interrupted,
        PlanRefused,
        UsageError,
    )
    from bulkrunner.runner import Happening, Runner, open  # noqa: A004

__version__ = "0.1.0"

# What is promised to callers, and where it is; loaded when it is first asked for.
_PLACES = {
    "AccessLost": "errors",
    "BulkRunnerError": "errors",
    "GateClosed": "errors",
    "Happening": "runner",
    "IncompleteOutcome": "errors",
    "Interrupted": "errors",
    "PlanRefused": "errors",
    "Runner": "runner",
    "UsageError": "errors",
    "open": "runner",
}

__all__ = [
    "AccessLost",
    "BulkRunnerError",
    "GateClosed",
    "Happening",
    "IncompleteOutcome",
    "Interrupted",
    "PlanRefused",
    "Runner",
    "UsageError",
    "__version__",
    "open",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)
