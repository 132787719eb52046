"""Any list of operations on any small catalogue: counts add up, and nothing of others is touched."""

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bulkrunner.domain.changes.verbs import AppendChange, RemoveChange, SetChange
from bulkrunner.domain.manifest import Create, Creates, Delete, Unreadable, Update
from bulkrunner.domain.plan import WRITING, Action, plan_digest
from bulkrunner.domain.records import component_holders, held_by, sigel_of_iri, thing_part
from tests.support.catalogue import LIBRARY, MemoryCatalogue, a_bib, a_holding, short_id
from tests.support.planning import HERE, Desk, listed
from tests.support.sizes import examples

SIGELS = ("Ylm", "NO", "S")
BIBS = [short_id(number, "b") for number in range(4)]
HOLDINGS = [short_id(number) for number in range(8)]
OWN = {"Ylm", "NO"}


def link(sigel):
    return {"@id": LIBRARY + sigel}


sigels = st.sampled_from(SIGELS)
links = st.one_of(
    sigels.map(link),
    st.lists(sigels.map(link), max_size=2),
    st.sampled_from([{"@id": "https://x.example/"}, "Ylm", None, {}]),
)
components = st.recursive(
    st.fixed_dictionaries({"@type": st.just("Item")}, optional={"heldBy": links}),
    lambda inner: st.fixed_dictionaries(
        {"hasComponent": st.one_of(inner, st.lists(inner, max_size=2))},
        optional={"heldBy": links},
    ),
    max_leaves=4,
)
values = st.one_of(
    st.text(max_size=8),
    st.integers(-3, 3),
    links,
    components,
    st.lists(st.text(max_size=4), max_size=3),
)
things = st.fixed_dictionaries(
    {},
    optional={
        "shelfMark": st.fixed_dictionaries({"label": values}),
        "hasComponent": st.one_of(components, st.lists(components, max_size=2)),
        "physicalLocation": st.lists(st.text(max_size=4), max_size=2),
    },
)


@st.composite
def catalogues(draw):
    records = {bib: a_bib(bib) for bib in BIBS[:3]}
    for record in HOLDINGS[:6]:
        document = a_holding(record, draw(st.sampled_from(BIBS)), draw(sigels), **draw(things))
        if draw(st.booleans()) and draw(st.booleans()):
            thing_part(document)["heldBy"] = draw(links)
        records[record] = document
    return MemoryCatalogue(records=records, gone={HOLDINGS[6]}, sigels=draw(rights))


rights = st.sampled_from([("Ylm", "NO"), ("Ylm",), ("Ylm", "NO", "S"), ("S",)])
places = st.sampled_from(
    [
        "shelfMark.label",
        "shelfMark",
        "hasComponent",
        "hasComponent.0.heldBy",
        "hasComponent.heldBy.@id",
        "hasComponent.0.hasComponent",
        "physicalLocation",
        "heldBy",
        "@record.cataloguersNote",
        "@record.inDataset",
    ]
)
changes = st.lists(
    st.one_of(
        st.builds(SetChange, at=places, to=values),
        st.builds(RemoveChange, at=places),
        st.builds(AppendChange, at=places, value=values),
    ),
    min_size=1,
    max_size=3,
)
targets = st.sampled_from([*HOLDINGS, *BIBS, "https://libris.kb.se/" + HOLDINGS[0]])
bodies = st.dictionaries(st.sampled_from(["hasComponent", "shelfLabel"]), values, max_size=2)
operations = st.lists(
    st.one_of(
        st.builds(Update, source=st.just(HERE), target=targets, changes=changes.map(tuple)),
        st.builds(
            Update,
            source=st.just(HERE),
            target=targets,
            replace=st.fixed_dictionaries({"item": things}),
        ),
        st.builds(Update, source=st.just(HERE), target=targets, resave=st.just(True)),
        st.builds(Delete, source=st.just(HERE), target=targets),
        st.builds(
            Create,
            source=st.just(HERE),
            creates=st.just(Creates.HOLDING),
            sigel=sigels,
            of=st.sampled_from(BIBS),
            body=bodies,
        ),
        st.just(Unreadable(source=HERE, given="?", code="unreadable_id", message="no id")),
    ),
    max_size=12,
)


def planned(catalogue, declared):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), catalogue)
        plan = desk.plan(listed(*declared, sigels=("Ylm", "NO")))
        found = desk.changes(plan), desk.ledger.plans.get(plan.id)
        desk.ledger.close()
        return found


