"""The claims on what the cone is made of: this book's own.

Their directions come from a first look at these models; their smallest effects were fixed before the page was run, and
its texts are others than those of the first look.
"""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from ...condensation import Condensation
from ...paper import designs, verdicts
from ...paper.claims import Claim, check_claim, judged, of_each
from ...runs.run import Run
from ...runs.tables import text
from ...stats import Estimate
from .parts import estimate, shared_beyond_own
from .training import DESIGN, LATE, LOSS, PLAIN, change, difference

CONE = 0.1  # a mean cosine, or a difference of two, that counts; that of random directions is 0
TIE = 0.05  # of the cosine to the text's mean: half of it
FALL = -0.06  # of the late half, from one size to the next: of μ, so of what is within texts
CONE_REASON = "what counts as a cone; directions at random have 0"
FALL_REASON = "the mean fall of late-half μ from one size of GPT2 to the next, Fig. 2a"
Results = Mapping[str, Condensation]


def claims(
    trained: Results, untrained: Results, encoders: Results, pair: Sequence[Condensation], runs: Sequence[Run],
    check: pd.DataFrame,
) -> list[Claim]:  # fmt: skip
    """`trained`: language models by name; `untrained`: all with first weights; `encoders`: trained sentence encoders.

    pair
        A smaller and a larger model of one family, on the same texts; empty where there is none.
    runs
        Of the design "cone", labelled as in `training`.
    check
        The table of `grid.check_run`.
    """
    return judged(
        [
            _kind("pretrained language models: most of the cone is shared by all texts", trained, "middle", CONE),
            _kind("with first weights: most of it is shared by the tokens of one text", untrained, "middle", -CONE),
            _kind(
                "sentence encoders, last entry: most of it is shared by the tokens of one text", encoders, "last", -CONE
            ),
            _dimensions(trained),
            _rare(trained),
            *_sizes(pair),
            *_along(runs),
            *_work(runs),
            check_claim(check),
        ]
    )


def _kind(claim: str, found: Results, place: str, smallest: float) -> Claim:
    each = {name: shared_beyond_own(result, place) for name, result in found.items()}
    return of_each(claim, each, smallest, CONE_REASON)


def _dimensions(found: Results) -> Claim:
    terms = lambda controls: [(controls, "between_without_top_3", 1.0), (controls, "between", -1.0)]
    each = {name: estimate(terms(result.controls), "middle") for name, result in found.items()}
    claim = "pretrained language models: without the top 3 dimensions of the mean texts share less"
    return of_each(claim, each, -CONE, CONE_REASON)


def _rare(found: Results) -> Claim:
    terms = lambda controls: [(controls, "to_mean_rare", 1.0), (controls, "to_mean_common", -1.0)]
    each = {name: estimate(terms(result.controls), "middle") for name, result in found.items()}
    claim = "pretrained language models: rare tokens lie closer to the mean of their text"
    return of_each(claim, each, TIE, "half of what counts as a cone; the sign is that of Gao et al. 2019")


def _sizes(pair: Sequence[Condensation]) -> Iterator[Claim]:
    for name, said in (
        ("within", "late half: within texts"),
        ("between", "late half: between texts"),
        ("within_without_top_3", "late half, without the top 3 dimensions of the mean: within texts"),
    ):
        claim = f"the larger of two pretrained models has less, {said}"
        if not pair:
            yield Claim(claim=claim, here="", verdict=verdicts.not_testable("no two sizes of one model are here"))
            continue
        small, large = (result.controls for result in pair)
        found = estimate([(large, name, 1.0), (small, name, -1.0)], "late half")
        yield of_each(claim, {f"{pair[1].name} - {pair[0].name}": found}, FALL, FALL_REASON)


def _along(runs: Sequence[Run]) -> Iterator[Claim]:
    found = change(runs, "between")
    yield _one("training makes texts share more (middle entry, after minus before)", found, CONE, CONE_REASON)


def _work(runs: Sequence[Run]) -> Iterator[Claim]:
    design = designs.load(DESIGN)
    for label in dict.fromkeys(run.label for run in runs if run.label != PLAIN):
        for name, wanted in ((LATE, design.primary), (LOSS, design.secondary)):
            yield _one(f"{label}: lower {name}", difference(runs, label, name), wanted.smallest, wanted.reason)


def _one(claim: str, found: Estimate, smallest: float, reason: str) -> Claim:
    tests = [verdicts.effect(found, smallest, reason)] if found.units > 1 else verdicts.no_interval()
    return Claim(claim=claim, here=text(found, 3), verdict=tests)
