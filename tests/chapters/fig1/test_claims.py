"""Fig. 1: what follows from mean cosines made up here."""

from made_condensations import made

from decondense.chapters.fig1.claims import claims
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, REPRODUCED

SMALL = made([[0.9, 0.1, 0.5], [0.9, 0.3, 0.8], [0.9, 0.2, 0.5]], "small")  # the embedding output does not count


def test_claims_are_on_paired_differences():
    deeper, wider = claims(SMALL, made([[0.0, 0.0, 0.4], [0.0, 0.0, 0.7], [0.0, 0.0, 0.4]], "large"))
    assert deeper.here.startswith("μ last - early = 0.40 [0.3")
    assert wider.here == "μ small - large = 0.10 [0.10, 0.10]"  # the same in every text
    assert [deeper.verdict.word, wider.verdict.word] == [REPRODUCED] * 2
    assert {deeper.published, wider.published} == {"drawn"}


def test_a_large_model_that_is_as_narrow_is_not_wider():
    deeper, wider = claims(SMALL, SMALL)
    assert [deeper.verdict.word, wider.verdict.word] == [REPRODUCED, NOT_REPRODUCED]
    either_way = made([[0.0, 0.2, 0.1], [0.0, 0.2, 0.3]])
    assert claims(either_way, either_way)[0].verdict.word == NOT_REPRODUCED


def test_one_text_has_no_interval():
    one = made([[0.9, 0.1, 0.5]])
    assert [c.verdict.word for c in claims(one, one)] == [NOT_TESTABLE] * 2
