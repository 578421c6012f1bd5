"""Two verdicts that only the audit needs: checks that cannot always be told, and an order beyond chance."""

from collections.abc import Iterable

from ...paper.verdicts import CANNOT_TELL, REPRODUCED, Verdict, exact
from ...stats import ALPHA
from . import tables


def consistent(outcomes: Iterable[str], what: str) -> Verdict:
    """`exact` over outcomes of a check; those that rounding leaves open are not counted, and named."""
    outcomes = list(outcomes)
    told = [outcome for outcome in outcomes if outcome != tables.OPEN]
    found, left = exact(told.count(tables.CONSISTENT), len(told), what), len(outcomes) - len(told)
    return found._replace(why=f"{found.why}; {left} cannot be told") if left else found


def beyond_chance(p: float) -> Verdict:
    """An order that the paper states: reproduced where a random order is so unlikely, else cannot tell."""
    return Verdict(REPRODUCED if p < ALPHA else CANNOT_TELL, f"p = {p:.2g} if the order were random")
