"""Sums with answers that code checks: prompts, right answers, pairs of a right and a wrong one, rewards."""

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

EXAMPLE = "Calculate.\n2 + 3 = 5\n"  # before each sum: without one a small model rarely answers it
OFF_BY = 3  # the most by which a wrong answer is drawn beside the right one; 0 is drawn as well
A_NUMBER = 0.1  # reward of an answer that is a number, and not the right one
_FIRST_NUMBER = re.compile(r"\s*(\d+)")


class Sum(NamedTuple):
    """One problem: what the model reads, the right continuation, another one, and the number to check against."""

    prompt: str
    chosen: str
    rejected: str
    answer: int


def sums(n: int, largest: int, seed: int) -> list[Sum]:
    """`n` different sums a + b with a and b in 1 .. `largest`, in random order; the same for the same seed.

    The rejected answer is off by up to `OFF_BY`, drawn uniformly with 0 among them: `usable` leaves those out.

    Raises
        ValueError: no sum, or more than there are.
    """
    if not 1 <= n <= largest**2:
        raise ValueError(f"Numbers from 1 to {largest} make {largest**2} sums, {n} were asked for.")
    rng = np.random.default_rng(seed)
    drawn = rng.choice(largest**2, n, replace=False)
    off = rng.integers(-OFF_BY, OFF_BY + 1, n)
    return [_sum(1 + k // largest, 1 + k % largest, o) for k, o in zip(drawn.tolist(), off.tolist(), strict=True)]


def _sum(a: int, b: int, off: int) -> Sum:
    return Sum(f"{EXAMPLE}{a} + {b} =", f" {a + b}", f" {abs(a + b + off)}", a + b)


def training(data: Mapping, seed: int, _sources: Sequence[str]) -> list[Sum]:
    """The sums of a run, up to `data["largest"]`; some may be held out."""
    return sums(data["problems"], data["largest"], seed)


def held_out(data: Mapping, seed: int, _sources: Sequence[str]) -> list[Sum]:
    """The sums that no run is trained on."""
    return sums(data["held_out"], data["largest"], seed)


def about(_sources: Sequence[str]) -> dict:
    """What a record says of the data: nothing beyond its configuration."""
    return {}


def apart(rows: Sequence[Sum], others: Sequence[Sum]) -> list[Sum]:
    """Those of `rows` that are not among `others`."""
    known = {each.prompt for each in others}
    return [each for each in rows if each.prompt not in known]


def reward(completion: str, answer: int) -> float:
    """1 where the completion begins with the right number, `A_NUMBER` with another one, 0 without a number."""
    found = _FIRST_NUMBER.match(completion)
    if found is None:
        return 0.0
    return 1.0 if int(found[1][:9]) == answer else A_NUMBER


def rewards(completions: Sequence[str], answer: Sequence[int], **_) -> list[float]:
    """`reward` of each, as GRPO's trainer of TRL asks for it; further columns of the data are not used."""
    return [reward(text, right) for text, right in zip(completions, answer, strict=True)]


def refuse_constant(values: Sequence[float]) -> None:
    """Refuse a reward that is the same for all answers of the start.

    Raises
        ValueError: no two rewards differ, so that no answer is better than another and no gradient comes of it.
    """
    if len(set(values)) < 2:
        raise ValueError(
            f"All {len(values)} answers of the start have the reward {next(iter(values), 'none')}: GRPO has no "
            "gradient. Take easier problems (of sums a smaller `largest`), or a start that answers some of them."
        )


def fits(row: Sum, length: Callable[[str], int], positions: int, new_tokens: int) -> bool:
    """Whether a model can read the prompt with an answer of `new_tokens`, and with each of its two and an end."""
    longest = max(length(row.prompt + row.chosen), length(row.prompt + row.rejected))
    return max(length(row.prompt) + new_tokens, longest + 1) <= positions


def refuse_too_long(rows: Sequence[Sum], length: Callable[[str], int], positions: int, new_tokens: int) -> None:
    """Refuse held-out problems that are not among those that `fits`: all looks are to read the same ones.

    Raises
        ValueError: one or more do not fit.
    """
    if long := sum(not fits(row, length, positions, new_tokens) for row in rows):
        raise ValueError(
            f"{long} of {len(rows)} held-out problems do not fit into the model's {positions} positions with an answer "
            f"of {new_tokens} tokens: take a model with more, or fewer new_tokens."
        )


def usable(
    rows: Sequence[Sum], length: Callable[[str], int], positions: int, new_tokens: int
) -> tuple[list[Sum], Mapping[str, int]]:
    """The rows that can be trained on, and how many were left out for which reason, which a warning says too.

    length
        Tokens of a text.
    positions, new_tokens
        Tokens that the model can read, and how many of them the answer may take.

    Raises
        ValueError: no row is left.
    """
    short = [row for row in rows if fits(row, length, positions, new_tokens)]
    kept = [row for row in short if row.chosen != row.rejected]
    left_out = {"prompt too long": len(rows) - len(short), "equal answers": len(short) - len(kept)}
    said = ", ".join(f"{number} ({why})" for why, number in left_out.items() if number)
    if not kept:
        raise ValueError(
            f"Of {len(rows)} rows none can be trained on, left out were {said or 'those held out'}: ask for more "
            "problems, or for fewer held out."
        )
    if said:
        warnings.warn(f"Of {len(rows)} rows some are left out: {said}.", stacklevel=2)
    return kept, left_out
