"""``bulkrunner new``: each kind says what is to be filled in, and then goes the whole road.

Each data file is a case of the kind of job that it is named after; what it may say is in
``tests/support/cases.py``. Besides: ``explained``, what ``check --explain`` says.
"""

import re
from pathlib import Path

import pytest
import yaml

from bulkrunner.adapters.job_folders import kinds, new_job
from bulkrunner.adapters.machine import share_folder
from bulkrunner.adapters.manifests import load_job
from bulkrunner.adapters.manifests.job_schema import schema
from bulkrunner.domain.environment import KB_BASES
from bulkrunner.errors import ManifestError
from tests.support.cases import goes_the_road, place_for, read

CASES = sorted(Path(__file__).parent.glob("*.json"))
KINDS = [path.stem for path in CASES]
TWO = ("copy", "move", "split")
"""Kinds whose template names two libraries."""

TEXTS = {
    "FYLL I vad som ändras, i en rad": "Hyllsignum ändras på Ylm",
    "FYLL I varför det ändras, så att den som granskar på KB förstår det.": "Hyllan är flyttad.",
}
WORD = re.compile(r"\b(?:SIGEL2?|FYLL I .*|FYLL_I_[A-ZÅÄÖ]+|ID-[0-9])")
FUNCTION = {
    """    return {"skip": "FYLL_I_FUNKTION"}  # replace it by what is to be done, such as:
""": "",
    "    # ": "    ",
}
"""The example's lines take the place of the word."""


def made(folder, kind, *, sigels=()):
    return new_job(f"my-{kind}", folder, kind=kind, sigels=sigels, today="2026-11-25").folder


def write(job, words, *, file="job.yaml"):
    manifest = job / file
    text = manifest.read_text(encoding="utf-8")
    for word, instead in words.items():
        assert word in text
        text = text.replace(word, instead)
    manifest.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("path", CASES, ids=KINDS)
def test_a_kind_filled_in_is_checked_explained_planned_and_run(path, tmp_path):
    case = read(path, "explained")
    sigels = ["Ylm", "NO"] if path.stem in TWO else ["Ylm"]
    job = made(tmp_path / "place" / "jobs", path.stem, sigels=sigels)
    write(job, TEXTS)
    if path.stem == "function":
        write(job, FUNCTION, file="rules.py")
    with place_for(case, job) as place:
        checked = place("check", job, "--explain").document
        assert checked["problems"] == []
        assert checked["explained"] == case["explained"]
        goes_the_road(case, place, job)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_as_it_is_made_names_every_word_that_is_to_be_filled_in(kind, tmp_path):
    job = made(tmp_path, kind)
    if kind == "function":
        assert_the_function_is_named(job)
    lines = (job / "job.yaml").read_text(encoding="utf-8").splitlines()
    with pytest.raises(ManifestError) as refused:
        load_job(job, bases=KB_BASES)
    left = [problem for problem in refused.value.problems if problem.code == "fill_in"]
    left = [problem for problem in left if problem.source.file.endswith("job.yaml")]
    assert all(problem.hint for problem in refused.value.problems)
    # Whatever is named stands there, and every word outside comments is named.
    written = sorted(
        (number, word.strip(' "'))
        for number, line in enumerate(lines, start=1)
        for word in WORD.findall(re.sub(r"(^|\s)#.*", "", line))
    )
    told = sorted((problem.source.line, problem.message.split("`")[1]) for problem in left)
    # A block of text begins in the line above.
    told = [(line + (word.startswith("FYLL I varf")), word) for line, word in told]
    assert [(line, word.rpartition("/")[2]) for line, word in told] == written
    others = {problem.code for problem in refused.value.problems} - {"fill_in"}
    assert others <= {"empty", "missing_file"}


def assert_the_function_is_named(job):
    with pytest.raises(ManifestError) as refused:
        load_job(job, bases=KB_BASES)
    found = [one for one in refused.value.problems if one.source.file.endswith("rules.py")]
    text = (job / "rules.py").read_text(encoding="utf-8").splitlines()
    assert [one.code for one in found] == ["fill_in"]
    assert "FYLL_I_FUNKTION" in text[found[0].source.line - 1]


EXAMPLES = set(KINDS) - {
    *("copy", "delete", "holdings-then-bibs", "move", "repoint", "resave", "revert")
}
"""Kinds whose change is an example; that of the others is what the kind is for."""


@pytest.mark.parametrize("kind", KINDS)
def test_a_change_that_is_an_example_does_not_pass_with_title_and_purpose_alone(kind, tmp_path):
    job = made(tmp_path, kind, sigels=["Ylm", "NO"])
    write(job, TEXTS)
    for file in job.glob("*.[tc][xs][tv]"):
        file.write_text("Id;Gammalt;Nytt\n" if file.suffix == ".csv" else "", encoding="utf-8")
    with pytest.raises(ManifestError) as refused:
        load_job(job, bases=KB_BASES)
    codes = {problem.code for problem in refused.value.problems}
    assert ("fill_in" in codes) == (kind in EXAMPLES)


@pytest.mark.parametrize("kind", KINDS)
def test_a_second_library_is_never_dropped(kind, tmp_path):
    job = made(tmp_path, kind, sigels=["Ylm", "NO"])
    lines = (job / "job.yaml").read_text(encoding="utf-8").splitlines()
    assert "sigels: [Ylm, NO]" in lines
    assert "on_behalf_of: Ylm" in lines


def test_every_template_has_a_case_and_a_sentence():
    folders = {path.name for path in share_folder("templates").iterdir() if path.is_dir()}
    assert set(kinds()) == folders == set(KINDS)
    for sentence in kinds().values():
        assert re.fullmatch(r"[A-Z].{20,100}\.", sentence), sentence


@pytest.mark.parametrize("kind", KINDS)
def test_lines_that_are_commented_out_show_known_keys(kind, tmp_path):
    text = (made(tmp_path, kind) / "job.yaml").read_text(encoding="utf-8")
    shown = re.findall(r"^ *#  ?(?:- \{)?([a-z_]+): \S", text, re.MULTILINE)
    whole = schema()
    known = {*whole["properties"], *whole["$defs"]["step"]["properties"]}
    known |= {*whole["properties"]["agreement"]["properties"], *whole["$defs"]["ids"]["properties"]}
    known |= {*whole["$defs"]["rows"]["properties"]}
    assert set(shown) - {"bulkrunner"} <= known | {"delete"}, kind


def test_yaml_of_every_template_is_yaml(tmp_path):
    for kind in KINDS:
        manifest = yaml.safe_load((made(tmp_path, kind) / "job.yaml").read_text(encoding="utf-8"))
        assert manifest["job"] == f"my-{kind}"
