"""What doctor says of an environment is in any language, and shows no id that it only tries with."""

from contextlib import contextmanager

import pytest

from bulkrunner.domain.environment import Environment, Kind
from bulkrunner.errors import BulkRunnerError
from bulkrunner.sentences import Sentence, verbatim
from bulkrunner.services.clients import NOBODY, Doctor
from tests.support.ledgers import TEST_ADDRESSES, SetClock

WHERE = f"http://x/{NOBODY}?n={NOBODY}"


def problem(message, hint=""):
    @contextmanager
    def connect(_):
        raise BulkRunnerError(message, hint=hint)
        yield

    environment = Environment(
        name="staging",
        kind=Kind.TEST,
        rate=5.0,
        read_rate=20.0,
        concurrency=4,
        **{name: TEST_ADDRESSES[name] for name in ("base_url", "token_url", "base_uri")},
    )
    (found,) = Doctor(SetClock(), connect=connect).examine(environment).problems
    return found


@pytest.mark.parametrize(
    "message",
    [
        Sentence("verbatim", text=WHERE),
        Sentence("doctor_login", url=WHERE),
        Sentence("joined", parts=[verbatim(WHERE), Sentence("doctor_login", url="y")]),
        WHERE,
    ],
)
def test_a_problem_shows_no_id_that_nobody_has(message):
    found = problem(message, hint=Sentence("doctor_well"))
    told = str(message).replace(NOBODY, "a record that does not exist")
    assert found == f"{told} (nothing stands in the way)"
    assert "en post som inte finns?n=en post som inte finns" in found.worded("sv")
    assert found.worded("sv").endswith(" (inget är i vägen)")


def test_a_problem_without_a_hint_is_told_as_it_is():
    said = Sentence("doctor_login", url="y")
    assert problem(said).as_data() == said.as_data()
