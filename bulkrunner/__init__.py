"""Bulk changes to a union catalogue: declared, proved, reviewed, resumable, undoable."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
