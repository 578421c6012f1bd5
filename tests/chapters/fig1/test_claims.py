"""Fig. 1: what follows from mean cosines made up here."""

import numpy as np
import pytest
from made_condensations import made

from decondense.chapters.fig1.claims import claims
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, REPRODUCED, SMALLER


def model(early, last, texts=8):
    """A result whose entries 1 and 2 are near these; the embedding output does not count."""
    jitter = np.random.default_rng(0).uniform(-0.02, 0.02, (texts, 2))
    return made(np.column_stack([np.full(texts, 0.9), early + jitter[:, 0], last + jitter[:, 1]]))


SMALL = model(0.3, 0.72)


def test_claims_are_on_paired_differences_beside_the_heat_maps():
    deeper, wider = claims(SMALL, model(0.1, 0.62))
    assert deeper.here == "μ last - early = 0.41 [0.39, 0.43]"
    assert wider.here == "μ small - large = 0.10 [0.10, 0.10]"  # the same in every text
    assert deeper.published == "drawn; 0.42 is that of GPT2, read off Fig. 2a"
    assert wider.published.startswith("drawn; 0.21 is that of one step of size, a third of GPT2 minus GPT2-xl")


@pytest.mark.parametrize(
    ("small", "large", "words"),
    [
        (SMALL, model(0.1, 0.05), [REPRODUCED, REPRODUCED]),
        (model(0.3, 0.4), model(0.1, 0.3), [SMALLER, SMALLER]),
        (model(0.3, 0.3), model(0.1, 0.4), [CONTRADICTED, CONTRADICTED]),
    ],
)
def test_differences_are_judged_by_the_published_ones(small, large, words):
    assert [claim.verdict.word for claim in claims(small, large)] == words


def test_what_precision_may_have_moved_counts_against_the_second():
    words = [claim.verdict.word for claim in claims(SMALL, model(0.1, 0.05), systematic=0.7)]
    assert words == [REPRODUCED, CANNOT_TELL]


def test_one_text_is_refused():
    with pytest.raises(ValueError, match="1 texts give none"):
        claims(model(0.3, 0.7, texts=1), model(0.1, 0.1, texts=1))
