"""The languages: complete, alike in their gaps, and the program's own words put into Swedish."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from html.parser import HTMLParser
from importlib.resources import files
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.ledger.witness import chain_name
from bulkrunner.adapters.manifests.line_files import named, read_ids
from bulkrunner.adapters.reports import page_run, page_summary, write_report
from bulkrunner.adapters.reports.language import language
from bulkrunner.adapters.reports.markdown import markdown_chunks
from bulkrunner.adapters.reports.page_data import SCRIPT_TEXTS
from bulkrunner.adapters.reports.sheets import _overview
from bulkrunner.adapters.tables.grid import (
    LOST,
    REFORMATTED,
    contradicted,
    error_of_cell,
    merged,
    uncertain,
)
from bulkrunner.adapters.tables.table import Form, open_table
from bulkrunner.domain.approvals import EXCLUDED, Approval, permit
from bulkrunner.domain.changes.verbs import parse_change
from bulkrunner.domain.identifiers import Number
from bulkrunner.domain.iris import IriMap
from bulkrunner.domain.ledger_port import RESTORE
from bulkrunner.domain.manifest import Update
from bulkrunner.domain.plan import Action, BibSummary, Plan, PlanState
from bulkrunner.domain.policy import LooserValue, Policy, exceeded_ceilings
from bulkrunner.domain.report import Moment, Noted, ReportData
from bulkrunner.domain.report_groups import (
    General,
    Joint,
    PatternGroup,
    PatternPart,
    PatternValue,
    ReasonGroup,
    ReportedChange,
    delete_pattern,
    just,
    pattern_of,
    update_pattern,
)
from bulkrunner.domain.rules import GATE_NAMES, KB_RULES, Declined, Evidence, GateResult, RuleResult
from bulkrunner.domain.run import PROBLEMS, Outcome, Result
from bulkrunner.domain.steps import InputLine
from bulkrunner.errors import Source
from bulkrunner.sentences import Sentence, catalogue, joined
from bulkrunner.services.gatekeeper import declined, untried
from bulkrunner.services.reviews import NO_REVIEWERS
from tests.project.test_sentences import CODE, ENGLISH, SWEDISH, filled
from tests.support import reports
from tests.support.changes import outside
from tests.support.ledgers import START, a_plan
from tests.support.pages import Page
from tests.support.paths import ROOT
from tests.support.tables import message_of

SV, EN = language("sv"), language("en")


def raw(name: str) -> dict[str, Any]:
    source = files("bulkrunner.adapters.reports").joinpath("texts", f"{name}.json")
    found = json.loads(source.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def gaps(text: str) -> list[str]:
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("table", sorted(set(raw("sv")) - {"place"}))
def test_both_languages_have_the_same_texts(table: str) -> None:
    assert raw("sv")[table].keys() == raw("en")[table].keys()
    for name in ("sv", "en"):
        for key, text in raw(name)[table].items():
            first = text[0] if isinstance(text, list) else text
            assert first or (table, key) == ("format", "none"), (name, table, key)


def test_both_languages_have_the_same_tables() -> None:
    assert set(raw("sv")) == set(raw("en"))


def test_both_languages_fill_in_the_same_values() -> None:
    swedish, english = raw("sv")["text"], raw("en")["text"]
    for key, text in swedish.items():
        assert gaps(text) == gaps(english[key]), key


def test_every_name_is_translated() -> None:
    for words in (raw("sv"), raw("en")):
        assert set(words["action"]) == {action.value for action in Action}
        assert set(words["outcome_count"]) == set(words["outcome"])
        assert set(words["outcome"]) == {*(outcome.value for outcome in Outcome), EXCLUDED}
        assert set(words["gate"]) == set(GATE_NAMES)
        assert set(words["policy"]) == set(Policy().as_dict()) - {
            *("reviewers", "ceilings", "signers", "rules", "client_unused_days")
        }, "a value that may be looser than the built-in one has a name"


def test_numbers_counts_and_lists() -> None:
    assert SV.number(1234567) == "1\u00a0234\u00a0567"
    assert EN.number(1234567) == "1,234,567"
    assert SV.count("holding", 1) == "1 beståndspost"
    assert SV.count("holding", 2000) == "2\u00a0000 beståndsposter"
    assert SV.listed(["a", "b", "c"]) == "a, b och c"
    assert EN.listed(["a", "b"]) == "a and b"
    assert EN.listed(["a"]) == "a"


def test_times_are_by_the_swedish_clock() -> None:
    assert SV.time(datetime(2026, 7, 1, 22, 30, tzinfo=UTC)) == "2026-07-02 kl. 00.30"
    assert EN.time(datetime(2026, 1, 1, 12, 0, tzinfo=UTC)) == "2026-01-01 13:00"
    assert SV.time(None) == "–"


def test_hours_are_written_as_times_are() -> None:
    assert SV.hours("20:00-06:30") == "20.00–06.30"
    assert EN.hours("20:00-06:30") == "20:00–06:30"


AT = "2026-03-02T09:01:00+00:00"

GATES = [
    Sentence("gate_plan_open", made=AT),
    Sentence("gate_plan_incomplete", plan="p1", planned=12),
    Sentence("gate_manifest_changed"),
    Sentence("gate_plan_old", hours="400", most="336"),
    Sentence("gate_run_idle", days=9, most="7"),
    Sentence("gate_environment_changed", changed=["base_url: https://a → https://b"]),
    Sentence("gate_environment_open", environment="production", address="https://libris.kb.se"),
    Sentence("gate_rights_open"),
    Sentence("gate_rights_holding", sigel="NO"),
    Sentence("gate_refusals_left", refused="2 × foreign_sigel"),
    Sentence("gate_refusals_open"),
    Sentence("gate_staging_open", tried=17, total=18, runs="r1"),
    joined(
        (
            Sentence("gate_staging_thin_changes", tried=1, total=18, least="95"),
            Sentence("gate_staging_untried", records="a, b"),
        )
    ),
    Sentence("gate_staging_other_values", plan="p-1"),
    NO_REVIEWERS,
    Sentence("answer_names_not", statements=["functions = free"]),
    joined((Sentence("answer_yes", by="Anna Ek", reference="KB 7"), Sentence("answer_unsigned"))),
    Sentence("gate_ledger_open"),
    joined(
        (
            Sentence("gate_ledger_open"),
            Sentence("ledger_restored", at=AT, by="Eva Berg", reason="the disk broke"),
        )
    ),
    *exceeded_ceilings({"delete": 12}, {"delete": 10, "records": 10}),
    *(
        Sentence("gate_ledger_copy", why=why, todo=RESTORE)
        for why in (
            Sentence("ledger_is_copy", at=AT, why=Sentence("ledger_lags_since", at=AT)),
            Sentence("ledger_moved_alone"),
            Sentence("unknown_bib_made", change=7, record="fzr8v1sn2k3m4p5"),
            Sentence("unknown_changes_made", count=3, sigel="Ylm"),
        )
    ),
]


@pytest.mark.parametrize("said", GATES, ids=lambda said: said.key)
def test_reasons_of_gates_are_told_in_swedish(said: Sentence) -> None:
    worded = SV.reason(said)
    assert worded.lang == "sv"
    assert not re.search(r"[.?!];", worded.text)
    assert EN.reason(said).text == said.replace("09:01 UTC", "10:01")


def test_times_in_reasons_are_by_the_swedish_clock() -> None:
    reason = Sentence("gate_plan_open", made="2026-07-01T22:30:00+00:00")
    assert SV.reason(reason).text == ("Färdig, gjord 2026-07-02 kl. 00.30; kontrollsumman stämmer.")
    assert EN.reason(reason).text == "complete, made 2026-07-02 00:30, digest agrees"
    assert SV.instant("2026-07-01T22:30:00Z") == "2026-07-02 kl. 00.30"
    assert SV.instant("some day") == "some day"


LOGIN = Sentence(
    "login_unreachable",
    environment="staging",
    host="login.example",
    why=Sentence("login_answered_by_other", answer="200 Log in"),
)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (
            Sentence(
                "no_usable_answer",
                environment="staging",
                what="h1",
                why=Sentence("answered_by_other", answer="404 default backend - 404"),
            ),
            (
                "staging: inget användbart svar om h1: något annat svarar i katalogens ställe: "
                "404 default backend - 404"
            ),
        ),
        (
            Sentence("writes_answered_by_other", answer="403 Forbidden"),
            "Något annat svarar på skrivningar i katalogens ställe: 403 Forbidden",
        ),
        (
            Sentence("login_silent", why=LOGIN),
            (
                "Inloggningen för staging (login.example) svarar inte: något annat svarar i dess "
                "ställe: 200 Log in"
            ),
        ),
        (
            Sentence("login_waited", why=LOGIN, seconds="90"),
            (
                "Inloggningen för staging (login.example) svarar inte: något annat svarar i dess "
                "ställe: 200 Log in; väntade i 90 s"
            ),
        ),
        (
            Sentence("event_missing", position=7, chain=chain_name("")),
            "Händelse 7 i liggarens kedja saknas.",
        ),
        (
            Sentence(
                "stored_changed_of_change",
                position=3,
                chain=chain_name("r1"),
                kind="sent",
                change=2,
            ),
            "Det som händelse 3 i körningen r1:s kedja sparade (sent, ändring 2) har ändrats efteråt.",
        ),
        (
            Sentence("rows_of_no_event", table="results"),
            "I tabellen results står rader som ingen händelse har sparat.",
        ),
    ],
)
def test_refusals_and_faults_of_the_ledger_are_put_into_swedish(
    said: str, told: str | None
) -> None:
    worded = SV.reason(said)
    assert worded.lang == "sv"
    if told is not None:
        assert worded.text == told


def test_outcomes_inside_a_reason_are_put_into_swedish_too() -> None:
    tried = Evidence(newest_test_plan="p0", bad_outcomes={"pending": 3, "unknown": 1})
    said = untried(tried, Policy(), ())
    assert said == "the newest test plan p0 ended with 3 pending, 1 unknown; it must end clean"
    assert "3 återstår, 1 okänt utfall" in SV.reason(said).text


def test_an_unknown_reason_stays_english_and_says_so() -> None:
    assert SV.reason("something else; nothing") == ("something else; nothing", "en")


def patterns(parts: Sequence[Mapping[str, Any]], kind: str = "holding") -> Sentence:
    changes = tuple(parse_change(part, outside()) for part in parts)
    return pattern_of(Update(source=Source(file="x"), target="x", changes=changes), kind=kind)


def test_patterns_are_put_into_swedish() -> None:
    changed = patterns(
        [{"set": {"at": "shelfMark.label", "to": 1}}, {"remove": {"at": "inventoryLevel"}}]
    )
    assert changed == "update holding: set shelfMark.label; remove inventoryLevel"
    assert SV.reason(changed) == (
        "Ändra beståndspost: nytt värde i hyllkod; ta bort beståndsnivå",
        "sv",
    )
    deleted = delete_pattern("bib")
    assert SV.reason(deleted).text == "Radera bibliografisk post"
    assert EN.reason(deleted).text == "delete bib"
    assert SV.reason("update holding: set shelfMark.label") == (
        "update holding: set shelfMark.label",
        "en",
    )


def test_a_pattern_inside_a_reason_is_put_into_swedish_too() -> None:
    said = Sentence("gate_staging_kind_untried", pattern=patterns([{"remove": {"at": "hasNote"}}]))
    assert said.endswith(": update holding: remove hasNote")
    assert SV.reason(said).text.endswith(": Ändra beståndspost: ta bort anmärkning.")


def test_every_verb_is_put_into_swedish() -> None:
    found = patterns(
        [
            {"set": {"at": "a", "to": 1}, "in": "each_place"},
            {"remove": {"at": "b"}, "in": "components"},
            {"append": {"at": "c", "value": 1}, "in": "item"},
            {"remove_items": {"at": "d", "matching": "x"}, "in": "anywhere"},
            {"replace_value": {"at": "e", "table": {"x": "y"}}, "in": {"each": "hasNote"}},
            {
                "replace_text": {"at": "f", "find": "x", "with": "y"},
                "in": "item_and_components",
            },
            {"move_value": {"from": "g", "to": "h"}, "in": "record"},
            {"retype": {"at": "i", "to": "Note"}},
        ]
    )
    assert found.partition(": ")[2].split("; ") == [
        "set a in each_place",
        "remove b in components",
        "append c in item",
        "remove items of d in anywhere",
        "replace value of e in each hasNote",
        "replace text of f in item_and_components",
        "move g to h in record",
        "retype i to Note",
    ]
    assert SV.reason(found).text.partition(": ")[2].split("; ") == [
        "a ändras, på beståndet eller i komponenter",
        "ta bort b i delarna",
        "tillägg i c i själva beståndet",
        "ta bort värden ur d var som helst i posten",
        "byt värde enligt tabell i e i varje anmärkning",
        "byt text i f i beståndet och dess delar",
        "flytta g till h i katalogpostens egna uppgifter",
        "ny typ Note på i",
    ]
    assert EN.reason(found).text.partition(": ")[2].split("; ")[3:6] == [
        "remove items of d anywhere in the record",
        "replace value of e in each note",
        "replace text of f in the item and its components",
    ]
    parts = [Sentence("part_change", at="j"), Sentence("part_add", at="hasComponent.0.hasNote")]
    assert SV.reason(update_pattern("holding", parts)).text == (
        "Ändra beståndspost: ändra j; tillägg i komponent 1 › anmärkning"
    )


def test_a_share_is_never_rounded_up() -> None:
    assert SV.percent(0.999) == "99\u00a0%"
    assert SV.percent(1.0) == "100\u00a0%"


def refused_because(plan: Plan, *answers: Approval) -> str:
    return permit(plan, answers, unsound=lambda _: "").closed


DECLINED = tuple(
    Declined(outcome=outcome, code=code, words=words, count=2, records=("a", "b"))
    for outcome, code, words in (
        ("refused", "invalid", "Invalid JSON-LD; at (x)"),
        ("refused", "forbidden", ""),
        ("failed", "no_success", "Internal error"),
    )
)


def test_what_the_gates_really_say_is_put_into_swedish() -> None:
    policy, plan = Policy(), a_plan(state=PlanState.COMPLETE, policy={"functions": "free"})
    tried = Evidence(newest_test_plan="p0", total={"update": 9}, tried={"update": 1})
    every_action = replace(tried, total={"update": 90, "delete": 2}, tried={"update": 90})
    yes = Approval(
        plan=plan.id,
        plan_digest=plan.plan_digest or "",
        approved=True,
        by="Anna",
        reference="7",
        text="",
        recorded_by="eva@desk",
        recorded_at=START,
    )
    plan = replace(plan, plan_digest=yes.plan_digest)
    said = [
        untried(Evidence(), policy, ()),
        untried(replace(tried, bad_outcomes={"failed": 2}), policy, ()),
        untried(replace(tried, refused_codes={"duplicate": 2}), policy, ()),
        untried(tried, policy, ()),
        untried(every_action, policy, ()),
        *declined(replace(tried, declined=DECLINED)),
        untried(replace(tried, total={}, tried={}, patterns={"delete bib": (1, 0)}), policy, ()),
        refused_because(plan),
        refused_because(plan, replace(yes, plan_digest="sha256:0")),
        refused_because(plan, replace(yes, approved=False)),
        refused_because(plan, yes),
        joined(exceeded_ceilings({"delete": 9}, {"delete": 1, "records": 2})),
    ]
    for text in said:
        assert text
        assert SV.reason(text).lang == "sv", text


@pytest.mark.parametrize(
    ("text", "meanings"),
    [
        ("https://libris.kb.se/find?q=tove", ()),
        ("9,78917E+12", ()),
        ("fzr8v1sn2k3m4po", ()),
        ("1234567", ()),
        ("03470547", (Number.ISSN, Number.BIB)),
        ("0347-0548", ()),
        ("12345678901", (Number.BIB,)),
    ],
)
def test_why_a_text_names_no_record_is_told_in_swedish(
    text: str, meanings: tuple[Number, ...]
) -> None:
    iris = IriMap(bases=("https://libris.kb.se/",), target="")
    worded = SV.reason(named(text, Source(file="ids.txt", line=1), iris, meanings).fault.message)
    assert worded.lang == "sv", worded.text
    assert text in worded.text


@pytest.mark.parametrize(
    "said",
    [
        uncertain("0.3333333333333333", ["0,33", "0.33"]),
        uncertain("12; 5", ["12 or 5"]),
        uncertain("true", []),
        contradicted("42", "0042", "42"),
        merged("A2:A4"),
        error_of_cell("#SAKNAS!"),
        error_of_cell("=A2"),
        error_of_cell("9,78E+12"),
        error_of_cell("####"),
        LOST,
        REFORMATTED,
    ],
)
def test_why_a_cell_is_not_used_is_told_in_swedish(said: Sentence) -> None:
    worded = SV.reason(Sentence("cell", at=2, said=said))
    assert worded.lang == "sv", worded.text
    assert not re.search(r"\b(the|holds|shown|cell \d)\b", worded.text)


@pytest.mark.parametrize(
    ("rows", "swedish"),
    [
        ("Id,Namn,Ort\nx,a,\x07", "Cell 3 innehåller ett styrtecken."),
        ("Id,Namn,Ort\nx,a,b,c", "Raden har fler celler än de 3 kolumnerna."),
        ("Id,Namn,Ort\nx,#N/A,b", "Cell 2 visar ett fel: #N/A."),
        ("Id,Namn,Ort\nx,=A1,b", "Cell 2 innehåller en formel som inte räknats ut."),
        ("Id,Namn,Ort\nx,9.78E+12,b", "Cell 2 visar 9.78E+12, ett tal som ett kalkylblad har"),
    ],
)
def test_why_a_row_is_not_used_is_told_in_swedish(rows: str, swedish: str) -> None:
    row = next(open_table(BytesIO(rows.encode()), Form()).rows())
    assert SV.reason(message_of(row)).text.startswith(swedish)


def test_why_a_line_is_not_used_is_told_in_swedish() -> None:
    iris = IriMap(bases=("https://libris.kb.se/",), target="")
    found = next(read_ids(BytesIO(b"#N/A\n"), iris))
    assert SV.reason(found.fault.message).text == "Raden visar ett fel: #N/A."


def test_every_refusal_in_the_manual_is_explained() -> None:
    manual = (ROOT / "docs" / "how-to" / "read-refusals.md").read_text(encoding="utf-8")
    codes = {
        code
        for line in manual.splitlines()
        if line.startswith("| `")
        for code in re.findall(r"`(\w+)`", line.split("|")[1])
    }
    assert len(codes) > 20
    for words in (SV, EN):
        assert {code for code in codes if not words.explained(code)[0]} == set()


REPORTS = ROOT / "bulkrunner" / "adapters" / "reports"


def test_every_text_that_a_template_or_a_script_asks_for_is_there_in_both_languages() -> None:
    asked: set[str] = set()
    for path in (REPORTS / "templates").glob("*.html"):
        source = path.read_text(encoding="utf-8")
        for call in re.findall(r"\b(?:t|text)\(([^)]*)", source):
            asked.update(re.findall(r'"(\w+)"(?! ~)', call.partition(", ")[0]))
    for path in (REPORTS / "script").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        asked.update(re.findall(r'\bsay\("(\w+)"', source))
    assert len(asked) > 100
    for words in (raw("sv"), raw("en")):
        assert asked - set(words["text"]) <= {"delete"}


def test_every_text_that_the_script_asks_for_reaches_the_page() -> None:
    asked: set[str] = set()
    for path in (REPORTS / "script").glob("*.js"):
        source = path.read_text(encoding="utf-8")
        for call in re.findall(r"\bsay\(([^,)]*)", source):
            asked.update(re.findall(r'"(\w+)"', call))
    texts = asked - {"delete", "create"}
    assert {name for name in texts if not name.startswith("ui_")} <= set(SCRIPT_TEXTS)


def test_every_remark_of_the_program_has_its_texts() -> None:
    source = (ROOT / "bulkrunner/services/report/risks.py").read_text(encoding="utf-8")
    codes = {
        "risk": ["many_deletions", "no_ceilings", "no_agreement", "changed_recently"],
        "lost": ["new_id", "other_ids", "single_item", "cleanups_stay"],
        "differs": ["staged_other_content", "staged_not_as_predicted", "staged_cleanups"],
    }
    codes["risk"] += ["several_libraries", "shared_bib", "left_behind"]
    for table, names in codes.items():
        for name in names:
            assert name in source
            for words in (raw("sv"), raw("en")):
                assert f"{table}_{name}" in words["text"]
                assert f"{table}_{name}_why" in words["text"]


def test_no_text_stands_twice_in_a_file() -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), {n for n in names if names.count(n) > 1}
        return dict(pairs)

    for name in ("sv", "en", "properties"):
        path = REPORTS / "texts" / f"{name}.json"
        json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)


HOLDING_PROPERTIES = """
physicalLocation shelfMark shelfControlNumber shelfLabel callNumberPrefix callNumberSuffix
formerShelfLocation copyNumber itemCondition availability hasNote cataloguersNote
organizationalUnit immediateAcquisition subject classification usageAndAccessPolicy
associatedMedia uri marc:publicNote marc:textualString marc:cataloguersNote
marc:hasTextualHoldingsBasicBibliographicUnit marc:hasTextualHoldingsSupplementaryMaterial
marc:hasTextualHoldingsIndexes inventoryLevel marc:acquisitionStatus marc:acquisitionMethod
marc:retentionPolicy marc:completeness marc:lendingPolicy marc:reproductionPolicy
marc:copyReport marc:holdingType identifiedBy heldBy itemOf hasComponent
"""


@pytest.mark.parametrize("name", HOLDING_PROPERTIES.split())
def test_every_property_of_a_holding_has_a_name_in_both_languages(name: str) -> None:
    assert SV.place(name) != name
    names = json.loads((REPORTS / "texts" / "properties.json").read_text(encoding="utf-8"))
    assert all(names[name])


@pytest.mark.parametrize(
    ("place", "swedish", "english"),
    [
        ("shelfMark.label", "hyllkod", "shelf mark"),
        ("hasComponent.0.shelfMark.label", "komponent 1 › hyllkod", "component 1 › shelf mark"),
        ("@record.encodingLevel", "administrativa uppgifter › beskrivningsnivå", None),
        ("hasNote.12.label", "anmärkning 13", "note 13"),
        ("label", "benämning", "label"),
        ("x-unknown", "x-unknown", "x-unknown"),
    ],
)
def test_places_are_told_in_everyday_words(place: str, swedish: str, english: str | None) -> None:
    assert SV.place(place) == swedish
    assert english is None or EN.place(place) == english


@pytest.mark.parametrize(
    ("iri", "shown"),
    [
        ("https://libris.kb.se/library/S+62", "S 62"),
        ("https://id.kb.se/marc/Separate", "marc/Separate"),
        ("https://libris.kb.se/library/", "https://libris.kb.se/library/"),
        ("no link", "no link"),
    ],
)
def test_links_are_told_in_short(iri: str, shown: str) -> None:
    assert SV.link(iri) == shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.2, "1 sekund"),
        (59, "59 sekunder"),
        (60, "1 minut"),
        (3600, "1 timme"),
        (7200, "2 timmar"),
        (90_000, "25 timmar"),
        (200_000, "2 dygn"),
    ],
)
def test_spans_of_time_in_the_unit_that_suits_them(seconds: float, told: str) -> None:
    assert SV.span(seconds) == told


# What is data, code, or marked as another language's, on a page.
APART = {"code", "bdi", "cite", "pre", "script", "style", "title", "head", "fieldset"}


class Read(HTMLParser):
    """Collects what a page says in one language."""

    def __init__(self, lang: str) -> None:
        super().__init__()
        self._lang = lang
        self._open: list[tuple[str, bool]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("meta", "input", "br", "link"):
            return
        given = dict(attrs)
        heard = self._open[-1][1] if self._open else False
        if "lang" in given:
            heard = given["lang"] == self._lang
        if tag in APART or "dir" in given or "sigel" in (given.get("class") or ""):
            heard = False
        self._open.append((tag, heard))
        if heard and (label := given.get("aria-label")):
            self.texts.append(label)

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1][1] and data.strip():
            self.texts.append(data)


def parts(places: Sequence[str]) -> tuple[PatternPart, ...]:
    value = PatternValue(at="", before=just("1"), after=General(how="prefix", texts=("ABCD",)))
    kinds: tuple[Any, ...] = ("changed", "added", "removed")
    return tuple(
        PatternPart(place=place, kind=kind, values=(value,))
        for place, kind in zip(places, kinds, strict=False)
    )


def every_group(sample: ReportedChange) -> Iterator[PatternGroup]:
    """Groups of every action, level and verb that an effect has words for."""
    told = parts(("shelfMark.label", "hasNote", "copyNumber"))
    for kind in ("holding", "bib", None):
        for action in (Action.UPDATE, Action.CREATE, Action.DELETE):
            for level in ("values", "shape", "coarse", "all", "others"):
                for verb in ("", "revert", "replace"):
                    for shown in (told, ()):
                        yield PatternGroup(
                            action=action, kind=kind, level=level, parts=shown, count=1264,
                            sigels={"Ylm": 1, "NO": 2}, samples=(sample,), verb=verb,
                        )  # fmt: skip
    for verb in ("move", "merge", "split", "repoint", "copy"):
        for ends in ({}, {"Ylm": 1}, dict.fromkeys("ABCDE", 1)):
            yield PatternGroup(
                action=Action.UPDATE, kind="holding", level="joint", parts=(), count=2, sigels={},
                samples=(sample,),
                joint=Joint(
                    verb=verb, records=1264, mixed={"": 3}, actions={Action.DELETE: 1264},
                    origins=ends, destinations=ends, partners={},
                ),
            )  # fmt: skip


def said_of(beginning: str) -> list[Sentence]:
    return [filled(key) for key in catalogue("en") if key.startswith(beginning)]


def everything(tmp_path: Path) -> ReportData:
    """A report with every code, gate, rule, outcome, notice, cause and effect that there are."""
    plain = {"physicalLocation": ["A1"], "availability": []}
    changes = [
        reports.a_reported(
            number,
            action,
            sigel="Ylm",
            bib=BibSummary(id="b", title="X"),
            before=reports.holding(reports.record_id(number), **plain),
            after=reports.holding(reports.record_id(number), "Hce", **plain),
        )
        for number, action in enumerate([Action.UPDATE] * 15 + [Action.DELETE] * 2, start=1)
    ]
    changes.append(replace(changes[0], number=18, record="b18", target_key="record:b18"))
    head = {"sigels": ["Ylm"], "title": "X", "purpose": "X"}
    data = reports.report_data(tmp_path, changes=changes, run=True, tried=12, manifest=head)
    sample = data.grouped.patterns[0].samples[0]
    codes = raw("sv")["code"]
    ways: tuple[tuple[Action, dict[str, int]], ...] = (
        (Action.REFUSED, {}),
        (Action.REFUSED, {"at_most": 2}),
        (Action.REFUSED, {"at_most": 2000}),
        (Action.UNCHANGED, {}),
    )
    reasons = tuple(
        ReasonGroup(action=action, code=code, count=1264, occurrences=3, samples=(sample,), **limit)
        for code, (action, limit) in zip(codes, cycle(ways), strict=False)
    )
    ended = tuple(
        replace(sample, result=Result(outcome=outcome, code=code, detail={code: {"by": "S"}}))
        for number, code in enumerate(codes)
        for outcome in (tuple(Outcome)[number % len(Outcome)],)
    )

    def noted(table: str) -> tuple[Noted, ...]:
        keys = {key.removesuffix("_why").removeprefix(f"{table}_") for key in SV.texts(f"{table}_")}
        return tuple(Noted(code=key, count=1264, numbers=(1, 2)) for key in sorted(keys))

    gates = [
        GateResult(name=name, open=opened, reason=reason)
        for reason, name, opened in zip(
            (*said_of("gate_"), *said_of("answer_")),
            cycle(GATE_NAMES),
            cycle((True, False, False)),
            strict=False,
        )
    ]
    rules = [
        RuleResult(rule=rule, kept=kept, said=reason)
        for reason, rule, kept in zip(
            (*said_of("rule_"), filled("answer_nobody")),
            cycle(KB_RULES),
            cycle((True, False, None)),
            strict=False,
        )
    ]
    moments = tuple(
        Moment(at=START, kind=key.removeprefix("moment_"), by="x", rate=1.5, until=START)
        for key in SV.texts("moment_")
        if key != "moment_until"
    )
    loosened = tuple(
        LooserValue(name=name, value=0.5 if name == "min_staging_coverage" else 1264, built_in=1)
        for name in raw("sv")["policy"]
    )
    return replace(
        data,
        gates=tuple(gates),
        rules=tuple(rules),
        moments=moments,
        loosened=loosened,
        risks=noted("risk"),
        not_restored=noted("lost"),
        staging=replace(data.staging, remarks=noted("differs")),
        causes=tuple((outcome, code, 1264) for outcome in PROBLEMS for code in codes),
        problems=lambda: iter(ended),
        left_out=lambda: (
            InputLine(source=Source(file="x", line=1), code=key.removeprefix("over_"), given="1")
            for key in SV.texts("over_")
        ),
        grouped=replace(
            data.grouped, patterns=tuple(every_group(sample)), reasons=reasons, notes=()
        ),
    )


def test_every_code_is_told_in_the_language_of_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place, most in (
        (page_summary, "MAX_CAUSES"), (page_summary, "MAX_POINTS"), (page_summary, "MAX_GROUPS"),
        (page_run, "MAX_PROBLEMS"),
    ):  # fmt: skip
        monkeypatch.setattr(place, most, 100_000)
    data = everything(tmp_path)
    path = write_report(data, tmp_path / "r.html", form="html")
    told = {}
    for lang in ("sv", "en"):
        page = Read(lang)
        page.feed(path.read_text(encoding="utf-8"))
        texts = {CODE.sub("", text) for text in page.texts}
        told[lang] = " ".join(sorted(texts))
        other = ENGLISH if lang == "sv" else SWEDISH
        assert [text for text in sorted(texts) if other.search(text.lower())] == []
    assert "1\u00a0264" in told["sv"]
    assert "1,264" in told["en"]
    assert not re.search(r"\b\d{1,3},\d{3}\b|(?<!-)\b\d{4,}\b(?!-)", told["sv"].replace("2026", ""))
    for code in raw("sv")["code"]:
        for words in (SV, EN):
            assert CODE.sub("", words.explained(code)[0]) in told[words.name], code


def test_library_pages_workbooks_and_tickets_are_in_one_language(tmp_path: Path) -> None:
    data = everything(tmp_path)
    for words, other in ((SV, ENGLISH), (EN, SWEDISH)):
        ticket = b"".join(markdown_chunks(data, words)).decode()
        rows = [str(cell) for row in _overview(data, words) for cell in row if cell]
        told = [
            CODE.sub("", re.sub(r"`[^`]*`|\[[^]]*\]\S*", "", line)) for line in ticket.split("\n")
        ]
        wrong = [
            line
            for line in (*told, *map(partial(CODE.sub, ""), rows))
            if other.search(line.lower())
        ]
        assert wrong == []


@pytest.mark.parametrize(
    ("value", "swedish", "english"),
    [
        ("marc:FullLevel", "Nationalbibliografisk nivå", "Full level"),
        ("https://id.kb.se/marc/Gift", "Gåva", "Gift"),
        ("marc:NoSuchLevel", "marc:NoSuchLevel", "marc:NoSuchLevel"),
        ("https://id.kb.se/marc/NoSuch", "marc/NoSuch", "marc/NoSuch"),
        ("FullLevel", "FullLevel", "FullLevel"),
        ("https://libris.kb.se/library/S", "S", "S"),
    ],
)
def test_values_are_told_by_kbs_labels_where_it_has_one(
    value: str, swedish: str, english: str
) -> None:
    assert (SV.value(value), EN.value(value)) == (swedish, english)


def test_every_label_is_there_in_both_languages() -> None:
    assert SV.labels.keys() == EN.labels.keys()
    assert all(text.strip() for words in (SV, EN) for text in words.labels.values())


def test_a_rule_that_waits_for_an_answer_is_not_said_to_be_broken(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path)
    states = {item.rule.id: item.state for item in data.rules}
    assert states == {
        "kb-agreement": "rule_kept",
        "kb-consent": "rule_waits",
        "kb-test-first": "rule_broken",
        "kb-own-holdings": "rule_kept",
    }
    path = write_report(data, tmp_path / "r.html", form="html")
    page = Page(path.read_text(encoding="utf-8"), "sv").section("rules").text
    assert "1 av 4 regler följs inte" in page
    assert "KB har sagt ja (kb-consent)väntar på svar" in re.sub(r"\s*\n\s*", "", page)
    assert "måste köras i testmiljön" in page
    assert "must be run in the test environment" in page


def test_what_a_looser_value_allows_is_said_in_words(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, policy={"plan_max_age_hours": 1500})
    told = [look.text.text for look in page_summary.Summary(data, SV).looks()]
    assert "Lösare än de inbyggda reglerna: planen får vara 1\u00a0500 timmar gammal." in told
