"""The HTML page: what it says, and that nothing of what it shows becomes part of the page."""

import base64
import hashlib
import json
import re
from collections import Counter
from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from bulkrunner.adapters.reports import write_report
from bulkrunner.domain.approvals import Approval, Conditions, WeighedAnswer, permit
from bulkrunner.domain.plan import Action, BibSummary, PlannedChange
from bulkrunner.domain.report import ReportData
from bulkrunner.domain.rules import KB_RULES, GateResult
from bulkrunner.errors import Source
from bulkrunner.services.reviews import NO_REVIEWERS
from tests.support import reports
from tests.support.pages import Page

OPEN_BUT_APPROVAL = tuple(
    GateResult(name=gate.name, open=gate.name != "approval", reason=gate.reason)
    for gate in reports.GATES
)


def page_of(data: ReportData, folder: Path, lang: str = "sv") -> Page:
    path = write_report(data, folder / "report.html", form="html", lang=lang)
    return Page(path.read_text(encoding="utf-8"), lang)


@pytest.fixture(scope="module")
def plan_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("plan")
    return page_of(reports.report_data(folder), folder)


@pytest.fixture(scope="module")
def run_page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    folder = tmp_path_factory.mktemp("run")
    return page_of(reports.report_data(folder, run=True, approved=True), folder)


def test_sections_come_in_the_order_a_reviewer_decides_in(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path, policy=reports.LOOSE_POLICY), tmp_path)
    assert [n.attributes["id"] for n in page.all("section")] == [
        "summary",
        "looser",
        "what",
        "patterns",
        "left-out",
        "clean-ups",
        "tried",
        "consequences",
        "changes",
        "gates",
        "rules",
        "who",
        "answers",
        "answer",
    ]


def test_says_who_asks_for_whom_and_where(plan_page: Page) -> None:
    facts = plan_page.section("who").text
    for text in (
        "2026-03-shelf-marks",
        "Ylm, NO",
        "KB 2026-0412, ingången 2026-02-11",
        "libris@example.org",
        "https://libris.kb.se",
        "https://login.libris.kb.se/oauth/token",
        "Biblioteket har flyttat skönlitteraturen",
    ):
        assert text in facts
    assert plan_page.all("h1")[0].text == "Hyllsignum Hc blir Hce på Ylm"
    assert re.search(r"sha256:[0-9a-f]{64}", facts)


def test_says_in_plain_swedish_what_will_happen(plan_page: Page) -> None:
    assert (
        "När planen körs kommer bulkrunner att radera 2 beståndsposter, ändra 15 beståndsposter "
        "och skapa 1 beståndspost i produktionsmiljön (production). "
        "Allt skrivs i namn av sigel Ylm och rör poster som hör till sigel NO och Ylm."
    ) in plan_page.section("what").text


def test_says_in_plain_english_what_will_happen(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path), tmp_path, "en")
    assert (
        "When the plan is run, bulkrunner will delete 2 holdings, change 15 holdings "
        "and create 1 holding in the production environment (production)."
    ) in page.section("what").text
    assert page.all("html")[0].attributes["lang"] == "en"
    assert "Every change" in [n.text for n in page.all("h2")]


def test_counts_deletions_first_by_action_and_by_sigel(plan_page: Page) -> None:
    tiles = [(n.classes[0], n.text.split()[0]) for n in plan_page.within("summary", "li")[:6]]
    assert tiles == [
        ("delete", "2"),
        ("update", "15"),
        ("create", "1"),
        ("refused", "4"),
        ("not_found", "1"),
        ("unchanged", "1"),
    ]
    sigels = [n.text for n in plan_page.within("what", "th") if n.attributes["scope"] == "row"]
    assert sigels == ["Ylm", "NO", "Gbg", "okänt"]
    cells = [n.text for n in plan_page.within("what", "td") if "bars" not in n.classes]
    assert cells[:12] == ["2", "12", "1", "1", "0", "1", "0", "3", "0", "0", "0", "0"]


