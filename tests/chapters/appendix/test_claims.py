"""The claims of Appendix D follow the numbers."""

import numpy as np
import pandas as pd

from decondense.chapters.appendix import bounds, claims, draws
from decondense.paper import verdicts


def verdict_words(*arguments):
    return [claim.verdict.word for claim in claims.claims(*arguments)]


def test_claims_follow_the_numbers():
    table, drawn = bounds.check_all([1.0], [1, 5]), draws.monte_carlo([0.5], [1.0, 3.0], 5, draws=1000)
    right = verdict_words(pd.Series([0.0, 1e-16]), table, np.array([[0.5, 0.2]]), drawn)
    assert right == [verdicts.REPRODUCED] * 4
    worse, off = table.assign(holds=0), drawn.assign(formula=drawn.formula + 1)
    wrong = verdict_words(pd.Series([0.1, 0.2]), worse, np.array([1.0, 1.1]), off)
    assert wrong == [verdicts.NOT_REPRODUCED] * 4
