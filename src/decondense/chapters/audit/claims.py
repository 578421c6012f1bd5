"""The claims that the audit tests, each with a verdict made by a function of the audit's tables."""

from ...paper.claims import Claim, judged
from . import claims_figures, claims_runs, claims_tables


def claims(simulations: int, seed: int = 0) -> list[Claim]:
    """All claims of the audit, in the order of its page; those with a test are one family (Holm)."""
    return judged(
        [
            *claims_tables.claims(),
            *claims_runs.claims(simulations, seed),
            *claims_figures.claims(),
        ]
    )