def test_draws_what_it_counts(plan_page: Page) -> None:
    bars = plan_page.within("what", "rect")
    assert [n.classes[0] for n in bars[:5]] == [
        "delete",
        "update",
        "create",
        "refused",
        "unchanged",
    ]
    deletes, updates = (float(n.attributes["width"]) for n in bars[:2])
    assert updates == pytest.approx(6 * deletes, rel=0.05)
    assert sum(float(n.attributes["width"]) for n in bars[:5]) == pytest.approx(160, abs=1)


def test_looser_policy_stands_first_and_in_the_answer(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path, policy=reports.LOOSE_POLICY), tmp_path)
    loose = page.section("looser").text
    statements = ("min_staging_coverage = 0.5", "test_hosts = libris.example.org")
    for statement in statements:
        assert statement in loose
        assert statement in page.section("yes").text
        assert statement not in page.section("no").text


def test_built_in_policy_needs_no_statement(plan_page: Page) -> None:
    assert "looser" not in [n.attributes.get("id") for n in plan_page.nodes]


def test_shows_every_gate_with_its_reason_in_swedish(plan_page: Page) -> None:
    rows = [n.text for n in plan_page.within("gates", "tr")][1:]
    assert len(rows) == len(reports.GATES)
    assert "inte uppfyllt" in rows[5]
    assert "Jobbet, som det ser ut nu, har aldrig planerats i en testmiljö." in rows[5]
    assert sum("inte uppfyllt" in row for row in rows) == 3


def test_waits_for_an_answer_where_only_that_is_missing(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path, gates=OPEN_BUT_APPROVAL), tmp_path)
    assert page.all("p", "status")[0].text == (
        "Väntar på svar från KB. Alla andra villkor är uppfyllda."
    )


def test_names_the_other_closed_gates_at_the_top(plan_page: Page) -> None:
    status = plan_page.all("p", "status")[0]
    assert "”Provat i testmiljö”" in status.text
    assert "”Allt som avvisats är godtaget i jobbet”" in status.text


def test_says_what_was_tried_in_a_test_environment(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path, tried=12), tmp_path)
    text = page.section("tried").text
    assert "12 av planens 18 ändringar har genomförts" in text
    cells = [n.text for n in page.within("tried", "td")]
    assert cells[:6] == ["0", "2", "12", "15", "0", "1"]
    assert "r0 staging, https://libris-stg.kb.se, 2026-03-02 kl. 10.05" in text
    assert reports.record_id(16) in text
    assert reports.record_id(1) not in text


def test_names_ceilings_deletions_first(plan_page: Page) -> None:
    assert "radera högst 20, ändra högst 250, skapa högst 10" in plan_page.section("who").text


def test_groups_refusals_with_explanation_and_what_to_do(plan_page: Page) -> None:
    text = plan_page.section("left-out").text
    assert "Beståndet tillhör ett bibliotek som jobbet inte får röra." in text
    assert "Ta bort posten ur listan." in text
    assert "Godtaget i jobbet (högst 2): Biblioteket har redan bestånd" in text
    assert text.count("Inte godtaget: planen kan inte köras så.") == 2
    assert "(LIBRRIS)1234" in text


def test_lists_what_the_server_will_also_change(plan_page: Page) -> None:
    text = plan_page.section("clean-ups").text
    assert "cataloguersNote: blanktecken i början eller slutet tas bort" in text
    assert "14, 15" in text


def test_groups_changes_by_pattern_with_values_and_three_samples(plan_page: Page) -> None:
    titles = [n.text for n in plan_page.within("patterns", "h3")]
    assert titles == [
        (
            "1 Radera beståndspost för Ylm med exemplarstatus, intern anmärkning, hyllplacering "
            "och hyllkod"
        ),
        "1 Radera beståndspost för Ylm med exemplarstatus, hyllplacering och hyllkod",
        "14 Ändra beståndspost: hyllkod: ”Hc” → ”Hce”",
        "1 Ändra beståndspost för Ylm: hyllkod: ”Hcf” → ”Hce”",
        (
            "1 Skapa beståndspost för Ylm: administrativa uppgifter › beskrivningsnivå "
            "”Nationalbibliografisk nivå”; exemplarstatus ”Hemlån”; hyllplacering ”Öppen samling”; "
            "hyllkod ”Hce”"
        ),
    ]
    assert len(plan_page.within("patterns", "h4")) == 2 + 3 + 1 + 1
    assert "Per bibliotek: Ylm 11, NO 3" in plan_page.section("patterns").text


