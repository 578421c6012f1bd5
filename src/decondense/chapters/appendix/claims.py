"""The claims of Appendix D: both propositions, the bounds printed with the second, and this book's own."""

import numpy as np
import pandas as pd

from ...paper import verdicts
from ...paper.claims import BOOK, IN_PRINT, Claim, judged
from .bounds import LOWER, TRUE, UPPER, failing_norm
from .factors import padding_factor

LARGEST_Z = 4.0  # of a mean over draws: one in 16,000 by chance


def claims(changes: pd.Series, bounds: pd.DataFrame, factors: np.ndarray, drawn: pd.DataFrame, m: int) -> list[Claim]:
    """The propositions, the printed and the proved bounds, and the formula against the draws.

    `changes`: of the cosine under repetition. `bounds`: `check_all`. `factors`: of the grid. `drawn`: `monte_carlo`.
    `m`: the entries that the paper adds to unit vectors.
    """
    z = np.abs(drawn["mean"] - drawn.formula) / ((drawn.high - drawn.low) / 2 / 1.96)
    changes, factors = (np.ravel(values) for values in (changes, factors))
    proved = bounds.loc[list(TRUE)]
    return judged(
        [
            Claim(
                claim="repeated entries: the cosine stays",
                kind=IN_PRINT,
                source="App. D, Prop. 1",
                published="unchanged",
                here=f"largest change {max(changes):.1e}",
                rule="every entry equally often; an identity, up to rounding",
                verdict=verdicts.within(changes.tolist(), [0.0] * len(changes), 1e-12),
            ),
            Claim(
                claim="Gaussian padding: the cosine shrinks in expectation",
                kind=IN_PRINT,
                source="App. D, Prop. 2",
                published="shrinks",
                here=f"factors {min(factors):.2g} to {max(factors):.4f}",
                rule="factor below 1, by formula",
                verdict=verdicts.exact((factors < 1).sum(), len(factors), "pairs of r and m"),
            ),
            _printed("lower", LOWER, bounds.loc[LOWER], m),
            _printed("upper", UPPER, bounds.loc[UPPER], m),
            Claim(
                claim="the bounds proved here hold",
                source=BOOK,
                here=f"{(proved.pairs - proved.holds).sum():g} failures",
                rule="at every pair of r and m of the grid",
                verdict=verdicts.exact((proved.holds == proved.pairs).sum(), len(proved), "bounds"),
            ),
            Claim(
                claim="the formula meets the draws",
                source=BOOK,
                here=f"largest z {z.max():.2f}",
                rule=f"z at most {LARGEST_Z:g}",
                verdict=verdicts.exact((z <= LARGEST_Z).sum(), len(z), "means over draws"),
            ),
        ]
    )


def _printed(side: str, name: str, row: pd.Series, m: int) -> Claim:
    """A bound is stated for all norms and numbers of entries: one that fails anywhere is none."""
    holds, at = int(row.holds == row.pairs), {LOWER: 1 + m, UPPER: m}[name]
    fails = f"; it fails below r = {failing_norm(m):.2f} for m = {m}" if name == UPPER else ""
    return Claim(
        claim=f"Gaussian padding: the {side} bound holds",
        kind=IN_PRINT,
        source="App. D, Prop. 2",
        published=f"the mean is {name} times the cosine c: c/{at} for unit vectors and m = {m}",
        here=f"c/{1 / padding_factor(1.0, m):.3f} there{fails}",
        rule="at every pair of r and m of the grid: one failure is enough",
        verdict=verdicts.exact(holds, 1, f"bound for all r and m ({row.holds} of {row.pairs} pairs of the grid)"),
    )
