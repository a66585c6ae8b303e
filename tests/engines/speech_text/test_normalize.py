"""What is written, as it is said: several languages, and nothing that isn't a word left behind."""

# ruff: noqa: RUF001 - signs of many scripts look alike

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_workflow.engines.speech_text.languages import find_language
from cosmos_workflow.engines.speech_text.normalize import normalize
from cosmos_workflow.engines.speech_text.numbers import cardinal

ENGLISH = {
    "$1.5M, £3bn and $10k": "one point five million dollars, three billion pounds and ten thousand dollars",
    "the '90s": "the nineties",
    "He lived 1809–1865.": "He lived eighteen oh nine to eighteen sixty-five.",
    "born c. 1920 and died": "born c. nineteen twenty and died",
    "Chapter XLII, see chapter IV": "Chapter forty-two, see chapter four",
    "for my part I think": "for my part I think",
    "5'11\" tall, 24/7, .45 and 1,2,3": "five foot eleven tall, twenty-four seven, point four five and one, two, three",
    "Ch. IV, Vol. 2": "Chapter four, Volume two",
    "It cost $1,234.56, or €5.": ("It cost one thousand two hundred and thirty-four dollars and fifty-six cents, or five euros."),
    "-$3, £0.05 and $2.5 million": "minus three dollars, five pence and two point five million dollars",
    "In 1984 and the 1990s.": "In nineteen eighty-four and the nineteen nineties.",
    "1,500 people in 1905": "one thousand five hundred people in nineteen oh five",
    "On 3/4/2024 at 14:30.": "On March fourth, twenty twenty-four at fourteen thirty.",
    "2:05 pm, 9 a.m. and 10:00": "two oh five P M, nine A M and ten o'clock",
    "March 15, 2024; 5 May; 2024-12-25": (
        "March fifteenth, twenty twenty-four; the fifth of May; December twenty-fifth, twenty twenty-four"
    ),
    "Call +1 (555) 123-4567.": "Call plus one, five five five, one two three, four five six seven.",
    "See https://example.com/a-b, or ask jo.doe@example.org.": (
        "See example dot com slash a dash b, or ask jo dot doe at example dot org."
    ),
    "Henry VIII, Louis XIV, World War II, Chapter IV": "Henry the eighth, Louis the fourteenth, World War two, Chapter four",
    "I met John V. Smith, and I know MIX.": "I met John V. Smith, and I know MIX.",
    "Mr. Smith of St. Louis, e.g. No. 5, etc. Then": "Mister Smith of Saint Louis, for example number five, et cetera. Then",
    "5 km, 20 °C, 60 km/h, 3.5kg, 50%, 10-20 m": (
        "five kilometres, twenty degrees Celsius, sixty kilometres per hour, three point five kilograms, fifty percent, "
        "ten to twenty metres"
    ),
    "It weighs 5 lbs. and more.": "It weighs five pounds and more.",
    "1st, 22nd; 3.14159; 007; 1/2 cup; 3–5 days": (
        "first, twenty-second; three point one four one five nine; zero zero seven; one half cup; three to five days"
    ),
    "v2.3.1 of B2B, COVID-19": "v two point three point one of B two B, COVID nineteen",
    "R&D @ home, 2 + 2 = 4, #5, C# and a+b": "R and D at home, two plus two equals four, number five, C# and a+b",
    "I love it 🎉! So do you ❤️.": "I love it! So do you.",
    "# A title\n\n- **bold** and *it*, `code`, [a link](https://a.example/x)": "A title\n\nbold and it, code, a link",
    "Say [Nguyen](/nwin/) [pause:1.5] 5 times.": "Say [Nguyen](/nwin/) [pause:1.5] five times.",
    "2½ cups": "two and a half cups",
    "٣ and 3": "three and three",
    "Don't touch a well-known word; it's fine.": "Don't touch a well-known word; it's fine.",
}
OTHERS = [
    (
        "de",
        "Am 3. Mai 1990 um 14:30 Uhr kostete es 1.234,50 €.",
        "Am dritten Mai neunzehnhundertneunzig um vierzehn Uhr dreißig kostete es eintausendzweihundertvierunddreißig Euro und "
        "fünfzig Cent.",
    ),
    ("de", "Vom 1. Januar bis 12.3.2024", "Vom ersten Januar bis zwölften März zweitausendvierundzwanzig"),
    (
        "de",
        "z. B. Dr. Müller, ca. 5 km, -5, 3,5 %",
        "zum Beispiel Doktor Müller, circa fünf Kilometer, minus fünf, drei Komma fünf Prozent",
    ),
    (
        "fr",
        "Le 1er mai à 14:30, 3,50 € et 20 km/h",
        "Le premier mai à quatorze heures trente, trois euros et cinquante centimes et vingt kilomètres par heure",
    ),
    (
        "fr",
        "M. Dupont a 21 ans, 2e étage, 1 234,5",
        "Monsieur Dupont a vingt et un ans, deuxième étage, mille deux cent trente-quatre virgule cinq",
    ),
    ("es", "El 1.º de mayo, 1 €, 14:30", "El primero de mayo, un euro, catorce y treinta"),
    ("es", "Sr. López tiene 21 años.", "Señor López tiene veintiuno años."),
    ("it", "Il 1º maggio, 5 km, 3,50 €", "Il primo maggio, cinque chilometri, tre euro e cinquanta centesimi"),
    ("pt-br", "R$ 5,50 em 1º de maio", "cinco reais e cinquenta centavos em primeiro de maio"),
    ("sv", "5 hus, 3,5", "fem hus, tre komma fem"),
    ("ja", "3.5", "三点五"),
    ("ru", "3,5", "три целых пять десятых"),
    ("hu", "3,5", "három egész öt tized"),
    ("tr", "3,05", "üç virgül sıfır beş"),
    ("vi", "3,05", "ba phẩy không năm"),
    ("ar", "0,5", "صفر فاصلة خمسة"),
    ("de", "im 2. Stock, in der 3. Woche, der 5. Mann", "im zweiten Stock, in der dritten Woche, der fünfte Mann"),
    (
        "de",
        "Das 19. Jh. und Ludwig XIV. von 1643",
        "Das neunzehnte Jahrhundert und Ludwig der vierzehnte von sechzehnhundertdreiundvierzig",
    ),
    ("de", "in den 90er Jahren, 1980er", "in den neunziger Jahren, neunzehnhundertachtziger"),
    ("de", "Goethe (1749–1832)", "Goethe (siebzehnhundertneunundvierzig bis achtzehnhundertzweiunddreißig)"),
    ("de", "mehr als 2019 (+25 %)", "mehr als zweitausendneunzehn (plus fünfundzwanzig Prozent)"),
    (
        "fr",
        "1914-1918, tome III, Élisabeth II",
        "mille neuf cent quatorze à mille neuf cent dix-huit, tome trois, Élisabeth deux",
    ),
    ("es", "2ª a las 15:30 h", "segunda a las quince y treinta"),
    ("it", "gli anni '80, n. 10", "gli anni ottanta, numero dieci"),
    ("de", "2½ Stunden, ½ Liter, Kap. IV", "zweieinhalb Stunden, ein halb Liter, Kapitel vier"),
    ("de", "Tel. 030 1234567", "Telefon null drei null, eins zwei drei vier fünf sechs sieben"),
    ("fr", "à 9h05, 14 h et 1h", "à neuf heures cinq, quatorze heures et une heure"),
    ("fr", "au XIXe siècle, sous Louis XIV et Napoléon Ier", "au dix-neuvième siècle, sous Louis quatorze et Napoléon premier"),
    ("fr", "44 av. J.-C., p. 12", "quarante-quatre avant Jésus-Christ, page douze"),
    ("es", "siglos XVI y XVII, Felipe II, Alfonso XIII", "siglos dieciséis y diecisiete, Felipe segundo, Alfonso trece"),
    ("it", "il XIX secolo, 2½", "il diciannovesimo secolo, due e mezzo"),
    ("pt-br", "às 9h05, século V", "às nove horas e cinco, século quinto"),
    ("pl", "-2", "minus dwa"),
    ("sk", "-2", "mínus dva"),
    ("ja", "-5", "マイナス 五"),
    ("tr", "-5", "eksi beş"),
    ("vi", "-5", "âm năm"),
    ("hi", "5 घर", "5 घर"),
]


