"""Files that go with the program, in a checkout or in the wheel: migrations, jobs, templates."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def share_folder(name: str) -> Path:
    """Return the folder ``migrations``, ``jobs`` or ``templates``.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    for candidate in (_PACKAGE / "_share" / name, _PACKAGE.parent / name):
        if candidate.is_dir():
            return candidate
    raise FileNotFoundError(f"the installation has no folder {name}")