def test_says_what_a_change_waits_for(plan_page: Page) -> None:
    assert plan_page.row(17)["after"] == [16]


def test_holds_every_change_deletions_first(plan_page: Page) -> None:
    rows = plan_page.rows()
    shown = [row["number"] for row in rows]
    assert shown[:2] == [16, 17]
    assert shown[2:17] == list(range(1, 16))
    assert shown[17:] == [18, 19, 20, 21, 22, 23, 24]
    assert plan_page.tables["total"] == len(rows)


def test_holds_of_a_change_what_names_it_and_the_places_that_differ(plan_page: Page) -> None:
    row = plan_page.row(1)
    assert (row["title"], row["author"], row["year"]) == (
        "Gösta Berlings saga",
        "Lagerlöf, Selma",
        "1891",
    )
    assert (row["sigel"], row["record"]) == ("Ylm", reports.record_id(1))
    assert row["lines"] == [("shelfMark.label", "changed", "Hc", "Hce")]
    assert plan_page.tables["base"] == "https://libris.kb.se"
    assert "Öppen samling" not in str(row)


def test_holds_of_a_deletion_what_it_takes_away(plan_page: Page) -> None:
    assert [(place, before, after) for place, _, before, after in plan_page.row(16)["lines"]] == [
        ("shelfMark.label", "Hc", None),
        ("physicalLocation", "Öppen samling", None),
        ("cataloguersNote", "ÅJ", None),
        ("availability.label", "Hemlån", None),
        ("@record.encodingLevel", "marc:FullLevel", None),
    ]


def test_every_change_is_in_the_group_that_tells_of_it(plan_page: Page) -> None:
    by_pattern = Counter(row["pattern"] for row in plan_page.rows())
    assert by_pattern == {0: 1, 1: 1, 2: 14, 3: 1, 4: 1, -1: 6}
    assert plan_page.row(13)["pattern"] == 3


def test_places_are_named_in_both_languages(plan_page: Page) -> None:
    names = {raw: both for raw, *both in plan_page.tables["places"]}
    assert names["shelfMark.label"] == ["hyllkod", "shelf mark"]
    assert names["@record.encodingLevel"] == [
        "administrativa uppgifter › beskrivningsnivå",
        "administrative data › encoding level",
    ]


def test_says_where_a_change_was_tried(tmp_path: Path) -> None:
    page = page_of(reports.report_data(tmp_path, tried=12), tmp_path)
    place, record, outcome = page.row(3)["tried"]
    assert page.tables["twins"][place] == ["staging", "r0", "https://libris-stg.kb.se"]
    assert record == reports.record_id(3)
    assert page.tables["outcomes"][outcome] == "applied"
    assert "tried" not in page.row(16)


def test_ends_with_the_text_to_send_back(plan_page: Page) -> None:
    yes = plan_page.section("yes")
    digest = re.search(r"sha256:[0-9a-f]{64}", plan_page.section("who").text)
    assert digest is not None
    assert digest[0] in yes.text
    assert digest[0] in plan_page.section("no").text
    assert "Plan: p1" in yes.text
    assert "2 raderas, 15 ändras, 1 skapas" in yes.text


def test_an_unsigned_answer_is_shown_as_such(tmp_path: Path) -> None:
    text = page_of(reports.report_data(tmp_path, approved=True), tmp_path).section("answers").text
    assert "Anna Ek, KB, ärende KB 2026-0412-7" in text
    assert ("Antecknat av leverantören (eva@desk, 2026-03-02 kl. 13.00), inte signerat.") in text


