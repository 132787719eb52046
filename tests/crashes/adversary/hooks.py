"""Parts of which single methods are replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bulkrunner.adapters.ledger.writer import Part
from tests.support.executing import Rig


class Hooked:
    """A part whose named methods are replaced; each is given the real one first.

    Of a ledger they are named with its part: ``{"runs.intend": …}``.
    """

    def __init__(self, part: Any, within: str = "", /, **hooks: Callable[..., Any]) -> None:
        self._part = part
        self._within = within
        self._hooks = hooks

    def __getattr__(self, name: str) -> Any:
        real = getattr(self._part, name)
        if isinstance(real, Part):
            return Hooked(real, f"{name}.", **self._hooks)
        hook = self._hooks.get(self._within + name)
        return real if hook is None else lambda *args, **kwargs: hook(real, *args, **kwargs)


def hooked(rig: Rig, **hooks: Callable[..., Any]) -> dict[str, Any]:
    """The executor's parts with a catalogue so changed."""
    catalogue = rig.catalogue()
    return {"catalogue": Hooked(catalogue, **hooks), "gate": catalogue.write_gate}
