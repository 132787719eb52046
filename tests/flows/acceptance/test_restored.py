"""A ledger that was put back, copied or rolled back: nothing runs from it until a person says so.

What cannot be repeated is the creation of bibs: sent again, each is made a second time.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.cli import Workplace, update_label

BIBS = 20
WORD = ("--by", "Eva Berg", "--reason", "disken gick sönder")


def new_bib(number: int) -> dict:
    return {
        "create": "bib",
        "sigel": "Ylm",
        "record": {},
        "body": {
            "@type": "Instance",
            "instanceOf": {"@type": "Text", "hasTitle": [{"@type": "Title", "mainTitle": "W"}]},
            "hasTitle": [{"@type": "Title", "mainTitle": f"Den {number}:a nya boken"}],
            "identifiedBy": [{"@type": "ISBN", "value": f"97891000{number:05d}"}],
            "issuanceType": "Monograph",
        },
    }


@pytest.fixture
def level2(sandbox, tmp_path) -> Workplace:
    return Workplace(folder=tmp_path / "place", sandbox=sandbox, client="cataloguer")


def bib_job(place: Workplace, count: int = BIBS) -> Path:
    return place.job(
        "bibs",
        operations=[new_bib(number) for number in range(count)],
        agreement={
            "reference": "KB 1",
            "contact": "a@example.org",
            "covers": ["holdings", "bibs"],
        },
    )


def made(place: Workplace) -> list[str]:
    """The ISBN of each new bib in production, as often as it is there."""
    production = place.sandbox.production
    found = []
    for record in production.records("bib"):
        thing = production.document(record)["@graph"][1]
        title = (thing.get("hasTitle") or [{}])[0].get("mainTitle", "")
        if title.endswith(":a nya boken"):
            found.append(title)
    return sorted(found)


def files(place: Workplace) -> list[Path]:
    return sorted(place.folder.glob("bulkrunner.db*"))


def take(place: Workplace, where: Path) -> None:
    """Copy everything that is the ledger's, as an operator does."""
    where.mkdir()
    for file in files(place):
        shutil.copy2(file, where)


def removed(place: Workplace) -> None:
    for file in files(place):
        file.unlink()


def the_backup_is_copied_over_it(place: Workplace, _: Path) -> None:
    (backup,) = place.folder.glob("bulkrunner-backup-*.db")
    for end in ("-wal", "-shm"):
        place.ledger.with_name(place.ledger.name + end).unlink(missing_ok=True)
    shutil.copyfile(backup, place.ledger)


def the_backup_is_put_in_its_place(place: Workplace, _: Path) -> None:
    (backup,) = place.folder.glob("bulkrunner-backup-*.db")
    removed(place)
    backup.rename(place.ledger)


def a_copied_file_is_put_back(place: Workplace, taken: Path) -> None:
    removed(place)
    shutil.copy2(taken / place.ledger.name, place.ledger)


def a_copied_file_is_copied_over_it(place: Workplace, taken: Path) -> None:
    for end in ("-wal", "-shm"):
        place.ledger.with_name(place.ledger.name + end).unlink(missing_ok=True)
    shutil.copyfile(taken / place.ledger.name, place.ledger)


def all_its_files_are_put_back(place: Workplace, taken: Path) -> None:
    removed(place)
    for file in taken.iterdir():
        shutil.copy2(file, place.folder)


def the_machine_is_set_back(place: Workplace, taken: Path) -> None:
    """Every byte is as before, in the very files: nothing on this machine can tell."""
    for file in files(place):
        if not (taken / file.name).exists():
            file.unlink()
    for file in taken.iterdir():
        with (place.folder / file.name).open("r+b") as there:
            there.truncate()
            there.write(file.read_bytes())


