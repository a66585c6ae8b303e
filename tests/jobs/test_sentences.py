"""Where sentences end, in many languages: what a listener takes for one isn't torn, and nothing is lost."""

# ruff: noqa: RUF001 - the marks of many scripts look alike

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosmos_workflow.jobs.speech.sentences import WINDOW, split_sentences

BITS = [
    "Ms. ",
    "Why?” ",
    "“",
    "he said ",
    "J. ",
    "5 ",
    "usw. ",
    "え？」",
    "と彼",
    "👨‍👩‍👧‍👦",
    "‼️",
    "!",
    "... ",
    "问",
    " ",
    "x" * 300,
    "\u0301",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(BITS) | st.text(max_size=5), max_size=80).map("".join), st.sampled_from(["en", "de", "zh", "xx"]))
def test_put_together_they_are_the_paragraph(text: str, language: str) -> None:
    sentences = split_sentences(text, language)
    assert "".join(sentences) == text
    assert all(sentences)


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Smith paid $3.50 to Mr. Jones at 5 p.m. He left.", 2),
        ("en", "J. R. R. Tolkien wrote it. “Stop!” cried Anna. “Why?” asked Tom.", 3),
        ("en", "See fig. 3, p. 12, etc. It was 2.5 km away.", 2),
        ("de", "Der 1. FC Köln spielt z. B. am 3. Mai. Er gewinnt.", 2),
        ("de", "„Wirklich?“, fragte sie. „Ja.“ Er ging.", 3),
        ("fr", "M. Dupont est arrivé. Mme. Durand répondit.", 2),
        ("es", "El Sr. García llegó. ¿Qué hora es? ¡Son las tres!", 3),
        ("ja", "こんにちは。元気ですか?", 2),
        ("hi", "नमस्ते। आप कैसे हैं?", 2),
        ("ru", "Г. Иванов родился в 1990 г. в Москве. Он живёт там.", 2),
        ("xx", "An unknown language. Two sentences.", 2),
    ],
)
def test_sentences_end_where_a_reader_takes_a_breath(language: str, text: str, expected: int) -> None:
    sentences = split_sentences(text, language)
    assert len(sentences) == expected
    assert "".join(sentences) == text


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "Ms. Smith and Mx. Lee met Gen. Grant. | See Vol. 3 and fig. 7. | He said no. | Then he left St. John's."),
        ("en", '"Good morning?" Harry asked. | "Stop!" | He ran. | "Go on." | He went. | “Never!” Mrs. Jones exclaimed.'),
        ("en", "He lives in the U.S. | She left at 5 p.m. today. | Really?! | Yes."),
        (
            "fr",
            "St. Exupéry et Mgr. Dupont sont là. | « Oui ? » dit Harry. | — Vraiment ? dit-il. | Cf. chap. 5. | Il part.",
        ),
        (
            "de",
            "Ich sah Hrn. Meier. | Nach Abs. 3 gilt es inkl. MwSt. heute. | „Wer da?“ fragte Fr. Rot. | „Halt!“ | Er lief.",
        ),
        ("es", "Dña. María llegó. | La Srta. Ruiz vive en la Avda. Mayor. | —¿Buenos días? —preguntó Harry. | ¿Qué tal?"),
        ("it", "La Sig.ra Bianchi e l'Ing. Verdi. | «Buongiorno?» chiese Harry. | Vedi Art. 5. | Egli va."),
        ("pt", "O Exmo. Sr. Lima mora na Av. Brasil, nº. 5. | “Bom dia?” perguntou Harry. | Saiu."),
        ("nl", "Dhr. Jansen zag mevr. De Vries lopen. | “Goedemorgen?” vroeg Harry. | Hij ging."),
        ("ru", "Проф. Петров живёт на ул. Ленина. | «Доброе утро?» — спросил Гарри. | Он ушёл."),
        ("uk", "Проф. Шевченко живе на вул. Франка. | «Добрий ранок?» — спитав Гаррі. | Він пішов."),
        ("pl", "Ks. Jan i dr. Nowak mieszkają przy ul. Długiej. | „Dzień dobry?” zapytał Harry. | Poszedł."),
        ("tr", "Sn. Yılmaz ve Doç. Kaya geldi. | “Günaydın?” diye sordu Harry. | Gitti."),
        ("sv", "Hr. Svensson kom kl. 5 idag. | ”God morgon?” frågade Harry. | Han gick."),
        ("ja", "「え？」と彼は言った。 | 「おはよう！」 | 「はい。」 | 彼は行った。"),
        ("zh", "“早上好？”哈利问。 | “是。” | 他走了。 | 「什麼？」他問。"),
        ("ko", '"좋은 아침?" 해리가 물었다. | 그는 갔다.'),
        ("hi", "डॉ. शर्मा आए। | श्री. वर्मा गए।"),
        ("en", "Wow‼️ Yes. | Hi 👨‍👩‍👧‍👦! | Great 🇩🇪🇫🇷 flags. | 1️⃣ goes first. | Really⁉️ He did."),
    ],
)
def test_titles_quotations_and_emoji_arent_torn(language: str, text: str) -> None:
    parts = [part.strip() for part in text.split("|")]
    between = "" if language in ("ja", "zh") else " "
    found = [sentence.strip() for sentence in split_sentences(between.join(parts), language)]
    # A border too few isn't heard, one that isn't there is; but these are all easy.
    assert found == parts


def test_a_paragraph_of_many_windows_is_cut_as_one_of_few() -> None:
    sentence = "The quick brown fox jumps over the lazy dog, Ms. Smith says. "
    assert split_sentences(sentence * 500) == [sentence] * 500
    assert len(sentence) * 500 > WINDOW
