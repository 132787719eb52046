import itertools, pytest
from bulkrunner.domain.conditions import parse_condition
from bulkrunner.domain.job import SetChange, Source
from bulkrunner.domain.steps import *
from bulkrunner.domain.values import parse_value
from tests.applying.test_transfers import *

def show(rig, made, run=None):
    for c in rig.ledger.changes(made.id):
        print("  ", c.number, c.action.value, c.code, c.record, c.prerequisites, c.message[:100], [p.code for p in c.parts])
    if run:
        print("  run", run.state, [(e.change.number, e.result.outcome.value, e.result.code) for e in rig.ended(run)], rig.sent())

def rows(action, *pairs, number=1, **more):
    source = Source(file="job.yaml", line=number)
    step = Step(number=number, source=source, action=action, **more)
    return [StepEntry(source=Source(file="r.csv", line=i), step=step, given=ref, ref=ref, row=row) for i, (ref, row) in enumerate(pairs, 1)]

def test_a_refused_later(level2):
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    upd = StepUpdate(changes=(SetChange(at="shelfMark.label", to="x"),))
    made = plan(level2, entries(StepMove(to="NO"), old), entries(upd, bib, number=2, holdings=("NO",), expect={"shelfMark.label": "never"}))
    run = level2.run(made)
    show(level2, made, run)
    print(held(level2, bib), held(level2, bib, "NO"))

def test_b_conflicting_rows(level2):
    bib, old = holding(level2)
    act = StepMove(to=parse_value({"$value": "@row.t"}))
    made = plan(level2, rows(act, (old, {"t": "NO"}), (old, {"t": "Ylm"})))
    run = level2.run(made)
    show(level2, made, run)
    print(held(level2, bib), held(level2, bib, "NO"))

def test_c_merge_nochange_target_deleted(level2):
    (_, gone), (_, kept) = (holding(level2, cataloguersNote=["a"]) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=("cataloguersNote",)), gone))
    level2.control.edit(kept, delete=True)
    run = level2.run(made)
    show(level2, made, run)

def test_d_replan_after_edit(level2):
    bib, old = holding(level2, cataloguersNote=["a"])
    parts = entries(StepMove(to="NO"), old)
    made = plan(level2, parts, job="jd")
    run = level2.run(made, limit=1)
    show(level2, made, run)
    level2.control.edit(old, sigel="S")
    made = plan(level2, parts, job="jd")
    run = level2.run(made)
    show(level2, made, run)
    print(held(level2, bib), held(level2, bib, "NO"))

def test_e_replan_made_deleted(level2):
    bib, old = holding(level2, cataloguersNote=["a"])
    parts = entries(StepMove(to="NO"), old)
    made = plan(level2, parts, job="je")
    run = level2.run(made, limit=1)
    made = plan(level2, parts, job="je")
    (new,) = held(level2, bib, "NO")
    level2.control.edit(new, delete=True)
    run = level2.run(made)
    show(level2, made, run)
    print(held(level2, bib), held(level2, bib, "NO"))

def test_f_circle(level2):
    (_, a), (_, b) = (holding(level2, cataloguersNote=[text]) for text in ("a", "b"))
    act = StepMerge(into=parse_value({"$value": "@row.t"}), take=("cataloguersNote",))
    made = plan(level2, rows(act, (a, {"t": b}), (b, {"t": a})))
    run = level2.run(made)
    show(level2, made, run)
    print([level2.control.get(x).status for x in (a, b)])

from bulkrunner.domain.job import Undo
def undo(rig, made):
    decl = {"job": made.job, "effect_digest": made.effect_digest}
    u = Undo(source=Source(file="u", line=1), **decl)
    req = rig.request(u, sigels=SIGELS, undo=decl)
    p = rig.planner().make(req, f"p-u{next(NUMBERS)}")
    rig.control.clear_log()
    return p

def test_u1_move_undo_refused(level2):
    bib, old = holding(level2, cataloguersNote=["a"])
    made = plan(level2, entries(StepMove(to="NO"), old))
    level2.run(made)
    mine = level2.made_holding(bib)   # Ylm got a new one
    p = undo(level2, made); show(level2, p, level2.run(p))
    print("NO", held(level2, bib, "NO"), "Ylm", held(level2, bib))

def test_u2_update_move_undo(level2):
    bib, old = holding(level2, shelfMark={"@type": "ShelfMark", "label": "Hc"})
    update = StepUpdate(changes=(SetChange(at="shelfMark.label", to="Hce"),))
    made = plan(level2, entries(update, old), entries(StepMove(to="NO"), old, number=2))
    level2.run(made)
    p = undo(level2, made); show(level2, p, level2.run(p))
    print("NO", held(level2, bib, "NO"), "Ylm", held(level2, bib))

def test_u3_merge_undo_refused(level2):
    (ba, gone), (bb, kept) = (holding(level2, cataloguersNote=[text]) for text in ("a", "b"))
    made = plan(level2, entries(StepMerge(into=kept, take=("cataloguersNote",)), gone))
    level2.run(made)
    mine = level2.made_holding(ba)
    p = undo(level2, made); show(level2, p, level2.run(p))
    print(thing_part(level2.control.document(kept))["cataloguersNote"])

def test_u4_split_undo(level2):
    bib, record = holding(level2, hasComponent=two_parts())
    condition = parse_condition({"shelfMark.label": "Ob"}, outside({}))
    made = plan(level2, entries(StepSplit(components=condition, sigel="NO"), record))
    level2.run(made)
    level2.control.edit(record, sigel="S")
    p = undo(level2, made); show(level2, p, level2.run(p))
    print("NO", held(level2, bib, "NO"))

def test_u5_repoint_undo_old_bib_taken(level2):
    (old, record), new = holding(level2), level2.made_bib()
    made = plan(level2, entries(StepRepoint(to=new), record))
    level2.run(made)
    level2.made_holding(old)
    p = undo(level2, made); show(level2, p, level2.run(p))

def test_u6_repoint_undo_old_bib_gone(level2):
    (old, record), new = holding(level2), level2.made_bib()
    made = plan(level2, entries(StepRepoint(to=new), record))
    level2.run(made)
    level2.control.edit(old, delete=True)
    p = undo(level2, made); show(level2, p, level2.run(p))

def test_r1_revert_itemof(level2):
    (old, record), new = holding(level2), level2.made_bib()
    level2.run(plan(level2, entries(StepRepoint(to=new), record)))
    level2.made_holding(old)
    p = plan(level2, entries(StepRevert(version=0), record)); show(level2, p, level2.run(p))

def test_r2_revert_itemof_gone(level2):
    (old, record), new = holding(level2), level2.made_bib()
    level2.run(plan(level2, entries(StepRepoint(to=new), record)))
    level2.control.edit(old, delete=True)
    p = plan(level2, entries(StepRevert(version=0), record)); show(level2, p, level2.run(p))

def test_r3_revert_sameas(level2):
    bib, record = holding(level2)
    doc = level2.control.document(record)
    doc["@graph"][0]["sameAs"] = [{"@id": "http://libris.kb.se/hold/991199"}]
    from bulkrunner.domain.records import record_part
    a = level2.control.send("PUT", f"/{record}", doc, client="cataloguer", headers={"If-Match": level2.control.get(record).headers["etag"]}) if False else None

def test_r4_revert_deleted(level2):
    bib, record = holding(level2)
    level2.control.edit(record, delete=True)
    p = plan(level2, entries(StepRevert(version=0), record)); show(level2, p)
    p = plan(level2, entries(StepRevert(version=-2), record)); show(level2, p)
