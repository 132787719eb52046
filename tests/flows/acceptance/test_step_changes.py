"""Conditions, values, every place and examples go the whole road, alike in both environments."""

from bulkrunner.sandbox import seed
from tests.support.cli import Workplace
from tests.support.sandbox import BIBS, HOLDINGS, running_sandbox


def marked(mark):
    return seed.example_ids(
        kind="holding", sigel="Ylm", shelf_mark=mark, bibs=BIBS, holdings=HOLDINGS
    )


def thing(environment, record):
    return environment.document(record)["@graph"][1]


def test_steps_with_conditions_values_and_examples(tmp_path):
    hc, hce, hcf = marked("Hc")[:4], marked("Hce")[:2], marked("Hcf")[:2]
    rows = "".join(f"{record};{2020 + n}\n" for n, record in enumerate([*hc, *hce]))
    steps = [
        {
            "name": "from the table",
            "rows": {"file": "lista.csv", "key": "Id"},
            "where": {"any": [{"shelfMark.label": "Hc"}, {"@component.shelfMark.label": "Hc"}]},
            "changes": [
                {
                    "append": {
                        "at": "hasNote",
                        "value": {
                            "@type": "Note",
                            "label": {"$text": "{@row.Datum}: {shelfMark.label}, {@bib.id}"},
                        },
                    },
                    "in": "item",
                },
                {
                    "replace_text": {"at": "shelfMark.label", "pattern": "^(H)c", "with": "\\1x"},
                    "in": "each_place",
                },
            ],
        },
        {
            "name": "by example",
            "ids": [*hcf, *hc],
            "example": {
                "match": {"shelfMark": {"@type": "ShelfMark", "label": "Hcf"}},
                "result": {"shelfMark": {"@type": "ShelfMark", "label": "Hcg"}},
            },
        },
    ]
    with running_sandbox() as sandbox:
        place = Workplace(folder=tmp_path / "place", sandbox=sandbox)
        job = place.job("steps", steps=steps, files={"lista.csv": "Id;Datum\n" + rows})
        place("check", job)
        plan = place("plan", job, "--env", "staging").document
        assert plan["counts"]["update"] == len(hc) + len(hcf)
        # The table's Hce do not meet the condition; the Hc do not look like the example.
        assert plan["counts"]["unchanged"] == len(hce)
        place("run", job, "--env", "staging")
        production = place("plan", job, "--env", "production").document
        place("approve", production["plan"], "--by", "Karin Ek", "--reference", "KB 1")
        done = place("run", job, "--env", "production").document
        assert done["outcomes"]["applied"] == len(hc) + len(hcf)
        assert place("verify", done["run"]).document["differences"] == []
        for environment in (sandbox.staging, sandbox.production):
            note = thing(environment, hc[1])["hasNote"][-1]
            bib = thing(environment, hc[1])["itemOf"]["@id"].rpartition("/")[2].removesuffix("#it")
            assert note == {"@type": "Note", "label": f"2021: Hc, {bib}"}
            assert thing(environment, hc[1])["shelfMark"]["label"] == "Hx"
            assert thing(environment, hce[0])["shelfMark"]["label"] == "Hce"
            assert thing(environment, hcf[0])["shelfMark"]["label"] == "Hcg"
        again = place("plan", job, "--env", "production").document["counts"]
        assert again["update"] == 0
        assert again["unchanged"] == len(hc) + len(hcf) + len(hce)
