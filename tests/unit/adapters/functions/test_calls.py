"""What a function is given, and what becomes of its answer."""

from __future__ import annotations

import pytest

from bulkrunner.domain.functions import Changed, Declined, Several, Skipped
from bulkrunner.domain.refusals import Refused
from tests.unit.adapters.functions.conftest import given_of

HOLDING = {"@graph": [{"@id": "x"}, {"@id": "x#it", "@type": "Item", "inventoryLevel": 1}]}


def test_the_changed_record(bench):
    answer = bench.call(
        "def change(record, context):\n"
        "    record['@graph'][1]['inventoryLevel'] = 2\n"
        "    return record\n",
        HOLDING,
    )
    assert isinstance(answer, Changed)
    assert answer.document["@graph"][1] == {"@id": "x#it", "@type": "Item", "inventoryLevel": 2}
    assert HOLDING["@graph"][1]["inventoryLevel"] == 1


def test_row_parameters_and_id(bench):
    text = (
        "def change(record, context):\n"
        "    words = [context.id, context.row['Signum'], context.parameters['year']]\n"
        "    return {'skip': ' '.join(words)}\n"
    )
    given = {"id": "abc", "row": {"Signum": "Hc"}, "parameters": {"year": "1987"}}
    assert bench.call(text, given=given) == Skipped(reason="abc Hc 1987")


def test_other_records_are_looked_up_by_the_program(bench):
    asked = []

    def look(record):
        asked.append(record)
        return {"title": f"of {record}"} if record != "none" else None

    text = (
        "def change(record, context):\n"
        "    assert context.lookup('none') is None\n"
        "    return {'refuse': context.bib['title'] + context.lookup('b2')['title']}\n"
    )
    assert bench.call(text, given={"look": look}) == Declined(reason="of bibof b2")
    # The second call of the sample is answered from what the first was told.
    assert asked == ["none", "bib", "b2"]


def test_the_other_holdings_of_the_bib_are_looked_up_by_the_program(bench):
    def look(name):
        return (
            [{"@graph": []}, {"@graph": [{}, {"copyNumber": "2"}]}] if name == "holdings" else None
        )

    text = (
        "def change(record, context):\n"
        "    return {'skip': str(len(context.holdings)) + str(context.holdings[1])}\n"
    )
    wanted = "2{'@graph': [{}, {'copyNumber': '2'}]}"
    assert bench.call(text, given={"look": look}) == Skipped(reason=wanted)


def test_operations_in_order(bench):
    text = (
        "def change(record, context):\n"
        "    return [{'create': 'holding', 'of': 'b', 'sigel': 'NO'}, {'delete': context.id}]\n"
    )
    answer = bench.call(text, given={"id": "h"})
    assert answer == Several(
        operations=({"create": "holding", "of": "b", "sigel": "NO"}, {"delete": "h"})
    )


def test_one_operation_alone(bench):
    answer = bench.call("def change(record, context):\n    return {'delete': context.id}\n")
    assert answer == Several(operations=({"delete": "h1x2c3v4b5n6m7k"},))


def test_modules_of_the_folder_are_imported_from_their_digested_text(bench):
    runner = bench.runner(
        "import table\ndef change(record, context):\n    return {'skip': table.WORD}\n",
        table="WORD = 'as digested'\n",
    )
    (bench.folder / "table.py").write_text("WORD = 'exchanged'\n")
    assert runner.call(given_of()) == Skipped(reason="as digested")


def test_a_data_file_that_the_manifest_names(bench):
    (bench.folder / "table.csv").write_text("Hc;Hce\n")
    text = (
        "def change(record, context):\n"
        "    with open(context.file('table.csv')) as file:\n"
        "        return {'skip': file.read()}\n"
    )
    assert bench.call(text, files=["table.csv"]) == Skipped(reason="Hc;Hce")