def test_a_signed_answer_shows_whose_key_and_its_conditions(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, approved=True)
    terms = Conditions(per_night=500, not_before=date(2026, 12, 1), excluded=("h1", "h2"))
    given = data.approvals[0].answer
    answer = replace(given, signer="anna@kb.se", key="SHA256:abc", conditions=terms)
    weighed = (WeighedAnswer(answer=answer),)
    text = page_of(replace(data, approvals=weighed), tmp_path).section("answers").text
    assert "Signerat av anna@kb.se med nyckeln SHA256:abc." in text
    assert "inte signerat" not in text
    assert "högst 500 per natt; inte före 2026-12-01; 2 undantagna: h1, h2" in text


def answers_shown(data: ReportData, tmp_path: Path, language: str, *given: Approval) -> list[str]:
    """The articles of the section, of answers to a plan whose policy asks for nothing more."""
    found = permit(replace(data.plan, policy={}), given, unsound=lambda one: UNSOUND[one.by])
    page = page_of(replace(data, approvals=found.weighed), tmp_path, language)
    return [node.text for node in page.within("answers", "article")]


UNSOUND = {"Anna": "", "Bo": "", "Cai": NO_REVIEWERS}


@pytest.mark.parametrize("language", ["sv", "en"])
def test_marks_which_answer_counts_and_why_others_do_not(tmp_path: Path, language: str) -> None:
    data = reports.report_data(tmp_path, approved=True)
    base = replace(data.approvals[0].answer, reference="KB 1", statements=(), head="sha256:a")

    def yes(by: str, given: int, event: int, **values: Any) -> Approval:
        return replace(base, by=by, given=given, event=event, head=f"sha256:{given}", **values)

    shown = answers_shown(
        data,
        tmp_path,
        language,
        yes("Bo", 1, 2),
        yes("Anna", 2, 3, approved=False, reference="KB 2"),
        yes("Anna", 1, 4),
        yes("Anna", 4, 5, conditions=Conditions(per_night=5)),
        yes("Anna", 5, 6, reference="KB 3"),
        yes("Anna", 3, 7, reference="KB 4"),
        yes("Anna", 5, 8, reference="KB 3"),
        yes("Bo", 8, 9, plan_digest="sha256:other"),
        yes("Cai", 8, 10),
    )
    wanted = {
        "sv": [
            "Svaret gäller inte längre: Anna har sagt nej efteråt (ärende KB 2).",
            "Svaret gäller inte längre: Anna har sagt ja efteråt (ärende KB 1).",
            "rapporten som besvarades är äldre än nejet från Anna (ärende KB 2).",
            "ett senare svar från Anna (ärende KB 3) har trätt i stället.",
            "Svaret är lösare än det tidigare (ärende KB 1), som också krävde: högst 5 per natt.",
            "äldre än den som Anna besvarade strängare (ärende KB 1)",
            "samma svar från Anna (ärende KB 3) var redan antecknat",
            "Svaret gäller inte. Det antecknade svaret gäller en annan kontrollsumma.",
            "Svaret gäller inte. Svaren skulle vara signerade när planen gjordes",
        ],
        "en": [
            "does not count any more: Anna said no afterwards (case KB 2).",
            "does not count any more: Anna said yes afterwards (case KB 1).",
            "the report that was answered is older than the no of Anna (case KB 2).",
            "a later one of Anna (case KB 3) stands in its place.",
            "looser than the earlier one (case KB 1), which also asked for: at most 5 a night.",
            "older than the one that Anna answered more strictly (case KB 1)",
            "the same answer of Anna (case KB 3) was recorded already",
            "does not count: the recorded answer is to another plan digest",
            "does not count: policy asked for signed answers when the plan was made",
        ],
    }[language]
    counts = {"sv": "Det här svaret gäller.", "en": "This answer counts."}[language]
    assert [counts in article for article in shown] == [n == 4 for n in range(9)]
    for article, words in zip(shown, wanted, strict=True):
        assert words in article


