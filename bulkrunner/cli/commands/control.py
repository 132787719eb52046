"""``pause``, ``rate`` and ``stop``: orders to a run in another terminal."""

from __future__ import annotations

import click

from bulkrunner.cli.options import Invocation, global_options


@click.command()
@click.argument("id")
@global_options
def pause(invocation: Invocation, id: str) -> None:  # noqa: A002
    """Let a running run, in whatever terminal, send nothing until it is resumed."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        found = program.ordering().pause(program.starting().run_of(id))
        invocation.document.update(run=found.id, state=found.state.value, paused=found.paused)
        invocation.say(f"run {found.id} pauses; go on with: bulkrunner resume {found.id}")


@click.command()
@click.argument("id")
@click.argument("rate", type=click.FloatRange(min=0.001, max=10000), metavar="N")
@global_options
def rate(invocation: Invocation, id: str, rate: float) -> None:  # noqa: A002
    """Let a running run, in whatever terminal, send N writes per second."""
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        run = program.starting().run_of(id)
        found = program.ordering().rate(run, rate, most=program.most_rate(run))
        invocation.document.update(run=found.id, state=found.state.value, rate=found.rate)
        if program.drivers().is_left(found):
            invocation.say(
                f"no process drives run {found.id}; once it goes on it sends at most {rate:g} "
                f"writes/s: bulkrunner resume {found.id}"
            )
            return
        invocation.say(f"run {found.id} sends at most {rate:g} writes/s from now on")


@click.command()
@click.argument("id")
@global_options
def stop(invocation: Invocation, id: str) -> None:  # noqa: A002
    """Let a run stop, in whatever terminal; one that lies still is put away.

    Whoever drives the run is asked to stop. Where its process is dead it is ended here. Both can be
    resumed. Of a run that is stopped or interrupted already `resume` without ID takes no more notice.
    """
    from bulkrunner.bootstrap import Program

    with Program(invocation.config, invocation.ledger) as program:
        stopped = program.ordering().stop(program.starting().run_of(id))
        invocation.document.update(run=stopped.run.id, state=stopped.run.state.value)
        for sentence in stopped.said:
            invocation.say(sentence)
