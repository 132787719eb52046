"""``ledger``: the account itself."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.group()
@global_options
def ledger(invocation: Invocation) -> None:
    """Migrate the ledger, or verify its chain."""


@ledger.command()
@global_options
def upgrade(invocation: Invocation) -> None:
    """Bring the ledger's tables to this version of the program."""
    from bulkrunner.bootstrap import Program

    program = Program(invocation.config, invocation.ledger)
    program.upgrade_ledger()
    invocation.document.update(ledger=program.ledger_place(), state="upgraded")
    invocation.say(f"{program.ledger_place()} is up to date")


@ledger.command()
@global_options
def check(invocation: Invocation) -> None:
    """Verify file, chain, plans and documents, and name the first row that does not fit."""
    from bulkrunner.bootstrap import Program
    from bulkrunner.errors import ChainBroken, LedgerDamaged

    with Program(invocation.config, invocation.ledger) as program:
        invocation.document.update(ledger=program.ledger_place())
        try:
            faults = program.ledger.check()
        except LedgerDamaged as error:  # so much that it cannot even be opened
            invocation.document.update(state="broken", faults=[error.message])
            raise ChainBroken(error.message, hint=error.hint) from error
        invocation.document.update(state="broken" if faults else "intact", faults=faults)
        if faults:
            for fault in faults[1:]:
                invocation.say(f"also: {fault}", err=True)
            raise ChainBroken(
                faults[0], hint="restore the ledger from a backup; do not run from this one"
            )
        invocation.say(f"{program.ledger_place()}: chain intact, head {program.ledger.head()}")
