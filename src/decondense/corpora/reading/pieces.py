"""A text in pieces of so many words, read no further than it is needed.

A word is a run of up to 16 characters without white space, or two Chinese or Japanese characters: about one token, or
more.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise

_KANA_AND_HAN = "\u3040-\u30ff\u3400-\u9fff"
_WORD = re.compile(rf"[{_KANA_AND_HAN}]{{1,2}}|[^\s{_KANA_AND_HAN}]{{1,16}}")


def pieces(blocks: Iterable[str], words: int) -> Iterator[str]:
    """Consecutive pieces of so many words, the last one shorter; together they are the whole text."""
    rest = ""
    for block in blocks:
        rest += block
        starts = [match.start() for match in _WORD.finditer(rest)]
        cuts = [0, *starts[words::words]]
        yield from (rest[start:end] for start, end in pairwise(cuts))
        rest = rest[cuts[-1] :]
    if rest:
        yield rest


def long_enough(found: Iterable[str], words: int) -> Iterator[str]:
    """All pieces but a short one at the end, unless it is the only one."""
    for number, piece in enumerate(found):
        if (count := count_words(piece)) >= words or (count and not number):
            yield piece


def count_words(text: str) -> int:
    """Words as they are counted here."""
    return sum(1 for _ in _WORD.finditer(text))
