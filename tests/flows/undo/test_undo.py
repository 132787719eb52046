"""Undoing what a job changed: tried in staging, approved, run in production, and undone again."""

import json
import shlex

import pytest
import yaml

from tests.support.cli import update_label

COUNTS = ("create", "update", "delete", "unchanged", "refused", "not_found")
SERVERS = ("created", "modified", "recordStatus", "descriptionLastModifier")
OF_NEW = (*SERVERS, "@id", "mainEntity", "controlNumber", "descriptionCreator", "sameAs")


def counts(**some):
    return {**dict.fromkeys(COUNTS, 0), **some}


def content(document):
    """What a library sees in a record: all but the server's own fields."""
    record, *rest = document["@graph"]
    return [{key: value for key, value in record.items() if key not in SERVERS}, *rest]


def content_of_new(document):
    """Likewise, but for what a record gets when it is created."""
    record, thing = document["@graph"]
    return [
        {key: value for key, value in record.items() if key not in OF_NEW},
        {key: value for key, value in thing.items() if key not in ("@id", "sameAs")},
    ]


def mixed(own, bib):
    """Three updates, a delete and a create; ``own`` are four holdings."""
    create = {"create": "holding", "of": bib, "sigel": "Ylm", "body": {"physicalLocation": ["M"]}}
    return [*update_label(own[:3], to="Hx"), {"delete": own[3]}, create]


def undone(place, run, name="back", *options):
    """Write the undo job of a run; returns its folder."""
    folder = place.folder / "jobs" / name
    done = place("undo", run, "--out", folder, *options)
    assert done.document["folder"] == str(folder)
    assert place("check", folder).document["operations"]["undo"] == 1
    return folder


def outcomes(done):
    return {word: count for word, count in done.document["outcomes"].items() if count}


def through(place, job):
    """Take a job through staging and production; returns the ids of both runs."""
    place("plan", job, "--env", "staging")
    tried = place("run", job, "--env", "staging").document["run"]
    plan = place("plan", job, "--env", "production").document["plan"]
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 1")
    return tried, place("run", job, "--env", "production").document["run"]


def created(environment):
    """Id of the record that was created last."""
    (record,) = next(e["stored"] for e in reversed(environment.writes()) if e["method"] == "POST")
    return record


def new_on(environment, bibs):
    """Ids of the three last new holdings, in the order of their bibs."""
    new = [e["stored"][0] for e in environment.writes() if e["method"] == "POST"][-3:]
    on = {environment.document(one)["@graph"][1]["itemOf"]["@id"]: one for one in new}
    return [on[environment.thing_iri(bib)] for bib in bibs]


def findings(done):
    return {found["record"]: found["code"] for found in done.document["findings"]}


def test_a_mixed_run_is_taken_back_in_staging_then_in_production(place, own, free_bibs):
    ids, bib = own[:4], free_bibs[0]
    environments = {"staging": place.sandbox.staging, "production": place.sandbox.production}
    before = {name: [e.document(i) for i in ids] for name, e in environments.items()}
    job = place.job("mixed", operations=mixed(ids, bib))
    tried, _ = through(place, job)
    made = {name: created(environment) for name, environment in environments.items()}
    back = undone(place, tried)

    # Production is closed until each kind of restoring has been tried.
    early = place("plan", back, "--env", "production").document
    assert early["counts"] == counts(update=3, delete=1, create=1)
    place("approve", early["plan"], "--by", "Karin Ek", "--reference", "KB 2")
    assert place("run", back, "--env", "production", expect=4).closed == {"staging"}

    done = place("plan", back, "--env", "staging")
    assert done.document["counts"] == counts(update=3, delete=1, create=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 5}
    plan = place("plan", back, "--env", "production").document["plan"]
    assert place("run", back, "--env", "production", expect=4).closed == {"approval"}
    place("approve", plan, "--by", "Karin Ek", "--reference", "KB 2")
    run = place("run", back, "--env", "production")
    assert outcomes(run) == {"applied": 5}
    assert place("verify", run.document["run"]).document["differences"] == []

    for name, environment in environments.items():
        for record, old in zip(ids[:3], before[name], strict=False):
            assert content(environment.document(record)) == content(old)
        assert environment.get(ids[3]).status == 410
        assert environment.get(made[name]).status == 410
        again = environment.document(created(environment))
        assert content_of_new(again) == content_of_new(before[name][3])


