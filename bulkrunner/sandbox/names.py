"""Words that the seed data is made of: libraries, people, titles, publishers, places."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Library:
    """A library of the seed: its sigel, its name, its share (in hundredths) of all holdings."""

    sigel: str
    name: str
    share: int


LIBRARIES: tuple[Library, ...] = (
    Library(sigel="Ylm", name="Yttermalungs bibliotek", share=22),
    Library(sigel="NO", name="Norrköpings stadsbibliotek", share=8),
    Library(sigel="S 62", name="Kungliga biblioteket, specialdepå 62", share=4),
    Library(sigel="Hbg", name="Helsingborgs stadsbibliotek", share=6),
    Library(sigel="S", name="Kungliga biblioteket", share=14),
    Library(sigel="G", name="Göteborgs universitetsbibliotek", share=9),
    Library(sigel="L", name="Lunds universitetsbibliotek", share=9),
    Library(sigel="U", name="Uppsala universitetsbibliotek", share=8),
    Library(sigel="Um", name="Umeå stadsbibliotek", share=5),
    Library(sigel="Lin1", name="Linköpings stadsbibliotek", share=4),
    Library(sigel="Vasb", name="Västerås stadsbibliotek", share=3),
    Library(sigel="Krh", name="Karlshamns bibliotek", share=3),
    Library(sigel="Bors", name="Borås högskolebibliotek", share=3),
    Library(sigel="Tra", name="Tranås stadsbibliotek", share=2),
    Library(sigel="SEK", name="Libris systemavdelning", share=0),
)

SHELF_MARKS_YLM = ("Hc", "Hc", "Hc", "Hce", "Hce", "Hcf", "Hcg", "uHc")
SHELF_MARKS = (
    "Hc",
    "Hce",
    "Hcf",
    "Gcz",
    "K",
    "Kc.1",
    "Lz",
    "Oa",
    "Pu",
    "Uf",
    "Vm",
    "Ddf",
    "Bub",
    "Qaa",
)
LOCATIONS = (
    "MAG",
    "REF",
    "PLAN 5",
    "Öppen samling",
    "Vuxenavdelningen",
    "Barnavdelningen",
    "Kurslitteratur",
)
UNITS = ("Barn och unga", "Musikavdelningen", "Lokalsamlingen", "Fjärrlån")
AVAILABILITIES = (
    "Ej fjärrlån",
    "Läsesalslån",
    "Endast för påseende",
    "Framtages efter beställning",
)
HOLDING_NOTES = (
    "Defekt: s. 21-60 saknas",
    "Dedikation av författaren till biblioteket",
    'Inköpt med bidrag ur "Stiftelsen Bok & Bild"',
    "Ex. B: samtida skinnband, spännen (defekta)",
    "Recenserad i lokalpressen <1987>",
)
CATALOGUERS_NOTES = ("inglun", "nb2014mon", "gallras 2027?", "retro-2009", "vh")
CONDITIONS = ("Gott skick", "Fuktskadad", "Ryggen trasig", "Rygg omlagd 1998")
FORMER_LOCATIONS = ("Källarmagasinet", "Bokbussen", "Filial Öster")
USE_POLICIES = ("Får ej kopieras", "Tillgänglig inom biblioteket", "Endast för behörig forskare")

GIVEN_NAMES = (
    "Anna", "Astrid", "Bengt", "Birgitta", "Carl", "Eivor", "Elsa", "Erik", "Gunnar", "Göran", "Hjalmar", "Ingrid",
    "Johanna", "Karin", "Lars", "Margareta", "Moa", "Nils", "Ove", "Pär", "Sara", "Selma", "Stina", "Sven", "Tove",
    "Ulla", "Vilhelm", "Åke", "Åsa", "Örjan", "James", "Mary", "Henry", "Doris", "Fatima", "José",
)  # fmt: skip
FAMILY_NAMES = (
    "Andersson", "Berg", "Björk", "Dahlström", "Ekelund", "Engström", "Fagerberg", "Grahn", "Hedlund", "Hägg",
    "Jönsson", "Källström", "Lindgren", "Lindqvist", "Löfgren", "Mårtensson", "Nordin", "Nyström", "Palm", "Rydberg",
    "Sandell", "Sjöberg", "Strand", "Svensson", "Söderlund", "Wallin", "Åberg", "Åkesson", "Öberg", "Östlund",
    "Clarke", "Morgan", "O'Brien", "Taylor", "Núñez", "al-Khalil",
)  # fmt: skip
SWEDISH_BEGINNINGS = (
    "Skogens", "Havets", "Stadens", "Glömskans", "Vinterns", "Kvinnornas", "Bruksfolkets", "Ljusets", "Järnets",
    "Gränslandets", "Arbetarrörelsens", "Lillebrors", "Sommarens", "Fjällens", "Emigranternas", "Folkhemmets",
)  # fmt: skip
SWEDISH_ENDINGS = (
    "historia", "minne", "barn", "arkitektur", "språk", "dagböcker", "väg", "sista vår", "röster", "trädgårdar",
    "sånger", "ekonomi", "fåglar", "hemligheter", "kartor", "visor",
)  # fmt: skip
SWEDISH_SUBTITLES = (
    "en berättelse", "roman", "en handbok", "dikter i urval", "en studie i svensk kulturhistoria 1860–1914",
    "minnen och dokument", "introduktion för nybörjare", "akademisk avhandling",
)  # fmt: skip
ENGLISH_BEGINNINGS = (
    "The Quiet", "A Northern", "The Last", "Modern", "Principles of", "An Introduction to", "The Lost", "Beyond",
)  # fmt: skip
ENGLISH_ENDINGS = (
    "Archives", "Forest", "Libraries", "Statistics", "Economy", "Winter", "Gardens", "Hydrology", "Voices", "Atlas",
)  # fmt: skip
ENGLISH_SUBTITLES = ("a novel", "theory and practice", "essays", "a history", "selected papers")
# Titles that a careless reader of records would stumble over: markup, formulas, quotes, other scripts.
ODD_TITLES = (
    "Tom & Jerry <i>igen</i> </script>",
    "=SUMMA(A1:A9) : formler för alla",
    "\"Citat\" och 'apostrofer' \\ snedstreck",
    "Война и мир",
    "Ett 😀 i marginalen",
    "كتاب الأغاني",
    "{{ mall }} och ${variabel}",
)
PUBLISHERS = (
    "Bonnier", "Norstedt", "Natur & kultur", "Studentlitteratur", "Ordfront", "Carlsson", "Atlantis", "Rabén & Sjögren",
    "Penguin", "Routledge", "Oxford University Press", "Eget förlag",
)  # fmt: skip
PLACES = ("Stockholm", "Lund", "Göteborg", "Malmö", "Umeå", "Uppsala")
ENGLISH_PLACES = ("London", "New York", "Oxford")
SUBJECTS = (
    "Arbetarlitteratur", "Emigration", "Fåglar", "Järnbruk", "Kartografi", "Kvinnohistoria", "Lokalhistoria",
    "Statistik", "Trädgårdar", "Visor",
)  # fmt: skip
GENRES = ("Romaner", "Noveller", "Dikter", "Biografier", "Handböcker", "Akademiska avhandlingar")
LANGUAGES = {
    "swe": "Svenska",
    "eng": "Engelska",
    "ger": "Tyska",
    "fre": "Franska",
    "fin": "Finska",
    "ara": "Arabiska",
}
COUNTRIES = {"sw": "Sverige", "xxk": "Storbritannien", "xxu": "USA", "fi": "Finland"}
