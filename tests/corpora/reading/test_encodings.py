"""Encodings are named by the text they give; the name is one that `iconv` knows."""

import random

import pytest

from decondense.corpora.reading.encodings import guess

SENTENCES = {
    "The café’s owner said “naïve” people pay £5 — always.": ("WINDOWS-1252", "MACINTOSH"),
    "café au lait": ("WINDOWS-1252", "MACINTOSH", "CP850"),
    "Le cœur a ses raisons que la raison ne connaît point ; l'été dernier, après être allé à ": (
        "WINDOWS-1252",
        "MACINTOSH",
    ),
    "Voilà l'été, où êtes-vous, garçon ?": ("WINDOWS-1252", "MACINTOSH", "CP850"),
    "Die Größe der Bäume überraschte die Schüler, für die Österreich schön ist.": (
        "WINDOWS-1252",
        "MACINTOSH",
        "CP850",
    ),
    "El niño comió piña mañana, ¿qué más podía hacer el corazón? ¡Así!": ("WINDOWS-1252", "CP850"),
    "Não há razão para a informação não estar à disposição dos cidadãos; você é avô.": ("WINDOWS-1252",),
    "Perché la città è più bella così, e la verità è che può.": ("WINDOWS-1252",),
    "Åsa åkte till Malmö för att köpa både ägg och smör på lördag": ("WINDOWS-1252",),
    "Rødgrød med fløde på øen er også blevet spist af ærlige mænd": ("WINDOWS-1252",),
    "Zażółć gęślą jaźń, a potem idź spać, bo już późno, miły człowieku w Łodzi": ("WINDOWS-1250", "ISO-8859-2"),
    "Příliš žluťoučký kůň úpěl ďábelské ódy, když šel domů přes řeku": ("WINDOWS-1250", "ISO-8859-2"),
    "Árvíztűrő tükörfúrógép, és a nagyon szép őszi idő már elmúlt": ("WINDOWS-1250", "ISO-8859-2"),
    "Bugün hava çok güzel, ağaçların altında oturuyoruz, ışık şahane": ("WINDOWS-1254",),
    "Привет, мир. Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчас": (
        "WINDOWS-1251",
        "KOI8-R",
        "CP866",
    ),
    "Москва": ("WINDOWS-1251", "KOI8-R", "CP866"),
    "Η γλώσσα είναι το κλειδί για τον κόσμο μας, και όλοι το ξέρουν": ("WINDOWS-1253",),
    "שלום עולם, זה טקסט בעברית על החיים": ("WINDOWS-1255",),
    "مرحبا بالعالم هذا نص باللغة العربية عن الحياة": ("WINDOWS-1256",),
    "我们在这个世界上生活了很多年，他说中国人的生活越来越好了。这是一个很大的变化，不是吗？": ("GB18030",),
    "我們在這個世界上生活了很多年，他說中國人的生活越來越好了。這是一個很大的變化，不是嗎？": ("BIG5",),
    "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。": (
        "SHIFT_JIS",
        "EUC-JP",
    ),
    "모든 행복한 가정은 서로 비슷하고 불행한 가정은 저마다의 이유로 불행하다. 그는 학교에 가고 있었다.": ("EUC-KR",),
}


@pytest.mark.parametrize(("text", "encoding"), [(text, name) for text, names in SENTENCES.items() for name in names])
def test_the_encoding_of_a_sentence(text, encoding):
    name, sample = guess(text.encode(encoding))
    assert sample in text  # what is named reads it right, if it is not the encoding itself
    assert name in (encoding, "WINDOWS-1250")


def test_a_character_cut_off_at_the_end_does_no_harm():
    assert guess("我们在这个世界上生活了很多年".encode("gb18030")[:-1]) == ("GB18030", "我们在这个世界上生活了很多")


def test_utf8_with_a_broken_place_is_damaged_and_the_place_is_shown():
    assert guess("café ".encode() * 20 + b"\xffhere") == ("UTF-8", "café " * 6 + "�here")


def test_nothing_is_named_where_no_reading_is_a_language():
    draw = random.Random(0)
    assert guess(bytes(draw.randrange(1, 256) for _ in range(3000))) is None
    assert guess(b"plain") is None
