"""The claims that the audit of the tables tests, each with a verdict made by a function of its tables."""

from ...paper.claims import Claim, judged
from . import claims_runs, claims_tables


def claims() -> list[Claim]:
    """All claims of the page, in its order."""
    return judged([*claims_tables.claims(), *claims_runs.claims()])
