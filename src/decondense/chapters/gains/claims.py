"""The claims on the printed gains: on other items, with flips, their spreads, and what carries them."""

from collections.abc import Iterator

from ...paper import accuracies
from ...paper.claims import BOOK, IN_PRINT, OWN, Claim, judged, number
from ...paper.rounding import BEYOND, HALF
from ...paper.verdicts import effect, exact, rejected
from . import flips, selection, tables

PRINTED_GAIN = "the printed gain"


def claims(simulations: int, seed: int = 0) -> list[Claim]:
    """All claims of the page, in its order; those with a test are one family (Holm)."""
    printed = (other_items(), seen_flips(), spreads(simulations, seed), settings(), losses(), pretraining())
    return judged([claim for part in printed for claim in part])


def other_items() -> Iterator[Claim]:
    """The gains over plain training in Tables 2 and 5, and of the late half in Table 3, on other items."""
    for row in flips.reported().itertuples():
        what = "late over early half" if row.table == "Table 3" else "dispersion over plain training"
        yield Claim(
            claim=f"{row.model}: {what}, on other items of the ten tasks",
            kind=IN_PRINT,
            source=row.table,
            published=f"{row.gain:+.2f}",
            here=f"unpaired error {row.error:.2f}; without one task {row.low:+.2f} to {row.high:+.2f}; 1.96 paired "
            f"errors if at most {row.flips_196:.1%} of the items flip",
            rule="beyond chance or not: only the printed gain is known, and it is what counts. Unpaired error on other "
            "items; with pairing it is smaller, by how much is not printed",
            verdict=[effect(flips.on_other_items(row.model, row.gain, row.error), row.gain, PRINTED_GAIN)],
        )


def seen_flips() -> Iterator[Claim]:
    """What shares of flips say of the same gains."""
    found, here = flips.reported(), flips.measured()
    measured = "; ".join(f"{pair} {share:.1%}" for pair, share in here.items())
    implied = f"{found.implied.min():.1%} to {found.implied.max():.1%} of the items"
    for column, claim, share in (
        ("implied", "the six gains hold on other items, with the flips that the printed spreads imply", implied),
        ("measured", "the six gains hold on other items, with the flips of this book's own mid-training", measured),
    ):
        errors = [f"{row.table} {row.model} {row[f'errors, {column}']:.1f}" for _, row in found.iterrows()]
        tests = [
            effect(
                flips.on_other_items(row.model, row.gain, flips.paired_error(row.model, row[column])),
                row.gain,
                PRINTED_GAIN,
            )
            for _, row in found.iterrows()
        ]
        yield Claim(
            claim=claim,
            kind=OWN,
            published="not stated",
            here=f"flips: {share}. Paired errors: {'; '.join(errors)}",
            rule="beyond chance or not, for one run a condition on the same items; three runs have smaller errors",
            verdict=tests,
            repeats="the gain on other items, a claim a model, with another error",
        )


def spreads(simulations: int, seed: int) -> Iterator[Claim]:
    """Do the averages vary as independent tasks would, without a choice of checkpoints and with one?"""
    for checkpoints, found in selection.spread_tests(simulations, seed).items():
        how = "without a choice" if checkpoints == 1 else f"of the best of {checkpoints} checkpoints"
        yield Claim(
            claim=f"the averages vary as those of independent tasks, {how}",
            published=f"variance ratio {number(found.observed, found.within_rounding)}",
            here=f"simulated {number(found.expected, found.interval)}",
            rule="rejected where p is below 0.05; p is the mean over roundings, each printed spread drawn by itself",
            verdict=rejected(found.p, "that were so"),
            power=f"{simulations} simulated tables",
        )


def settings() -> Iterator[Claim]:
    """Table 4: the best setting, and the others against plain training, the best other loss, and the default."""
    found = tables.settings()
    others = found[found.is_default == 0]
    n, said = len(others), f"{len(others)} other settings"
    for claim, source, column, sign, what in (
        ("weight 0.1 and temperature 1 are best", "Table 4", "to_default", -1, "others lie below"),
        ("robust: every other setting is above plain training", "Table 4", "to_train", 1, "above"),
        ("every other setting is above the best other loss of Table 2", BOOK, "to_best_other", 1, "above"),
    ):
        margin = others[column]
        here, kind = f"{margin.min():+.2f} to {margin.max():+.2f}", OWN if source == BOOK else IN_PRINT
        verdict = exact((sign * margin > 0.01).sum(), n, what)
        yield Claim(claim=claim, kind=kind, source=source, published=said, here=here, rule=BEYOND, verdict=verdict)
    yield Claim(
        claim="the other settings are as good as the default, if they have its spread",
        published="no spread printed",
        here=f"p {others.p_same.min():.2g} to {others.p_same.max():.2g}, Holm's from {others.holm.min():.2g}",
        rule="rejected where Holm's p is below 0.05, over the other settings",
        verdict=rejected(float(others.holm.min()), "all were as good"),
        power="three runs each, as the default has",
    )


def losses() -> Iterator[Claim]:
    """What each addition to plain training does to the average of Table 2."""
    change = tables.over_training().sort_values()
    (model, condition), worst = change.index[0], change.iloc[0]
    untrained = accuracies.mid_trained().average
    below = untrained[model, condition] - untrained[model, "none"]
    yield Claim(
        claim="each addition to plain training has a higher average than plain training",
        published=f"{len(change)} rows of Table 2",
        here=f"{model} {condition} {worst:+.2f}, {below:+.2f} from no training; the next {change.iloc[1]:+.2f}; "
        f"dispersion {change.xs('dispersion', level='condition').min():+.2f} at least",
        rule=BEYOND,
        verdict=exact((change > 0.01).sum(), len(change), "rows"),
    )
    lost = tables.by_task("Table 2", model, condition, "train")
    yield Claim(
        claim=f"{model} {condition}, the largest fall of Table 2: every task falls",
        published=f"{worst:+.2f}",
        here=f"{lost.max():+.1f} to {lost.min():+.1f}, {lost.idxmin()} the most",
        rule="more than rounding",
        verdict=exact((lost < -2 * HALF).sum(), len(lost), "tasks"),
    )


def pretraining() -> Iterator[Claim]:
    """Table 5: the gain task by task."""
    gain = tables.by_task("Table 5", "Qwen3-0.6B", "dispersion", "train")
    top = gain.idxmax()
    yield Claim(
        claim="Table 5: every task gains",
        published=f"{gain.mean():+.2f} on the average",
        here=f"{top} {gain[top]:+.1f}, {gain[top] / gain.sum():.0%} of all; without it {gain.drop(top).mean():+.2f}",
        rule="more than rounding",
        verdict=exact((gain > 2 * HALF).sum(), len(gain), "tasks"),
    )