@pytest.mark.parametrize(("written", "said"), ENGLISH.items())
def test_english(written: str, said: str) -> None:
    assert normalize(written, "en-us") == said


@pytest.mark.parametrize(("language", "written", "said"), OTHERS)
def test_other_languages(language: str, written: str, said: str) -> None:
    assert normalize(written, language) == said


def test_a_british_date_has_its_day_first() -> None:
    assert normalize("3/4/2024", "en-gb") == "April third, twenty twenty-four"


@pytest.mark.parametrize("language", ["en-us", "de", "fr", "es", "it", "pt-br", "pl", "ja", "ru", "tr", "ar", "cs"])
@given(text=st.text(st.one_of(st.sampled_from("0123456789.,:-/$€%°CkmIVX[]()*#_ \n"), st.characters(codec="utf-8")), max_size=60))
def test_any_text_can_be_said_and_is_without_digits(language: str, text: str) -> None:
    said = normalize(text, language)
    if "[" not in text:
        assert not any(letter in "0123456789" for letter in said), said


@pytest.mark.parametrize("language", ["en-us", "de", "fr", "es", "it", "pt-br"])
@given(whole=st.integers(0, 9_999_999), part=st.from_regex(r"[0-9]{1,2}", fullmatch=True), unit=st.sampled_from(["", "%", "km"]))
def test_a_number_is_the_same_with_the_signs_of_another_language(language: str, whole: int, part: str, unit: str) -> None:
    english, german = f"{whole:,}.{part}", f"{whole:,}".replace(",", ".") + f",{part}"
    said = {normalize(f"{written} {unit}", language) for written in (english, german, f"{whole}.{part}", f"{whole},{part}")}
    assert len(said) == 1
    known = find_language(language)
    assert known is not None
    assert cardinal(str(whole), known) in said.pop()


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("en-us", "€1.234,50", "one thousand two hundred and thirty-four euros and fifty cents"),
        ("de", "$1,234.50", "eintausendzweihundertvierunddreißig Dollar und fünfzig Cent"),
        ("de", "2.5 %", "zwei Komma fünf Prozent"),
        ("de", "1.500 km", "eintausendfünfhundert Kilometer"),
        ("en-us", "1.500 km", "one point five zero zero kilometres"),
        ("de", "3.677.472", "drei Millionen sechshundertsiebenundsiebzigtausendvierhundertzweiundsiebzig"),
        ("fr", "67.000.000 d'habitants", "soixante-sept millions d'habitants"),
        ("fr", "67 123 000", "soixante-sept millions cent vingt-trois mille"),
        ("fr", "06 12 34 56 78", "zéro six, un deux, trois quatre, cinq six, sept huit"),
        ("es", "612 345 678", "seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("de", "192.168.1.1", "einhundertzweiundneunzig Punkt einhundertachtundsechzig Punkt eins Punkt eins"),
    ],
)
def test_amounts_with_the_signs_of_another_language(language: str, written: str, said: str) -> None:
    assert normalize(written, language) == said


@given(st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=8), min_size=1, max_size=12))
def test_plain_words_stay_as_they_are(words: list[str]) -> None:
    text = " ".join(words)
    assert normalize(text, "en-us") == text
