"""What the drawing of Fig. 1 says, as claims on mean cosines."""

from ... import paper
from ...condensation import Condensation
from ...paper.claims import Claim, judged, number
from ...paper.trends import READ_OFF
from ...paper.verdicts import effect
from ...stats import Estimate, bootstrap_mean

STEPS = 3  # of size between the models of `READ_OFF`; the two models here are one apart


def claims(small: Condensation, large: Condensation, seed: int = 0, systematic: float = 0.0) -> list[Claim]:
    """Two readings of the drawing, as differences of mu text by text; `seed` is that of the bootstrap.

    The last entry of the small model is a narrower cone than the early one (entry 1), and than the last of the large.
    What counts is the same difference in the heat maps of Fig. 2a, since Fig. 1 has no numbers.

    systematic
        How far the precision of the weights may have moved the difference of the two models.
    """
    deeper = bootstrap_mean(small.mu_per_text[:, -1] - small.mu_per_text[:, 1], seed=seed)
    wider = bootstrap_mean(small.mu_per_text[:, -1] - large.mu_per_text[:, -1], seed=seed)
    there, wide = (paper.mean_cosines("Fig2a", model).cosine_mean.to_numpy() for model in READ_OFF)
    step = (there[-1] - wide[-1]) / STEPS
    return judged([
        _claim(
            "small model: the last entry is a narrower cone than the early one", "μ last - early", deeper,
            there[-1] - there[1], f"that of {READ_OFF[0]}, read off Fig. 2a",
        ),
        _claim(
            "the large model ends in a wider cone than the small one", "μ small - large",
            wider._replace(systematic=systematic), step,
            f"that of one step of size, a third of {READ_OFF[0]} minus {READ_OFF[1]}, read off Fig. 2a",
        ),
    ])  # fmt: skip


def _claim(claim: str, what: str, found: Estimate, smallest: float, reason: str) -> Claim:
    return Claim(
        claim=claim,
        source="Fig. 1",
        published=f"drawn; {smallest:.2f} is {reason}",
        here=f"{what} = {number(found.value, found.interval)}",
        verdict=[effect(found, smallest, reason)],
    )