def libraries(document):
    """Every library that the holding, or a part of it at any depth, says it belongs to."""
    found, stack = [held_by(document)], [thing_part(document).get("hasComponent")]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            if "heldBy" in node:
                held = node["heldBy"]
                for one in held if isinstance(held, list) else [held]:
                    iri = one.get("@id") if isinstance(one, dict) else None
                    found.append(sigel_of_iri(iri) if isinstance(iri, str) else None)
            stack.append(node.get("hasComponent"))
    return found


@settings(max_examples=examples(150))
@given(catalogue=catalogues(), declared=operations)
def test_counts_add_up_and_nothing_of_others_is_touched(catalogue, declared):
    changes, plan = planned(catalogue, declared)
    assert len(changes) == len(declared) == sum(plan.counts.values())
    for action in Action:
        assert plan.counts[action] == sum(change.action is action for change in changes)
    touched = []
    for change in changes:
        if change.action not in WRITING:
            assert change.after is None
            assert change.code
            continue
        assert change.kind == "holding"
        assert change.sigel in OWN & set(catalogue.sigels)
        for document in (change.before, change.after):
            if document is not None:
                assert set(libraries(document)) <= OWN & set(catalogue.sigels)
                assert set(component_holders(document)) <= OWN & set(catalogue.sigels)
        if change.before is not None and change.after is not None:
            kept = ("@id", "@type", "heldBy", "itemOf")
            before, after = thing_part(change.before), thing_part(change.after)
            assert [before.get(key) for key in kept] == [after.get(key) for key in kept]
        touched.append(change.target_key)
    assert len(touched) == len(set(touched))


def replan(folder, catalogue):
    desk = Desk(folder, catalogue)
    update = Update(
        source=HERE,
        target=HOLDINGS[0],
        changes=(SetChange(at="shelfMark.label", to="Hce"),),
    )
    create = Create(
        source=HERE, creates=Creates.HOLDING, sigel="Ylm", of=BIBS[1], body={"shelfLabel": "x"}
    )
    delete = Delete(source=HERE, target=HOLDINGS[1])
    plan = desk.plan(listed(update, delete, create, Delete(source=HERE, target=HOLDINGS[7])))
    return desk, plan


def small():
    records = {bib: a_bib(bib) for bib in BIBS[:2]}
    for record in HOLDINGS[:2]:
        records[record] = a_holding(record, BIBS[0], shelfMark={"label": "Hc"})
    return MemoryCatalogue(records=records)


def test_the_digest_is_the_same_however_the_plan_was_cut(tmp_path, monkeypatch):
    digests = set()
    for batch in (1, 2, 200):
        (tmp_path / str(batch)).mkdir()
        monkeypatch.setattr("bulkrunner.services.planning.planner.BATCH", batch)
        desk, plan = replan(tmp_path / str(batch), small())
        digests.add(tuple(desk.ledger.plans.change_digests(plan.id)))
        desk.ledger.close()
    assert len(digests) == 1


def test_the_digest_changes_with_every_part_of_every_change(tmp_path):
    desk, plan = replan(tmp_path, small())
    assert (
        plan_digest(plan.digest_head(), desk.ledger.plans.change_digests(plan.id))
        == plan.plan_digest
    )
    path = tmp_path / "ledger.db"
    columns = {
        "record": "'h0000000000zzzz'",
        "action": "'unchanged'",
        "etag": "'2'",
        "operation": '\'{"delete": "x"}\'',
        "before": "zeroblob(32)",
        "after": "zeroblob(32)",
        "before_fingerprint": "'sha256:0'",
        "sigel": "'S'",
        "kind": "'bib'",
        "code": "'x'",
    }
    for number in (1, 2, 3):
        for column, value in columns.items():
            digest = _tampered(desk, plan, path, column, value, number)
            assert digest != plan.plan_digest, (number, column)
    assert (
        plan_digest(plan.digest_head(), desk.ledger.plans.change_digests(plan.id))
        == plan.plan_digest
    )
    desk.ledger.close()


def _tampered(desk, plan, path, column, value, number):
    with sqlite3.connect(path) as database:
        for (name,) in database.execute("select name from sqlite_master where type = 'trigger'"):
            database.execute(f"drop trigger {name}")
        (kept,) = database.execute(
            f"select {column} from planned_changes where number = ?", (number,)
        ).fetchone()
        database.execute(
            f"update planned_changes set {column} = {value} where number = ?", (number,)
        )
        database.commit()
        digest = plan_digest(plan.digest_head(), desk.ledger.plans.change_digests(plan.id))
        database.execute(
            f"update planned_changes set {column} = ? where number = ?", (kept, number)
        )
    database.close()
    return digest