@pytest.mark.parametrize(
    ("returned", "says"),
    [
        ("None", "it returned nothing"),
        ("7", "it returned a int"),
        ("{'what': 1}", "an object with the keys what"),
        ("[]", "an empty list"),
        ("[1]", "a int where an operation is expected"),
        ("[{'delete': 'x'}] * 101", "101 operations"),
        ("{'skip': ''}", "the reason that it gave is no text"),
        ("{'@graph': []}", "no record part and thing"),
        ("{'skip': object()}", "its answer is no JSON"),
        ("{'skip': float('nan')}", "its answer is no JSON"),
        ("{'@graph': [{}, {'a': 1e999}]}", "its answer is no JSON"),
        ("[{'delete': context.id, 'expect': {'a': -1e999}}]", "its answer is no JSON"),
    ],
)
def test_answers_that_cannot_be_used(bench, returned, says):
    with pytest.raises(Refused) as caught:
        bench.call(f"def change(record, context):\n    return {returned}\n")
    assert caught.value.refusal.code == "function_answer"
    assert says in caught.value.refusal.message


def test_an_error_names_the_functions_own_line(bench):
    text = "def change(record, context):\n    print('so far')\n    return record['nothing']\n"
    with pytest.raises(Refused) as caught:
        bench.call(text)
    assert caught.value.refusal.code == "function_failed"
    assert caught.value.refusal.message == "KeyError: 'nothing' at rules.py:3; it printed: so far"


def test_an_error_does_not_end_the_process(bench):
    runner = bench.runner(
        "def change(record, context):\n"
        "    if context.id == 'bad':\n"
        "        raise ValueError(context.id)\n"
        "    return {'skip': 'good'}\n"
    )
    assert runner.call(given_of(id="x")) == Skipped(reason="good")
    before = pids(runner)
    assert len(before) == 2
    for _ in range(30):
        with pytest.raises(Refused, match="ValueError: bad"):
            runner.call(given_of(id="bad"))
    assert runner.call(given_of(id="x")) == Skipped(reason="good")
    assert pids(runner) == before


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise SystemExit(1)", "function_failed"),
        ("return object()", "function_answer"),
        ("for n in range(1000): context.lookup(n)", "function_failed"),
        ("return [bytearray(10**9)]", "function_memory"),
        ("import os; os._exit(0)", "function_failed"),
    ],
)
def test_only_a_process_that_cannot_be_called_again_is_ended(bench, body, code):
    lives = code != "function_memory" and "_exit" not in body and "lookup" not in body
    runner = bench.runner(
        f"def change(record, context):\n    if context.id == 'bad':\n        {body}\n"
        "    return {'skip': 'good'}\n"
    )
    assert runner.call(given_of(id="x")) == Skipped(reason="good")
    before = pids(runner)
    with pytest.raises(Refused) as caught:
        runner.call(given_of(id="bad"))
    assert caught.value.refusal.code == code
    assert (before[0] in pids(runner)) == lives
    assert runner.call(given_of(id="x")) == Skipped(reason="good")


def pids(runner):
    """Processes that wait for a call, each seed's own."""
    return [process._process.pid for free in runner._free.values() for process in free]


def test_the_order_of_a_set_is_the_same_in_every_plan(bench):
    body = "return {'skip': str(hash('a'))}"
    answers = []
    for _ in range(2):
        runner = bench.runner(f"def change(record, context):\n    {body}\n")
        with pytest.raises(Refused):  # the two seeds differ
            runner.call(given_of())
        answers.append(runner._once(given_of(), 0, {}))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "body",
    [
        "return {'skip': str({'a', 'b', 'c', 'd'})}",
        "return {'skip': str(__import__('random').random())}",
    ],
)
def test_an_answer_that_is_another_one_the_second_time(bench, body):
    runner = bench.runner(f"def change(record, context):\n    {body}\n")
    with pytest.raises(Refused) as caught:
        runner.call(given_of())
    assert caught.value.refusal.code == "function_not_deterministic"
    with pytest.raises(Refused, match="answered differently"):
        runner.call(given_of(id="another"))