WAYS: list[Callable[[Workplace, Path], None]] = [
    the_backup_is_copied_over_it,
    the_backup_is_put_in_its_place,
    a_copied_file_is_put_back,
    a_copied_file_is_copied_over_it,
    all_its_files_are_put_back,
    the_machine_is_set_back,
]


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_nothing_runs_from_it_until_a_person_says_so(level2, tmp_path, way):
    place, job = level2, bib_job(level2, 2)
    place.approved(job)
    take(place, tmp_path / "taken")
    run = place("run", job, "--env", "production").document
    assert run["outcomes"]["applied"] == 2
    once = made(place)
    place.sandbox.production.refresh()
    way(place, tmp_path / "taken")
    closed = place("run", job, "--env", "production", expect=4)
    assert closed.closed == {"ledger"}
    assert "bulkrunner ledger restore" in closed.document["error"]["message"]
    assert made(place) == once
    told = place("status")
    if "nothing runs from this ledger" in told.stderr:  # else the catalogue alone tells
        assert told.document["next"] == "bulkrunner ledger restore --by NAME --reason TEXT"
    assert ("nothing runs" in told.stderr) is (way is not the_machine_is_set_back)


@pytest.mark.parametrize("way", [the_backup_is_copied_over_it, the_machine_is_set_back])
def test_no_bib_is_made_a_second_time(level2, tmp_path, way):
    place, job = level2, bib_job(level2)
    plan = place.approved(job)
    take(place, tmp_path / "taken")
    run = place("run", job, "--env", "production").document
    once = made(place)
    assert len(set(once)) == len(once) == BIBS
    way(place, tmp_path / "taken")
    told = place("ledger", "restore", *WORD).document
    assert (told["state"], told["restored"][0]["by"]) == ("restored", "Eva Berg")
    again = place("run", job, "--env", "production", expect=None).document
    assert again["run"] != run["run"]
    assert again["outcomes"]["applied"] == 0
    assert again["outcomes"]["unchanged"] == BIBS, again
    assert made(place) == once
    report = tmp_path / "r.json"
    place("report", again["run"], "--format", "json", "--out", report)
    text = report.read_text(encoding="utf-8")
    assert "made_unknown" in text
    assert "disken gick sönder" in text
    assert place("ledger", "check").document["state"] == "intact"
    assert place("status", plan).document["gates"]


def test_what_the_lost_part_did_not_do_is_done_after_a_persons_word(level2, tmp_path):
    place, job = level2, bib_job(level2)
    place.approved(job)
    take(place, tmp_path / "taken")
    place("run", job, "--env", "production", "--limit", "8", expect=6)
    assert len(made(place)) == 8
    all_its_files_are_put_back(place, tmp_path / "taken")
    place("run", job, "--env", "production", expect=4)
    place("ledger", "restore", *WORD)
    done = place("run", job, "--env", "production").document
    assert (done["outcomes"]["applied"], done["outcomes"]["unchanged"]) == (BIBS - 8, 8)
    assert len(set(made(place))) == len(made(place)) == BIBS


def test_a_run_of_which_only_the_end_is_lost_is_not_repeated(level2, tmp_path):
    place, job = level2, bib_job(level2)
    place.approved(job)
    run = place("run", job, "--env", "production", "--limit", "5", expect=6).document["run"]
    take(place, tmp_path / "taken")
    place("resume", run)
    once = made(place)
    the_machine_is_set_back(place, tmp_path / "taken")
    assert place("resume", run, expect=4).closed == {"ledger"}
    place("ledger", "restore", *WORD)
    done = place("resume", run).document
    assert (done["outcomes"]["applied"], done["outcomes"]["unchanged"]) == (5, BIBS - 5)
    assert made(place) == once


def test_a_new_plan_after_it_finds_them_too(level2, tmp_path):
    place, job = level2, bib_job(level2, 4)
    place.approved(job)
    take(place, tmp_path / "taken")
    place("run", job, "--env", "production")
    all_its_files_are_put_back(place, tmp_path / "taken")
    place("ledger", "restore", *WORD)
    plan = place("plan", job, "--env", "production").document["plan"]
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 2")
    done = place("run", job, "--env", "production").document
    assert done["outcomes"]["unchanged"] == 4
    assert len(made(place)) == 4


def copied_to(place: Workplace, folder: Path) -> Workplace:
    shutil.copytree(place.folder, folder)
    return Workplace(folder=folder, sandbox=place.sandbox, client="cataloguer")


