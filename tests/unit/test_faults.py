"""A fault goes outwards: whoever knows more of its place adds that, and nothing of it is lost."""

from bulkrunner.errors import Fault, Source
from bulkrunner.sentences import Sentence

SAID = Sentence("place_empty")
HINT = Sentence("leave_out")


def test_a_path_grows_from_the_inside() -> None:
    fault = Fault(SAID, code="bad_place", hint=HINT, path=("at",), key="x")
    outer = fault.below("changes", 0).below("steps", 3)
    assert outer.path == ("steps", 3, "changes", 0, "at")
    assert (outer.said, outer.code, outer.hint, outer.key) == (SAID, "bad_place", HINT, "x")
    assert fault.path == ("at",)


def test_a_place_that_is_known_is_kept() -> None:
    named, inside = Source(file="job.yaml", line=3, column=5), Source(line=7, column=2)
    assert Fault(SAID).at(named).source == named
    assert Fault(SAID, source=inside).in_file("ids.txt").at(named).source == Source(
        file="ids.txt", line=7, column=2
    )


def test_what_can_be_done_follows_what_is_wrong() -> None:
    fault = Fault(SAID, source=Source(file="job.yaml", line=3))
    assert fault.whole == fault.at_place == f"job.yaml:3: {SAID}"
    assert fault.but(hint=HINT).whole == f"job.yaml:3: {SAID} ({HINT})"
    assert fault.but(hint=HINT).whole.worded("sv").startswith("job.yaml:3: ")
