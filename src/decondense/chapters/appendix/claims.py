"""The claims of Appendix D, as this book can state them."""

import numpy as np
import pandas as pd

from ...paper import verdicts
from ...paper.claims import OWN, Claim
from .bounds import TRUE


def claims(changes: pd.Series, bounds: pd.DataFrame, factors: np.ndarray, drawn: pd.DataFrame) -> list[Claim]:
    """Both propositions as this book can state them, the proved bounds, and the formula against the draws.

    `changes`: of the cosine under repetition. `bounds`: `check_all`. `factors`: of the grid. `drawn`: `monte_carlo`.
    """
    z = np.abs(drawn["mean"] - drawn.formula) / ((drawn.high - drawn.low) / 2 / 1.96)
    z, changes, factors = (np.ravel(values).tolist() for values in (z, changes, factors))
    failures = (bounds.pairs - bounds.holds)[list(TRUE)].astype(float).tolist()
    return [
        Claim(
            claim="repeated entries: the cosine stays",
            source="App. D, Prop. 1",
            published="unchanged",
            here=f"change {max(changes):.1e}",
            rule="1e-12",
            verdict=verdicts.within(changes, [0.0] * len(changes), 1e-12),
        ),
        Claim(
            claim="Gaussian padding: the cosine shrinks in expectation",
            source="App. D, Prop. 2",
            published="shrinks",
            here=f"factors {min(factors):.2g} to {max(factors):.4f}",
            rule="factor below 1",
            verdict=verdicts.all_below(factors, [1 - 1e-12] * len(factors)),
        ),
        Claim(
            claim="the bounds proved here hold",
            source=OWN,
            published="not available",
            here=f"{sum(failures):g} failures",
            rule="none",
            verdict=verdicts.all_below(failures, [0.0] * len(failures)),
        ),
        Claim(
            claim="the formula meets the draws",
            here=f"largest z {max(z):.2f}",
            rule="z at most 4",
            verdict=verdicts.all_below(z, [4.0] * len(z)),
        ),
    ]