def test_two_copies_on_one_machine(level2, tmp_path):
    """A copy is as good as the ledger it was taken of for as long as that one goes no further."""
    place, job = level2, bib_job(level2)
    place.approved(job)
    first, second = (copied_to(place, tmp_path / name) for name in ("first", "second"))
    assert first("run", job, "--env", "production").document["outcomes"]["applied"] == BIBS
    # The catalogue has what the one has written, of which the other knows nothing.
    assert place("run", job, "--env", "production", expect=4).closed == {"ledger"}
    place("plan", job, "--env", "staging")
    closed = second("run", job, "--env", "production", expect=4)
    assert "copied or moved here together" in closed.document["error"]["message"]
    assert len(made(place)) == BIBS


def test_a_copy_on_another_machine(level2, tmp_path):
    """The ledger that it was taken of cannot be looked at."""
    place, job = level2, bib_job(level2)
    place.approved(job)
    other = copied_to(place, tmp_path / "other")
    (tmp_path / "elsewhere").mkdir()
    for file in files(place):
        file.rename(tmp_path / "elsewhere" / file.name)
    assert other("run", job, "--env", "production", expect=4).closed == {"ledger"}
    other("ledger", "restore", *WORD)
    assert other("run", job, "--env", "production").document["outcomes"]["applied"] == BIBS
    for file in (tmp_path / "elsewhere").iterdir():
        file.rename(place.folder / file.name)
    assert place("run", job, "--env", "production", expect=4).closed == {"ledger"}
    assert len(made(other)) == BIBS


def test_a_ledger_of_a_test_environment_is_no_exception(place, own, tmp_path):
    job = place.job("staging", operations=update_label(own[:4], to="Hce2"))
    place("plan", job, "--env", "staging")
    take(place, tmp_path / "taken")
    place("run", job, "--env", "staging")
    all_its_files_are_put_back(place, tmp_path / "taken")
    assert place("run", job, "--env", "staging", expect=4).closed == {"ledger"}
    place("ledger", "restore", *WORD)
    done = place("run", job, "--env", "staging").document
    assert done["outcomes"]["unchanged"] == 4


def test_changes_that_the_ledger_does_not_know_close_it(place, own, tmp_path):
    """Also without new bibs; what a person did by hand to one record does not."""
    job = place.job("seen", operations=update_label(own[:4], to="Hce2"))
    place("plan", job, "--env", "staging")
    take(place, tmp_path / "taken")
    staging = place.sandbox.staging
    mark = staging.document(own[0])["@graph"][1]["shelfMark"]
    staging.edit(own[0], sigel="Ylm", set={"shelfMark": {**mark, "label": "Hce2"}})
    done = place("run", job, "--env", "staging").document
    assert (done["outcomes"]["applied"], done["outcomes"]["unchanged"]) == (3, 1)
    the_machine_is_set_back(place, tmp_path / "taken")
    closed = place("run", job, "--env", "staging", expect=4)
    assert closed.closed == {"ledger"}
    assert "first 3 changes of the plan" in closed.document["error"]["message"]


def test_it_goes_on_where_nothing_was_lost(place, own, tmp_path):
    job = place.job("same", operations=update_label(own[:4], to="Hce2"))
    place("plan", job, "--env", "staging")
    # Put back as it was, and moved within its file system, with what belongs to it.
    a_copy = tmp_path / "copy.db"
    shutil.copyfile(place.ledger, a_copy)
    place.ledger.unlink()
    shutil.copyfile(a_copy, place.ledger)
    elsewhere = Workplace(folder=tmp_path / "elsewhere", sandbox=place.sandbox)
    for file in files(place):
        file.rename(elsewhere.folder / file.name)
    done = elsewhere("run", job, "--env", "staging").document
    assert done["outcomes"]["applied"] == 4


