"""The command line speaks the language that it is asked for."""

from tests.support.cli import Workplace


def test_language_of_an_error(place: Workplace, monkeypatch) -> None:
    from bulkrunner.errors import UsageError
    from bulkrunner.sentences import Sentence, verbatim

    monkeypatch.setattr(
        "bulkrunner.sentences.catalogue",
        lambda language: {
            "gone": {"en": "{what} is gone", "sv": "{what} finns inte"}[language],
            "error": {"en": "error: {message}", "sv": "fel: {message}"}[language],
            "hint": {"en": "hint:  {hint}", "sv": "tips: {hint}"}[language],
        },
    )

    def fail(*_args, **_kwargs):
        raise UsageError(Sentence("gone", what="x"), hint=verbatim("look"))

    monkeypatch.setattr("bulkrunner.bootstrap.Program.status", fail)
    assert place("status", expect=2).document["error"]["message"] == "x is gone"
    done = place("--lang", "sv", "status", expect=2)
    assert done.document["error"]["message"] == "x is gone"
    assert done.stderr == "fel: x finns inte\ntips: look\n"
    place.variables["BULKRUNNER_LANG"] = "sv"
    assert place("status", expect=2).stderr == "fel: x finns inte\ntips: look\n"
    assert place("status", "--lang", "en", expect=2).stderr == "error: x is gone\nhint:  look\n"
