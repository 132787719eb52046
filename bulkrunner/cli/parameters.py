"""``--param NAME=VALUE``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from bulkrunner.domain.parameters import Parameter


def given_parameters(words: Sequence[str]) -> dict[str, str]:
    """Return values by name.

    Raises:
        click.UsageError: a word without ``=``, or a name twice.
    """
    given: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name:
            raise click.UsageError(f"--param takes NAME=VALUE, not {word[:60]!r}")
        if name in given:
            raise click.UsageError(f"--param gives {name[:60]!r} twice")
        given[name] = value
    return given


def demand_parameters(missing: Sequence[Parameter]) -> None:
    """Go on where every required parameter has a value.

    Raises:
        UsageError: one has none.
    """
    from bulkrunner.errors import UsageError

    if missing:
        names = ", ".join(one.name for one in missing)
        meant = "; ".join(f"{one.name}: {one.description}" for one in missing if one.description)
        hint = " ".join(f"--param {one.name}=…" for one in missing)
        raise UsageError(
            f"the manifest wants a value for {names}",
            hint=f"{hint} ({meant[:500]})" if meant else hint,
            code="missing_parameter",
        )
