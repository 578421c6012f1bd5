"""What the drawing of Fig. 1 says, as claims on mean cosines."""

import numpy as np

from ...condensation import Condensation
from ...paper.claims import Claim, number
from ...paper.verdicts import is_positive
from ...stats import bootstrap_mean


def claims(small: Condensation, large: Condensation, seed: int = 0) -> list[Claim]:
    """Two readings of the drawing, as differences of mu text by text; `seed` is that of the bootstrap.

    The last entry of the small model is a narrower cone than the early one (entry 1), and than the last of the large.
    """
    deeper = small.mu_per_text[:, -1] - small.mu_per_text[:, 1]
    wider = small.mu_per_text[:, -1] - large.mu_per_text[:, -1]
    return [
        _claim("small model: the last entry is a narrower cone than the early one", "μ last - early", deeper, seed),
        _claim("the large model ends in a wider cone than the small one", "μ small - large", wider, seed),
    ]


def _claim(claim: str, what: str, differences: np.ndarray, seed: int) -> Claim:
    mean, interval = bootstrap_mean(differences, seed=seed)
    return Claim(
        claim=claim,
        source="Fig. 1",
        published="drawn",
        here=f"{what} = {number(mean, interval)}",
        rule="interval of the difference above 0",
        verdict=is_positive(interval),
    )