def test_what_was_edited_since_is_listed_and_not_overwritten(place, own, free_bibs):
    ids, bib = own[4:8], free_bibs[1]
    staging = place.sandbox.staging
    before = staging.document(ids[1])
    job = place.job("edited", operations=mixed(ids, bib))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    made = created(staging)
    staging.edit(ids[0], set={"shelfControlNumber": "7"})
    staging.edit(made, set={"shelfControlNumber": "8"})
    staging.edit(ids[2], set={})
    back = undone(place, run)
    done = place("plan", back, "--env", "staging")
    assert done.document["counts"] == counts(update=2, create=1, refused=2)
    listed = findings(done)
    assert (listed[ids[0]], listed[made]) == ("changed_since", "changed_since")
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 3}
    assert staging.document(ids[0])["@graph"][1]["shelfControlNumber"] == "7"
    assert staging.document(made)["@graph"][1]["shelfControlNumber"] == "8"
    assert content(staging.document(ids[1])) == content(before)


def test_an_undo_is_undone(place, own, free_bibs):
    ids, bib = own[8:12], free_bibs[2]
    staging = place.sandbox.staging
    job = place.job("twice", operations=mixed(ids, bib))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    after = [content(staging.document(record)) for record in ids[:3]]
    holding = content_of_new(staging.document(created(staging)))
    back = undone(place, run)
    place("plan", back, "--env", "staging")
    run = place("run", back, "--env", "staging").document["run"]
    returned = created(staging)

    # What was taken back is there to be planned again.
    again = place("plan", job, "--env", "staging", expect=None).document["counts"]
    assert (again["update"], again["create"], again["not_found"]) == (3, 1, 1)

    forth = undone(place, run, "forth")
    done = place("plan", forth, "--env", "staging")
    assert done.document["counts"] == counts(update=3, delete=1, create=1)
    assert outcomes(place("run", forth, "--env", "staging")) == {"applied": 5}
    assert [content(staging.document(record)) for record in ids[:3]] == after
    assert staging.get(returned).status == 410
    assert content_of_new(staging.document(created(staging))) == holding

    # The first job's changes stand again, and the undo is there to be planned again.
    assert place("plan", job, "--env", "staging", expect=None).document["counts"]["unchanged"] >= 3
    assert place("plan", back, "--env", "staging").document["counts"]["update"] == 3


def test_a_second_plan_of_an_undo_finds_it_done(place, own, free_bibs):
    ids, bib = own[12:16], free_bibs[3]
    job = place.job("done", operations=mixed(ids, bib))
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    place("plan", back, "--env", "staging")
    place("run", back, "--env", "staging")
    assert place("plan", back, "--env", "staging").document["counts"] == counts(unchanged=5)


