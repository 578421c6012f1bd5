"""Made-up lives: a name and six facts a person, in words of syllables; how many bits of them a model knows.

The facts are as many, and drawn from domains as large, as in bioS of Allen-Zhu & Li (Physics of Language Models 3.3,
arXiv 2404.05405), so that a person is 47.6 bits; the words and sentences are this book's own.
"""

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...capacity import refuse_too_large

NAME = {"first name": 400, "middle name": 400, "last name": 1000}  # how many there are to draw from
FACTS = {
    "gender": 2, "day of birth": 28, "month of birth": 12, "year of birth": 200, "city": 200, "university": 300,
    "major": 100, "employer": 263,
}  # fmt: skip
FIELDS = NAME | FACTS
SYLLABLES = (
    "ba", "de", "fi", "go", "hu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "za", "ber", "dil", "fom",
    "gun",
)  # fmt: skip
PHRASES = ("is a", "born on", "in", "and studied", "at", "to work for")
SENTENCE = [
    *NAME, "is a", "gender", "born on", "day of birth", "month of birth", "year of birth", "in", "city", "and studied",
    "major", "at", "university", "to work for", "employer",
]  # fmt: skip
START = len(SYLLABLES) + len(PHRASES)
VOCABULARY = START + 1
NAMES, BITS = math.prod(NAME.values()), math.log2(math.prod(FACTS.values()))  # how many names; bits of the facts


class Known(NamedTuple):
    """Bits of all people together: of their names, and of their facts."""

    names: float
    facts: float


def people(n: int, seed: int) -> Int[Tensor, "people fields"]:
    """A number for each of `FIELDS`, uniform over its domain; no two people have the same name.

    Raises
        ValueError: nobody, or more people than a hundredth of the names; MemoryError: they do not fit into memory.
    """
    if not 1 <= n <= NAMES // 100:
        raise ValueError(f"Ask for 1 to {NAMES // 100} people, so that each has a name; got {n}.")
    refuse_too_large(n, len(FIELDS))
    generator = torch.Generator().manual_seed(seed)
    draw = lambda size: torch.randint(size, (n,), generator=generator)
    names = draw(NAMES)
    while len(twice := _again(names)):
        names[twice] = torch.randint(NAMES, (len(twice),), generator=generator)
    _, middle, last = NAME.values()
    parts = [names // (middle * last), names // last % middle, names % last]
    return torch.stack([*parts, *(draw(size) for size in FACTS.values())], 1)


def _again(names: Int[Tensor, "people"]) -> Int[Tensor, "repeats"]:
    """The places of names that an earlier person has."""
    order = names.argsort(stable=True)
    return order[1:][names[order].diff() == 0]


def width(field: str) -> int:
    """Syllables of a word of this field: all of its words have as many."""
    return math.ceil(math.log(FIELDS[field], len(SYLLABLES)) - 1e-9)


def rows(people: Int[Tensor, "people fields"]) -> Int[Tensor, "people columns"]:
    """The life of each person as token ids, after the start token: a token per syllable, and one per phrase."""
    at = {field: people[:, number] for number, field in enumerate(FIELDS)}
    columns = [torch.full((len(people), 1), START)]
    for part in SENTENCE:
        columns.append(_word(at[part], width(part)) if part in FIELDS else _phrase(part, len(people)))
    return torch.cat(columns, 1)


def _word(values: Int[Tensor, "people"], syllables: int) -> Int[Tensor, "people syllables"]:
    places = len(SYLLABLES) ** torch.arange(syllables - 1, -1, -1)
    return values[:, None] // places % len(SYLLABLES)


def _phrase(phrase: str, n: int) -> Int[Tensor, "people 1"]:
    return torch.full((n, 1), len(SYLLABLES) + PHRASES.index(phrase))


def read(row: Int[Tensor, "columns"]) -> str:
    """A row as it reads."""
    said, ids = [], iter(row[1:].tolist())
    for part in SENTENCE:
        if part in FIELDS:
            said.append("".join(SYLLABLES[next(ids)] for _ in range(width(part))))
        else:
            said.append(PHRASES[next(ids) - len(SYLLABLES)])
    return " ".join(said)


def known(surprisal: Float[Tensor, "people tokens"]) -> Known:
    """Bits that a model holds at least, from the surprisal of each token (`capacity.surprisal`), in bits.

    With p1 the surprisal of a name and p2 that of the facts after it, means over the N people:

        names   N (log2(N0 - N) - p1),   N0 names to draw from
        facts   N (log2(S0) - p2),       S0 facts to draw from, log2(S0) = 47.6

    A code that the model gives is that much shorter than one without it, so the model must hold it. What it needs for
    the phrases is left out. Facts: 47.6 N where each fact is certain from the name, 0 where each is a guess over its
    domain, and less, below 0, for a model that is worse. Source: the lower bound of arXiv 2404.05405 for bioS.
    """
    n, places = len(surprisal), _places()
    p1, p2 = (float(surprisal[:, places == kind].double().sum()) / n for kind in ("name", "fact"))
    return Known(n * (math.log2(NAMES - n) - p1), n * (BITS - p2))


def _places() -> np.ndarray:
    """What each token of a row belongs to."""
    kind = lambda part: "name" if part in NAME else "fact" if part in FACTS else "phrase"
    return np.array([kind(part) for part in SENTENCE for _ in range(width(part) if part in FIELDS else 1)])