def test_reading_a_copy_changes_nothing_of_it(place, own, tmp_path):
    job = place.job("read", operations=update_label(own[:2], to="Hce2"))
    plan = place("plan", job, "--env", "staging").document["plan"]
    copy = tmp_path / "copy.db"
    shutil.copyfile(place.ledger, copy)
    for command in (["status"], ["status", plan], ["ledger", "check"], ["report", plan]):
        out = ["--out", tmp_path / "r.html"] if command[0] == "report" else []
        place("--ledger", f"sqlite:///{copy}", *command, *out)
    found = place("--ledger", f"sqlite:///{copy}", "ledger", "check").document
    assert found["state"] == "intact"
    assert "copied or moved here" in found["copied"]
    shown = place("--ledger", f"sqlite:///{copy}", "status", plan).document
    assert shown["next"].startswith("bulkrunner ledger restore")
    assert place("run", job, "--env", "staging").document["outcomes"]["applied"] == 2
    assert place("ledger", "check").document["copied"] is None


def test_a_backup_says_that_it_is_one(place, own):
    job = place.job("marked", operations=update_label(own[:1], to="Hce2"))
    place.approved(job)
    place("run", job, "--env", "production")
    (copy,) = place.folder.glob("bulkrunner-backup-*.db")
    found = place("--ledger", f"sqlite:///{copy}", "ledger", "check").document
    assert found["copied"].startswith("it is the copy that was made ")


def test_a_word_is_needed_and_a_ledger_that_fits(place, own):
    job = place.job("word", operations=update_label(own[:1], to="Hce2"))
    place("plan", job, "--env", "staging")
    for given in (["--by", " ", "--reason", "x"], ["--by", "Eva", "--reason", "\n"]):
        assert place("ledger", "restore", *given, expect=2).document["error"]["code"] == "usage"
    done = place("ledger", "restore", "--by", "Eva\nBerg", "--reason", "för säkerhets skull")
    assert done.document["copied"] is None
    assert done.document["restored"][0]["by"] == "Eva Berg"
    gates = {gate["name"]: gate for gate in _gates(place, job)}
    assert gates["ledger"]["open"]
    assert "restored" in gates["ledger"]["reason"]
    assert "för säkerhets skull" in gates["ledger"]["reason"]


def _gates(place, job):
    plan = place("status").document["plans"][0]["plan"]
    return place("status", plan).document["gates"]


def test_a_bib_without_anything_to_search_for_is_refused(level2, tmp_path):
    place = level2
    job = bib_job(place, 2)
    bare = new_bib(7)
    del bare["body"]["identifiedBy"]
    job = place.job(
        "bare",
        operations=[bare],
        agreement={
            "reference": "KB 1",
            "contact": "a@example.org",
            "covers": ["holdings", "bibs"],
        },
    )
    place.approved(job)
    take(place, tmp_path / "taken")
    place("run", job, "--env", "production")
    all_its_files_are_put_back(place, tmp_path / "taken")
    place("ledger", "restore", *WORD)
    done = place("run", job, "--env", "production", expect=5).document
    assert done["outcomes"]["refused"] == 1
    assert len(made(place)) == 1
    report = tmp_path / "r.json"
    place("report", done["run"], "--format", "json", "--out", report)
    assert "not_searchable" in report.read_text(encoding="utf-8")


def test_the_search_is_down(level2, tmp_path):
    place, job = level2, bib_job(level2, 3)
    place.approved(job)
    take(place, tmp_path / "taken")
    place("run", job, "--env", "production")
    all_its_files_are_put_back(place, tmp_path / "taken")
    place("ledger", "restore", *WORD)
    place.sandbox.production.fault("status", method="GET", path="/find", status=500)
    place("run", job, "--env", "production", expect=6)
    assert len(made(place)) == 3
    place.sandbox.production.clear_faults()
    assert place("resume").document["outcomes"]["unchanged"] == 3


def test_the_note_beside_it_is_private(place, own):
    job = place.job("private", operations=update_label(own[:1], to="Hce2"))
    place("plan", job, "--env", "staging")
    note = place.ledger.with_name(place.ledger.name + "-head")
    assert note.stat().st_mode & 0o777 == 0o600
    note.unlink()
    note.symlink_to(place.folder / "elsewhere")
    assert place("run", job, "--env", "staging", expect=4).closed == {"ledger"}
    assert not (place.folder / "elsewhere").exists()
