"""Controls of hidden states that a test makes itself, and the same numbers by brute force in float64."""

from itertools import combinations, pairwise

import numpy as np
import torch

from decondense.controls.gathering import Gathering
from decondense.controls.result import first_third

EPS = 1e-3


def gathered(states, ids=None, everything=False):
    """`states`: for each text (rows, tokens, features), the last row being the output of the last block."""
    ids = distinct_ids(states) if ids is None else ids
    gathering = Gathering([torch.as_tensor(of_text) for of_text in ids], EPS, everything)
    for passage in gathering.passages:
        for text in passage.texts:
            for row, z in enumerate(states[text]):
                passage.see(row, text, torch.as_tensor(z))
    return gathering.result(seed=0, name="toy")


def distinct_ids(states):
    """No id twice."""
    ends = np.cumsum([0, *(len(of_text[0]) for of_text in states)])
    return [list(range(start, end)) for start, end in pairwise(ends)]


def unit(z):
    return z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), EPS)


def within_text(z):
    cosines = unit(z) @ unit(z).T
    return cosines[~np.eye(len(z), dtype=bool)].mean()


def within(texts):
    return np.mean([within_text(z) for z in texts])


def between(texts, pairs=None):
    pairs = combinations(range(len(texts)), 2) if pairs is None else pairs
    return np.mean([(unit(texts[s]) @ unit(texts[t]).T).mean() for s, t in pairs])


def massive(z):
    norms = np.linalg.norm(z, axis=1)
    return norms > 10 * np.sort(norms)[(len(norms) - 1) // 2]


def others_tokens(texts, t):
    """The tokens of the other third that a mean is taken of."""
    first = first_third(len(texts))
    kept = lambda z: z[~massive(z) & (np.arange(len(z)) > 0)]
    return np.concatenate([kept(z) for z, same in zip(texts, first == first[t], strict=True) if not same])


def same_third_pairs(texts):
    first = first_third(len(texts))
    return [(s, t) for s, t in combinations(range(len(texts)), 2) if first[s] == first[t]]