def test_shows_how_the_plan_stands_to_each_rule(plan_page: Page) -> None:
    rows = [n.text for n in plan_page.within("rules", "tr")][1:]
    assert len(rows) == len(KB_RULES)
    assert all("KB, Libris API" in row for row in rows)
    assert "följs" in rows[0]
    assert "följs inte" in rows[2]


def test_a_test_environment_needs_no_answer(tmp_path: Path) -> None:
    addresses = {**reports.ADDRESSES, "kind": "test"}
    page = page_of(reports.report_data(tmp_path, addresses=addresses), tmp_path)
    assert "behöver inget godkännande" in page.section("answer").text
    assert page.all("pre") == []


def test_a_run_shows_outcomes_problems_and_the_servers_words(run_page: Page) -> None:
    text = run_page.section("outcomes").text
    tiles = {n.classes[1]: n.text.split()[0] for n in run_page.within("summary", "li", "out")}
    assert tiles == {
        "applied": "15",
        "unchanged": "0",
        "conflict": "1",
        "refused": "1",
        "failed": "1",
        "unknown": "0",
        "pending": "0",
    }
    assert "Servern svarade 400: Invalid JsonLd, got errors: <b>x</b> (felnummer e-77)" in text
    assert "Posten ändrades av någon annan mellan planen och körningen." in text
    assert "Av S, 2026-03-02 kl. 11.00." in text
    assert "x" not in [n.text for n in run_page.all("b")]


def test_a_deletion_over_an_edit_comes_first(run_page: Page) -> None:
    first = run_page.within("outcomes", "article")[0]
    assert "Posten raderades strax efter att någon annan ändrat den" in first.text
    assert "Meddela biblioteket." in first.text


def test_a_created_record_is_linked_under_its_new_id(run_page: Page) -> None:
    assert run_page.row(18)["record"] == reports.record_id(777)


# --- nothing from outside becomes part of the page -------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "javascript:alert(1)",
    '"><svg/onload=alert(1)>',
    "'onmouseover='alert(1)",
    "{{ 7 * 7 }} {% raw %}",
    "\u202egnp.exe\u202c\u200b\u2066",
    "\x00\x07\x1b[31m\x9b\ufeff",
    "\ud83d half a pair",
    "]]><!--",
    "Å" * 100_000,
)


def hostile_changes(text: str) -> list[PlannedChange]:
    before = reports.holding(reports.record_id(1), text, **{text: text})
    after = deepcopy(before)
    after["@graph"][1]["shelfMark"]["label"] = f"{text}!"
    anything: dict[str, Any] = {
        "before": before,
        "after": after,
        "sigel": text,
        "bib": BibSummary(id=text, title=text, author=text, year=text),
        "given": text,
        "source": Source(file=text, line=1),
        "pattern": text,
        "cleanups": (text,),
        "notes": ((text, text),),
    }
    return [
        reports.a_reported(1, **anything),
        reports.a_reported(2, Action.DELETE, **anything),
        reports.a_reported(
            3, Action.REFUSED, record=text, code=text, message=text, target_key=None, **anything
        ),
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("lang", ["sv", "en"])
def test_hostile_data_is_shown_and_never_becomes_markup(
    tmp_path: Path, text: str, lang: str
) -> None:
    head = {
        **reports.HEAD,
        "title": text,
        "purpose": text,
        "on_behalf_of": text,
        "active_sigel": text,
        "sigels": [text],
        "agreement": {"reference": text, "contact": text, "agreed_on": text, "covers": [text]},
        "ceilings": {text: 4},
    }
    gates = (GateResult(name="plan", open=False, reason=text),)
    data = reports.report_data(tmp_path, changes=hostile_changes(text), manifest=head, gates=gates)
    page = page_of(data, tmp_path, lang)
    tags = {node.tag for node in page.nodes}
    assert tags.isdisjoint({"img", "iframe", "object", "link", "form", "base", "use", "image"})
    assert len(page.all("style")) == 1
    assert len([n for n in page.all("script") if "type" not in n.attributes]) == 3
    for node in page.nodes:
        assert not [name for name in node.attributes if name.startswith("on") or name == "style"]
        assert node.attributes.get("href", "#").startswith(("https://", "#"))
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]", page.source
    )
    held = json.dumps([page.rows(), page.tables], ensure_ascii=False)
    assert not re.search(
        "[\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", held
    )
    assert len(page.source) < 300_000


