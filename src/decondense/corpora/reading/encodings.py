"""In which encoding a file is that is not UTF-8: named in a refusal, with a sample, and never used to read it."""

from collections.abc import Iterable, Iterator

SAMPLE = 30  # characters on each side of the first one that is not ASCII
PROBABLE = 0.6  # below it nothing is named

# The letters of a language that are not ASCII. A reading is probable where all its letters are of one language.
_WESTERN = (
    "àâæçéèêëîïôœùûüÿ", "äöüßéà", "áéíñóúü", "áâãàçéêíóôõúü", "àèéìíîòóùú", "àçèéíïòóúü", "åäöæøé", "áéíóúýþæöð",
)  # fmt: skip
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýž", "áäčďéíĺľňóôŕšťúýž", "áéíóöőúüű", "ăâîşţ", "čćđšž")
_CYRILLIC = ("абвгдеёжзийклмнопрстуфхцчшщъыьэюя", "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя")
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋ",)
_SIGNS = "‘’“”„–—…•«»€£§©®°·½™¿¡\xa0"  # of any language

# A script of many characters is known by the most frequent of them: what share of a text they are, and which.
_FREQUENT = {
    "GB18030": (0.2, "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年"),
    "BIG5": (0.2, "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對生能而子那得於著下自之年"),
    "SHIFT_JIS": (0.4, "のにはをたがでてとしれさいもるあなこらかりくっきまうすそつよんーア"),
    "EUC-JP": (0.4, "のにはをたがでてとしれさいもるあなこらかりくっきまうすそつよんーア"),
    "EUC-KR": (0.3, "이다는을의에가고하한도로를지사은기니어서"),
}
_ALPHABETS = {
    "WINDOWS-1252": _WESTERN,
    "WINDOWS-1250": _CENTRAL,
    "WINDOWS-1254": ("âçğıîöşüû",),
    "WINDOWS-1255": ("אבגדהוזחטיךכלםמןנסעףפץצקרשת",),  # before the next: most small letters are in the same place
    "WINDOWS-1251": _CYRILLIC,
    "WINDOWS-1253": _GREEK,
    "WINDOWS-1256": ("ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي",),
    "ISO-8859-2": _CENTRAL,
    "KOI8-R": _CYRILLIC,
    "CP866": _CYRILLIC,
    "MACINTOSH": _WESTERN,
    "CP850": _WESTERN,
}


def guess(data: bytes) -> tuple[str, str] | None:
    """The most probable encoding of some of a text that is not UTF-8, by the name that `iconv` knows it by, and a
    sample of what it reads there; `None` where no reading looks like a language.

    "UTF-8" is the answer where most of what is not ASCII is UTF-8: the file is damaged, not in another encoding.
    """
    damaged = data.decode("utf-8", "replace")
    if _share(letter != "\ufffd" for letter in damaged if letter > "\x7f") >= PROBABLE:
        return "UTF-8", _sample(damaged, damaged.find("\ufffd"))
    readings = dict(_readings(data))
    scores = {name: _score(name, text) for name, text in readings.items()}
    best = max(scores, key=scores.__getitem__)
    return (best, _sample(readings[best])) if scores[best] >= PROBABLE else None


def _readings(data: bytes) -> Iterator[tuple[str, str]]:
    """The text in each encoding that it can be in."""
    for name in (*_FREQUENT, *_ALPHABETS):
        for cut in range(4):  # the last character may be incomplete
            try:
                yield name, data[: len(data) - cut].decode(name)
                break
            except UnicodeDecodeError:
                continue


def _score(name: str, text: str) -> float:
    """How much of what is not ASCII looks right, 0 to 1."""
    foreign = [(before, letter) for before, letter in zip(" " + text, text, strict=False) if letter > "\x7f"]
    if name in _FREQUENT:
        usual, letters = _FREQUENT[name]
        return min(1.0, _share(letter in letters for _, letter in foreign) / usual)
    return max(_share(_fits(*pair, alphabet) for pair in foreign) for alphabet in _ALPHABETS[name])


def _share(holds: Iterable[bool]) -> float:
    """Of how many it holds, 0 to 1."""
    holds = list(holds)
    return sum(holds) / len(holds) if holds else 0.0


def _fits(before: str, letter: str, alphabet: str) -> bool:
    """A sign, or a letter of the alphabet; a capital after a small letter is none."""
    misplaced = letter.isupper() and before.islower()
    return letter in _SIGNS or (letter.lower() in alphabet and not misplaced)


def _sample(text: str, place: int | None = None) -> str:
    """Some characters around a place, or around the first that is not ASCII, on one line."""
    place = next(i for i, letter in enumerate(text) if letter > "\x7f") if place is None else place
    around = text[max(0, place - SAMPLE) : place + SAMPLE]
    return " ".join("".join(letter if letter.isprintable() else " " for letter in around).split())