def test_a_stopped_run_is_undone_as_far_as_it_came_and_closed(place, own):
    ids = own[16:20]
    job = place.job("half", operations=update_label(ids, to="Hx"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging", "--limit", "2", expect=6).document["run"]
    back = undone(place, run)
    assert place("plan", back, "--env", "staging").document["counts"] == counts(update=2)
    resumed = place("resume", run, expect=5).document
    assert (resumed["state"], resumed["outcomes"]["pending"]) == ("completed", 2)
    assert resumed["requests"] == 0
    place("run", back, "--env", "staging")
    assert place("plan", job, "--env", "staging").document["counts"] == counts(update=4)


def test_only_a_list(place, own, free_bibs):
    ids, bib = own[20:24], free_bibs[4]
    job = place.job("some", operations=mixed(ids, bib))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    chosen = place.folder / "chosen.txt"
    chosen.write_text(f"{ids[0]}\n{bib}\n{own[30]}\n", encoding="utf-8")
    back = undone(place, run, "back", "--only", chosen)
    done = place("plan", back, "--env", "staging")
    assert done.document["counts"] == counts(update=1, delete=1, refused=1)
    assert findings(done) == {own[30]: "not_changed"}


def test_only_what_a_library_says_by_the_ids_of_its_new_records(place, own, free_bibs):
    """New records have other ids in each environment; a list of production's is tried in staging."""
    environments = {"staging": place.sandbox.staging, "production": place.sandbox.production}
    body = {"physicalLocation": ["M"]}
    operations = [
        {"create": "holding", "of": bib, "sigel": "Ylm", "body": body} for bib in free_bibs[10:13]
    ]
    job = place.job("new", operations=[*operations, *update_label(own[46:48], to="Hx")])
    _, run = through(place, job)
    new = {
        name: new_on(environment, free_bibs[10:13]) for name, environment in environments.items()
    }
    assert not set(new["staging"]) & set(new["production"])
    chosen = place.folder / "new.txt"
    chosen.write_text("\n".join([*new["production"][:2], own[46], own[30]]), encoding="utf-8")
    back = undone(place, run, "back-new", "--only", chosen)
    manifest = yaml.safe_load((back / "job.yaml").read_text(encoding="utf-8"))
    assert manifest["title"].startswith("Återställer 3 ändringar i new: ")
    assert manifest["ceilings"] == {"create": 0, "update": 1, "delete": 2}
    at_most = {one["code"]: one["at_most"] for one in manifest["accept"]}
    assert (at_most["changed_since"], at_most["not_changed"]) == (3, 4)
    for name, environment in environments.items():
        done = place("plan", back, "--env", name)
        assert done.document["counts"] == counts(update=1, delete=2, refused=1), done.document
        assert findings(done) == {own[30]: "not_changed"}
        if name == "production":
            place("approve", done.document["plan"], "--by", "Karin Ek", "--reference", "KB 1")
        place("run", back, "--env", name)
        there = environment.records()
        assert [record in there for record in new[name]] == [False, False, True]


def test_the_job_says_how_much_it_takes_back(place, own, free_bibs):
    """Not how much was planned: staging refuses one of three, and an earlier undo took one."""
    ids = own[43:46]
    job = place.job("part", operations=update_label(ids, to="Hx"))
    place("plan", job, "--env", "staging")
    place.sandbox.staging.fault("status", method="PUT", path=ids[0], status=400)
    run = place("run", job, "--env", "staging", expect=None).document["run"]
    place.sandbox.staging.clear_faults()
    chosen = place.folder / "one.txt"
    chosen.write_text(ids[1], encoding="utf-8")
    first = undone(place, run, "back-one", "--only", chosen)
    assert "Återställer 1 ändring i part" in (first / "job.yaml").read_text(encoding="utf-8")
    place("plan", first, "--env", "staging")
    place("run", first, "--env", "staging")
    rest = yaml.safe_load((undone(place, run, "back-rest") / "job.yaml").read_text("utf-8"))
    assert rest["ceilings"] == {"create": 0, "update": 1, "delete": 0}
    assert rest["title"].startswith("Återställer part: ")
    assert {one["at_most"] for one in rest["accept"]} == {1}
    assert "not_changed" not in {one["code"] for one in rest["accept"]}


def test_a_library_that_has_a_new_holding_keeps_it(place, own):
    staging = place.sandbox.staging
    record = own[24]
    document = staging.document(record)
    job = place.job("weeded", operations=[{"delete": record}])
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    new, thing = (dict(part) for part in document["@graph"])
    thing["@id"] = "https://id.kb.se/TEMPID#it"
    thing.pop("sameAs", None)
    new = {"@id": "https://id.kb.se/TEMPID", "@type": "Record", "mainEntity": {"@id": thing["@id"]}}
    assert staging.send("POST", "/data", {"@graph": [new, thing]}).status == 201
    done = place("plan", undone(place, run), "--env", "staging")
    assert done.document["counts"] == counts(refused=1)
    assert done.document["findings"][0]["code"] == "duplicate"


def test_an_undo_that_staging_cannot_try_needs_an_approval_that_says_so(place, own):
    record = own[25]
    job = place.job("untried", operations=update_label([record], to="Hx"))
    _, run = through(place, job)
    back = undone(place, run)
    plan = place("plan", back, "--env", "production").document["plan"]
    yes = ("approve", plan, "--by", "Karin Ek", "--reference", "KB 2")
    place(*yes)
    closed = place("run", back, "--env", "production", expect=4)
    assert closed.closed == {"staging"}
    place(*yes, "--agree", "undo, untried")
    assert outcomes(place("run", back, "--env", "production")) == {"applied": 1}


def test_another_job_cannot_be_approved_untried(place, own):
    job = place.job("plain", operations=update_label([own[26]], to="Hx"))
    plan = place.through_staging(job).document["plan"]
    yes = ("approve", plan, "--by", "K", "--reference", "R", "--agree", "undo, untried")
    assert place(*yes, expect=2).document["error"]["code"] == "unknown_statement"


def test_an_environment_without_the_run_has_nothing_to_undo(place, own):
    job = place.job("nowhere", operations=update_label([own[27]], to="Hx"))
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    done = place("plan", back, "--env", "production", expect=2)
    assert done.document["error"]["code"] == "nothing_to_undo"


@pytest.mark.parametrize(
    "steps",
    [
        [{"undo": {"job": "a", "effect_digest": "sha256:" + "0" * 64}, "ids": ["x"]}],
        [{"undo": {"job": "a", "effect_digest": "latest"}}],
        [{"undo": {"job": "a"}}],
        [
            {"undo": {"job": "a", "effect_digest": "sha256:" + "0" * 64}},
            {"ids": ["fzr8v1sn2k3m4p5"], "delete": True},
        ],
    ],
)
def test_undo_steps_that_are_none(place, steps):
    done = place("check", place.job("bad", steps=steps), expect=2)
    assert len(done.document["problems"]) == 1, json.dumps(done.document["problems"])


def test_the_manifest_is_readable_and_the_next_command_can_be_given(place, own):
    job = place.job("shown", operations=update_label([own[29]], to="Hx"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    folder = place.folder / "back again"
    told = place("undo", run, "--out", folder).stderr
    (command,) = (line for line in told.splitlines() if line.startswith("next: "))
    words = shlex.split(command)[2:]
    assert words == ["plan", str(folder), "--env", "staging"]
    text = (folder / "job.yaml").read_text(encoding="utf-8")
    assert max(len(line) for line in text.splitlines()) < 200
    assert "accept:\n  - code: " in text
    assert place(*words).document["counts"]["update"] == 1


def test_a_folder_that_is_there_is_left_alone(place, own):
    job = place.job("there", operations=update_label([own[28]], to="Hx"))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    assert place("undo", run, "--out", job, expect=2).document["error"]["code"] == "usage"


def test_a_report_in_json_lines_is_a_list_of_ids(place, own, free_bibs):
    ids, bib = own[38:42], free_bibs[5]
    job = place.job("listed", operations=mixed(ids, bib))
    place("plan", job, "--env", "staging")
    run = place("run", job, "--env", "staging").document["run"]
    made = created(place.sandbox.staging)
    second = place.folder / "jobs" / "second"
    changes = {"set": {"at": "shelfControlNumber", "to": "99"}}
    place.job("second", steps=[{"ids": "report.jsonl", **changes}])
    place("report", run, "--format", "jsonl", "--out", second / "report.jsonl")
    lines = (second / "report.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["record"] for line in lines} == {*ids, made}
    assert {json.loads(line)["outcome"] for line in lines} == {"applied"}
    done = place("plan", second, "--env", "staging")
    assert done.document["counts"] == counts(update=4, not_found=1)
    assert findings(done) == {ids[3]: "gone"}

    # So it is for an undo of some.
    some = undone(place, run, "some", "--only", second / "report.jsonl")
    assert len((some / "only.txt").read_text().split()) == 5


def test_the_report_of_an_undo_asks_for_what_was_not_tried(place, own):
    record = own[33]
    job = place.job("asked", operations=[{"delete": record}])
    _, run = through(place, job)
    back = undone(place, run)
    plan = place("plan", back, "--env", "production").document["plan"]
    path = place.folder / "report.json"
    place("report", plan, "--format", "json", "--out", path)
    report = json.loads(path.read_text(encoding="utf-8"))
    assert "undo, untried" in report["answer_text"]
    assert {note["code"] for note in report["findings"]} >= {"new_id"}
    page = place.folder / "report.html"
    place("report", plan, "--out", page)
    assert "Skapa åter beståndspost som jobbet raderade" in page.read_text(encoding="utf-8")


def test_a_plan_of_an_undo_that_was_interrupted_goes_on(place, own):
    ids = own[34:37]
    staging = place.sandbox.staging
    job = place.job("cut", operations=update_label(ids, to="Hx"))
    place("plan", job, "--env", "staging")
    back = undone(place, place("run", job, "--env", "staging").document["run"])
    staging.fault("status", method="GET", status=503, path=f"/{ids[1]}")
    cut = place("plan", back, "--env", "staging", expect=6).document
    staging.clear_faults()
    whole = place("resume", cut["plan"])
    assert whole.document["counts"] == counts(update=3)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 3}


def test_a_change_whose_outcome_nobody_knows_is_listed(place, own):
    record = own[37]
    staging = place.sandbox.staging
    job = place.job("doubt", operations=update_label([record], to="Hx"))
    place("plan", job, "--env", "staging")
    staging.fault("close_after", method="PUT", times=1)
    staging.fault("status", method="GET", status=503, path=f"/{record}", nth=list(range(2, 200)))
    stopped = place("run", job, "--env", "staging", expect=None)
    staging.clear_faults()
    assert stopped.document["outcomes"]["pending"] == 1
    done = place("plan", undone(place, stopped.document["run"]), "--env", "staging")
    assert findings(done) == {record: "outcome_unknown"}


BIB = {
    "@type": "PhysicalResource",
    "hasTitle": [{"@type": "Title", "mainTitle": "En bok som kommer igen"}],
    "instanceOf": {"@type": "Monograph"},
}


def test_bibs_are_taken_back_too(place):
    place.client = "cataloguer"
    staging = place.sandbox.staging
    agreed = {"agreement": {"reference": "KB 1", "covers": ["holdings", "bibs"]}}
    create = {"create": "bib", "sigel": "Ylm", "body": BIB, "record": {}}
    making = place.job("making", operations=[create], **agreed)
    place("plan", making, "--env", "staging")
    made_by = place("run", making, "--env", "staging").document["run"]
    made = created(staging)
    before = content_of_new(staging.document(made))

    gone = place.job("gone", operations=[{"delete": made}], **agreed)
    place("plan", gone, "--env", "staging")
    back = undone(place, place("run", gone, "--env", "staging").document["run"])
    assert place("plan", back, "--env", "staging").document["counts"] == counts(create=1)
    assert outcomes(place("run", back, "--env", "staging")) == {"applied": 1}
    assert created(staging) != made
    assert content_of_new(staging.document(created(staging))) == before

    # What the first job created is gone by now; the new one is not its.
    unmade = undone(place, made_by, "unmade")
    assert place("plan", unmade, "--env", "staging").document["counts"] == counts(unchanged=1)