def test_template_syntax_in_a_record_is_only_text(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, changes=hostile_changes("{{ 7 * 7 }}"))
    page = page_of(data, tmp_path)
    assert "{{ 7 * 7 }}" in page.section("patterns").text
    assert page.row(1)["title"] == "{{ 7 * 7 }}"


def test_a_long_value_is_cut_and_says_how_much(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path, changes=hostile_changes("Å" * 100_000))
    page = page_of(data, tmp_path)
    assert "… (+99 700 tecken)" in page.section("patterns").text.replace("\u00a0", " ")
    (before,) = {line[2][1] for line in page.row(1)["lines"] if isinstance(line[2], list)}
    assert before == 98_000


@pytest.mark.parametrize(
    ("base", "linked"),
    [
        ("https://libris.kb.se", True),
        ("http://127.0.0.1:5001", True),
        ("http://libris.kb.se", False),
        ("javascript:alert(1)//", False),
        ("data:text/html,x", False),
        ("http://[", False),
    ],
)
def test_links_lead_to_https_or_this_machine_only(
    tmp_path: Path, base: str, *, linked: bool
) -> None:
    addresses = {**reports.ADDRESSES, "kind": "test", "base_url": base}
    data = reports.report_data(tmp_path, changes=[reports.a_reported(1)], addresses=addresses)
    page = page_of(data, tmp_path)
    links = [n for n in page.all("a") if not n.attributes["href"].startswith("#")]
    assert bool(links) is linked
    assert page.tables["base"] == (base if linked else "")
    assert all(n.attributes["href"].startswith(f"{base}/") for n in links)
    assert all("noopener" in n.attributes["rel"] for n in links)


def test_the_page_fetches_nothing_and_its_policy_allows_nothing_else(plan_page: Page) -> None:
    (policy,) = [
        n.attributes["content"]
        for n in plan_page.all("meta")
        if n.attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    for tag, count in (("style", 1), ("script", 3)):
        contents = re.findall(f"<{tag}>(.*?)</{tag}>", plan_page.source, re.DOTALL)
        assert len(contents) == count
        for content in contents:
            digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy
            assert not re.search(r"url\(|@import|\bfetch\(|XMLHttp|innerHTML|\beval\(", content)
    assert not [n for n in plan_page.nodes if "src" in n.attributes]


def test_everything_is_readable_without_script(plan_page: Page) -> None:
    hidden = [n.tag for n in plan_page.nodes if "hidden" in n.attributes]
    assert set(hidden) <= {"div", "button"}
    assert [n.attributes["id"] for n in plan_page.all("div") if "hidden" in n.attributes] == [
        "list"
    ]
    (instead,) = plan_page.all("p", "without-script")
    assert "Listan över 24 ändringar visas bara när webbläsaren kör sidans skript." in instead.text


def test_both_languages_are_in_the_page(tmp_path: Path) -> None:
    data = reports.report_data(tmp_path)
    swedish, english = (page_of(data, tmp_path, lang) for lang in ("sv", "en"))
    assert "Every change" in [n.text for n in Page(swedish.source, "en").all("h2")]
    assert "Varje ändring" in [n.text for n in Page(english.source, "sv").all("h2")]
    names = [n.attributes["id"] for n in Page(swedish.source).nodes if n.attributes.get("id")]
    assert len(names) == len(set(names))


def test_a_long_statement_is_never_cut(tmp_path: Path) -> None:
    hosts = [f"libris-{number}.example.org" for number in range(100)]
    page = page_of(reports.report_data(tmp_path, policy={"test_hosts": hosts}), tmp_path)
    statement = "test_hosts = " + ", ".join(hosts)
    assert statement in page.section("looser").text
    assert statement in page.section("yes").text
