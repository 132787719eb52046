"""A collection of records and of id lists as they come: nothing is lost count of."""

import pytest

from bulkrunner.domain.records import component_holders
from tests.support.cli import Workplace
from tests.support.paths import ID_LISTS, RECORDS
from tests.support.sandbox import running_sandbox

pytestmark = pytest.mark.real_records


@pytest.fixture(scope="module")
def real():
    with running_sandbox(load=RECORDS) as control:
        yield control


def sigels_of(environment):
    """The supplier's sigels, with those that stand in components only given to it as well."""
    held = {right["code"] for right in environment.control("GET", "info")["clients"]["supplier"]}
    for record in environment.records("hold"):
        held |= set(component_holders(environment.document(record)))
    sigels = sorted(held)
    environment.set_permissions("supplier", *({"code": s, "registrant": True} for s in sigels))
    return sigels


def note_job(place, name, listed, **more):
    sigels = sigels_of(place.sandbox.staging)
    assert "S hyP" in sigels  # found in a component only
    steps = [
        {"ids": "ids.txt", "append": {"at": "@record.cataloguersNote", "value": f"via {name}"}}
    ]
    return place.job(
        name,
        steps=steps,
        files={"ids.txt": listed},
        sigels=sigels,
        on_behalf_of=sigels[0],
        **more,
    )


def test_a_job_over_every_real_holding(real, tmp_path):
    place = Workplace(folder=tmp_path / "place", sandbox=real)
    holdings = real.staging.records("hold")
    assert len(holdings) >= 35
    versions = {record: len(real.staging.history(record)) for record in holdings}
    job = note_job(place, "every", "\n".join(holdings))
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["update"] == len(holdings)
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == len(holdings)
    for record in holdings:
        assert len(real.staging.history(record)) == versions[record] + 1
        assert "via every" in real.staging.document(record)["@graph"][0]["cataloguersNote"]
    assert place("verify", run["run"]).document["differences"] == []


@pytest.mark.parametrize("name", ["bare-ids.txt", "thing-iris.txt"])
def test_a_real_id_list_of_which_most_is_unknown_here(real, tmp_path, name):
    place = Workplace(folder=tmp_path / "place", sandbox=real)
    known = real.staging.records("hold")[:5]
    lines = (ID_LISTS / name).read_text(encoding="utf-8").split()
    unknown = {line.rpartition("/")[2].removesuffix("#it") for line in lines}
    job = note_job(place, f"list-{name[:-4].lower()}", "\n".join([*lines, *known]))
    plan = place("plan", job, "--env", "staging").document
    assert plan["counts"]["not_found"] == len(unknown)
    assert plan["counts"]["update"] == len(known)
    assert sum(plan["counts"].values()) == len(unknown) + len(known)
    run = place("run", job, "--env", "staging").document
    assert run["outcomes"]["applied"] == len(known)


def test_a_real_list_of_other_numbers_is_refused_or_not_found_line_by_line(real, tmp_path):
    place = Workplace(folder=tmp_path / "place", sandbox=real)
    known = real.staging.records("hold")[5:7]
    lines = (ID_LISTS / "control-numbers-and-bare.txt").read_text(encoding="utf-8").split()
    job = note_job(place, "numbers", "\n".join([*lines, *known]))
    plan = place("plan", job, "--env", "staging", expect=3).document
    # (LIBRIS) numbers, and ISBN and ISSN by their check digits, stand for themselves
    ambiguous = sum(line.isdigit() and len(line) == 8 for line in set(lines))
    assert plan["counts"]["refused"] == ambiguous >= 30
    assert plan["counts"]["not_found"] == len(set(lines)) - ambiguous
    assert plan["counts"]["update"] == len(known)
    assert {finding["code"] for finding in plan["findings"]} >= {"ambiguous_number"}
    accept = [{"code": "ambiguous_number", "at_most": len(lines), "reason": "gamla nummer"}]
    accepting = note_job(place, "numbers", "\n".join([*lines, *known]), accept=accept)
    place("plan", accepting, "--env", "staging")
    run = place("run", accepting, "--env", "staging").document
    assert run["outcomes"]["applied"] == len(known)
