"""Two programs on one ledger: their events stand in one chain, whoever comes first."""

import threading

from bulkrunner.domain.run import RunState
from tests.support.ledgers import (
    START,
    a_change,
    a_plan,
    new_ledger,
    send,
    start_run,
    store_plan,
)

CHANGES = 60


def _whole_run(folder, number, failures):
    try:
        with new_ledger(folder) as ledger:
            changes = [a_change(n) for n in range(1, CHANGES + 1)]
            plan = store_plan(ledger, a_plan(f"p{number}", job=f"job{number}"), changes)
            run = f"r{number}"
            start_run(ledger, plan, run)
            for change in range(1, CHANGES + 1):
                send(ledger, run, change)
                ledger.clients.note("staging", "client-1", use=run, at=START)
                ledger.chain.append("note", {"of": run}, at=START)
            ledger.runs.move(run, RunState.COMPLETED, at=START)
    except BaseException as error:
        failures.append(error)
        raise


def test_several_programs_keep_one_chain(tmp_path):
    with new_ledger(tmp_path):
        pass
    failures = []
    threads = [
        threading.Thread(target=_whole_run, args=(tmp_path, number, failures))
        for number in range(1, 4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with new_ledger(tmp_path) as ledger:
        assert ledger.chain.check() == []
        assert [ledger.runs.outcomes(f"r{n}")["applied"] for n in (1, 2, 3)] == [CHANGES] * 3
