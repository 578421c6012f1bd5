"""Tables over runs against scipy, statsmodels' rules and loops, on made-up runs."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_runs import by_seed
from scipy import stats as scipy_stats

from decondense import stats
from decondense.records import Record
from decondense.runs import tables
from decondense.runs.run import Run
from decondense.stats import Estimate, Interval

TASKS = {"piqa": 40, "arc_easy": 30, "mmlu": 50}  # items


def made(label, seed, value=0.0, scores=None):
    """A run that needs no file: its validation loss, and for each task the scores of its items."""
    scores = {} if scores is None else scores
    arrays = {"item_task": np.repeat(list(scores), [len(s) for s in scores.values()])}
    if scores:
        arrays["item_score"] = np.concatenate(list(scores.values())).astype(float)
        arrays["item_logprob"] = arrays["item_score"] - 2
    run = Run(label, seed, Record(Path("none"), {"results": {"validation_loss": [9.0, value], "tasks": {}}}, None))
    vars(run)["_arrays"] = arrays  # where a run keeps what it has read
    return run


def loss(run):
    return run.validation_loss


LOSSES = {("none", 0): 5.0, ("a", 0): 3.0, ("a", 1): 3.5, ("a", 2): 3.1, ("b", 0): 2.0, ("b", 1): 2.75, ("b", 2): 2.2}


@pytest.fixture
def losses():
    return [made(label, seed, value) for (label, seed), value in LOSSES.items()]


@pytest.fixture(scope="module")
def runs():
    """Four conditions with scores of 0 and 1: one before training, two of three seeds, one of two."""
    rng = np.random.default_rng(0)
    chances = {"none": 0.3, "train": 0.5, "dispersion": 0.6, "short": 0.4}
    seeds = {"none": [0], "train": [0, 1, 2], "dispersion": [0, 1, 2], "short": [0, 1]}
    return [
        made(label, seed, scores={task: rng.random(n) < chance for task, n in TASKS.items()})
        for label, chance in chances.items()
        for seed in seeds[label]
    ]


def accuracies(runs, label, task):
    """Per cent right, one number a seed, by a loop."""
    items = [run.evaluation.items for run in runs if run.label == label]
    return [100 * np.mean([row.score for row in table.itertuples() if row.task == task]) for table in items]


def averages(runs, label):
    return np.mean([accuracies(runs, label, task) for task in TASKS], axis=0)


# --- over seeds -----------------------------------------------------------------------------------------------------


def test_by_seed_has_a_row_a_label_and_a_column_a_seed(losses):
    table = tables.by_seed(losses, loss)
    assert (list(table.index), list(table.columns)) == (["none", "a", "b"], [0, 1, 2])
    for (label, seed), value in LOSSES.items():
        assert table.loc[label, seed] == value
    assert table.loc["none", [1, 2]].isna().all()


def test_summary_is_mean_and_spread_over_seeds(losses):
    table = tables.summary(losses, {"loss": loss, "twice": lambda run: 2 * loss(run)})
    assert list(table.index) == ["none", "a", "b"]
    values = np.array([3.0, 3.5, 3.1])
    assert table.loc["a", "loss"] == f"{values.mean():.2f} ± {values.std(ddof=1):.2f}" == "3.20 ± 0.26"
    assert table.loc["a", "twice"] == "6.40 ± 0.53"
    assert table.loc["none", "loss"] == "5.0000"


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([11.0923, 11.2379], "11.17 ± 0.10"),
        ([0.57713, 0.57991], "0.5785 ± 0.0020"),
        ([0.12345678, 0.12345679], "0.1235 ± 0.0000"),
        ([1200.0, 1260.0], "1230 ± 42"),
        ([11.25, 11.25], "11.25 ± 0"),
    ],
)
def test_summary_has_as_many_digits_as_the_spread_allows(values, text):
    found = [made("a", seed, value) for seed, value in enumerate(values)]
    assert tables.summary(found, {"loss": loss}).loc["a", "loss"] == text


def test_paired_is_scipys_paired_t_test(losses):
    found = tables.paired(losses, "b", "a", loss)
    b, a = ([LOSSES[label, seed] for seed in range(3)] for label in "ba")
    expected = scipy_stats.ttest_rel(b, a)
    assert found.value == pytest.approx(np.mean(np.subtract(b, a)))
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval == pytest.approx(tuple(expected.confidence_interval(0.95)))
    back = tables.paired(losses, "a", "b", loss)
    assert (back.value, back.p) == pytest.approx((-found.value, found.p))


def test_pairs_are_matched_by_seed_whatever_the_order(losses):
    back, found = (tables.paired(runs, "b", "a", loss) for runs in (losses[::-1], losses))
    assert (back.value, back.p, *back.interval) == pytest.approx((found.value, found.p, *found.interval))
    fewer = [run for run in losses if (run.label, run.seed) != ("a", 1)]
    assert tables.paired(fewer, "b", "a", loss).value == pytest.approx(np.mean([2.0 - 3.0, 2.2 - 3.1]))


def test_one_shared_seed_has_no_interval(losses):
    found = tables.paired(losses, "a", "none", loss)
    assert found.value == -2.0
    assert np.isnan([*found.interval, found.p]).all()


def test_no_shared_seed_is_an_error():
    with pytest.raises(ValueError, match="'a' and 'b' share no seed"):
        tables.paired([made("a", 0), made("b", 1)], "a", "b", loss)


@pytest.mark.parametrize(
    ("found", "digits", "text"),
    [
        (Estimate(-0.01316, Interval(-0.014, -0.01237), 0.01, 3), 4, "-0.0132 [-0.0140, -0.0124]"),
        (Estimate(0.5, Interval(-0.25, 1.25), 0.3, 3), 2, "+0.50 [-0.25, +1.25]"),
        (Estimate(0.5, Interval(np.nan, np.nan), np.nan, 1), 1, "+0.5"),
    ],
)
def test_text_has_signs_and_the_interval_where_there_is_one(found, digits, text):
    assert tables.text(found, digits) == text


# --- benchmarks -----------------------------------------------------------------------------------------------------


def test_accuracy_is_the_mean_over_seeds_in_per_cent(runs):
    table = tables.accuracy(runs)
    assert list(table.index) == ["none", "train", "dispersion", "short"]
    assert list(table.columns) == [*TASKS, "average"]
    for label in table.index:
        for task in TASKS:
            assert table.loc[label, task] == pytest.approx(np.mean(accuracies(runs, label, task)))
        assert table.loc[label, "average"] == pytest.approx(table.loc[label, list(TASKS)].mean())  # tasks count alike


def test_spread_is_the_standard_deviation_over_seeds(runs):
    table = tables.accuracy(runs, spread=True)
    for label in ("train", "dispersion", "short"):
        for task in TASKS:
            assert table.loc[label, task] == pytest.approx(np.std(accuracies(runs, label, task), ddof=1))
        assert table.loc[label, "average"] == pytest.approx(np.std(averages(runs, label), ddof=1))
    assert table.loc["none"].isna().all()


def test_rank_is_the_mean_place_over_the_tasks():
    table = pd.DataFrame(
        {"x": [50.0, 60.0, 60.0], "y": [10.0, 20.0, 30.0], "average": [99.0, 1.0, 2.0]}, index=["a", "b", "c"]
    )
    ranked = tables.with_rank(table)
    assert ranked["rank"].to_dict() == {"a": 3.0, "b": 1.75, "c": 1.25}
    assert list(ranked.columns) == ["x", "y", "average", "rank"]
    assert "rank" not in table


def test_scores_have_a_row_a_seed_in_the_order_of_the_items(runs):
    found = tables.scores(runs, "dispersion")
    assert [a.shape for a in found] == [(3, n) for n in TASKS.values()]
    mine = [run for run in runs if run.label == "dispersion"]
    for task, array in zip(TASKS, found, strict=True):
        for run, row in zip(mine, array, strict=True):
            items = run.evaluation.items
            np.testing.assert_array_equal(row, items.score[items.task == task])
    for array, other in zip(found, tables.scores(runs, "dispersion", "logprob"), strict=True):
        np.testing.assert_array_equal(other, array - 2)


def test_scores_of_no_run_are_an_error(runs):
    with pytest.raises(ValueError, match="No run is labelled 'dispersal'"):
        tables.scores(runs, "dispersal")


def test_paired_items_is_the_crossed_mean_of_the_differences(runs):
    found = tables.paired_items(runs, "dispersion", "train")
    pairs = zip(tables.scores(runs, "dispersion"), tables.scores(runs, "train"), strict=True)
    expected = stats.crossed_mean([100 * (ours - theirs) for ours, theirs in pairs])
    assert found[:4] == expected[:4]
    assert found.value == pytest.approx(averages(runs, "dispersion").mean() - averages(runs, "train").mean())
    nats = tables.paired_items(runs, "dispersion", "train", "logprob")  # the score - 2, and not in per cent
    assert nats.value == pytest.approx(found.value / 100)
    back = tables.paired_items(runs, "train", "dispersion")
    assert (back.value, *back.interval) == pytest.approx((-found.value, -found.interval.high, -found.interval.low))


def test_a_model_before_training_is_compared_with_each_seed(runs):
    found = tables.paired_items(runs, "train", "none")
    assert found.units == 3
    assert found.value == pytest.approx(averages(runs, "train").mean() - averages(runs, "none")[0])


def test_items_are_paired_by_seed_whatever_the_order(runs):
    found = tables.paired_items(runs, "dispersion", "short")
    same = [run for run in runs if run.seed < 2]
    assert found.units == 2
    assert found.value == pytest.approx(np.mean(averages(same, "dispersion") - averages(same, "short")))
    first, last = [run for run in runs if run.label == "short"], [run for run in runs if run.label != "short"]
    again = tables.paired_items([*last, *first[::-1]], "dispersion", "short")
    assert (again.value, *again.interval) == pytest.approx((found.value, *found.interval))


def test_items_of_no_shared_seed_are_an_error():
    seeds = {"a": (0, 1), "b": (2, 3)}
    apart = [made(label, seed, scores={"t": [0.0, 1.0]}) for label, two in seeds.items() for seed in two]
    with pytest.raises(ValueError, match="'a' and 'b' share no seed"):
        tables.paired_items(apart, "a", "b")


@pytest.mark.parametrize(("counts", "alike"), [((40, 40), 40), ((30, 60), 40)])  # the harmonic mean
def test_power_is_that_of_tasks_of_equal_size(counts, alike):
    run = made("a", 0, scores={f"task {i}": np.zeros(n) for i, n in enumerate(counts)})
    table = tables.power(run)
    assert list(table.index) == ["1%", "2%", "5%", "10%", "20%"]
    expected = [100 * stats.detectable_accuracy(alike, 2, share) for share in (0.01, 0.02, 0.05, 0.1, 0.2)]
    np.testing.assert_allclose(table.iloc[:, 0], expected)
    assert np.isnan(expected[0])  # one item in a hundred is not enough to find anything


def test_against_gives_difference_and_its_interval_over_seeds_and_items(runs):
    table = tables.against(runs, "dispersion", ["train", "none"])
    assert list(table.index) == ["train", "none"]
    assert list(table.columns) == ["difference", "low", "high", "p", "p, Holm", "flips"]
    for other, row in table.iterrows():
        found = tables.paired_items(runs, "dispersion", other)
        assert (row["difference"], row["low"], row["high"]) == pytest.approx((found.value, *found.interval))
        assert row["low"] < row["difference"] < row["high"]


def test_against_tests_over_seeds_as_scipy_does(runs):
    table = tables.against(runs, "dispersion", ["train", "short", "none"])
    ours = averages(runs, "dispersion")
    expected = [scipy_stats.ttest_ind(ours, averages(runs, other)).pvalue for other in ("train", "short")]
    expected.append(scipy_stats.ttest_1samp(ours, averages(runs, "none")[0]).pvalue)
    assert table["p"].tolist() == pytest.approx(expected)
    worst, holm = 0.0, {}  # Holm's rule, step by step
    for i, p in enumerate(sorted(expected)):
        worst = max(worst, min(1, (3 - i) * p))
        holm[p] = worst
    assert table["p, Holm"].tolist() == pytest.approx([holm[p] for p in expected])


def test_against_counts_flips(runs):
    table = tables.against(runs, "dispersion", ["short"])
    shares = []
    for a, b in zip(tables.scores(runs, "dispersion"), tables.scores(runs, "short"), strict=True):
        pairs = [np.mean(x != y) for x in a for y in b]
        assert len(pairs) == 6
        shares.append(np.mean(pairs))
    assert table.loc["short", "flips"] == pytest.approx(np.mean(shares))


def test_against_itself_is_nothing(runs):
    """One seed, the same items: no difference, no flip, no interval, no test."""
    table = tables.against(runs, "none", ["none"])
    assert table.loc["none", ["difference", "flips"]].tolist() == [0, 0]
    assert table.loc["none", ["low", "high", "p", "p, Holm"]].isna().all()


@pytest.mark.parametrize(("ours", "theirs"), [([50.0], [49.0]), ([50.0, 50.0], [40.0, 40.0]), ([50.0, 50.0], [40.0])])
def test_no_spread_leaves_nothing_to_test(ours, theirs):
    assert np.isnan(tables._student(ours, theirs))


def test_one_test_that_cannot_be_made_takes_holm_from_all(runs):
    table = tables.against([*runs, *constant("flat")], "flat", ["train", "flat"])
    assert table["p"].isna().tolist() == [False, True]
    assert table["p, Holm"].isna().all()


def constant(label):
    scores = {task: np.arange(n) % 2 for task, n in TASKS.items()}
    return [made(label, seed, scores=scores) for seed in (0, 1)]


def test_flip_share_of_closed_cases():
    a, b = np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0, 1.0]])
    assert tables.flip_share(a, a) == 0
    assert tables.flip_share(a, 1 - a) == 1
    assert tables.flip_share(a, b) == 0.5
    assert tables.flip_share(np.concatenate([a, b]), a) == 0.25


# --- labels, and profiles of the mean cosine --------------------------------------------------------------------------


def test_first_run_of_each_label(losses):
    found = tables.first(losses)
    assert list(found) == ["none", "a", "b"]
    assert {run.seed for run in found.values()} == {0}


def test_mean_cosines_against_those_of_the_baseline():
    rows = {"train": [[0.1, 0.2], [0.3, 0.2]], "a": [[0.5, 0.0]]}
    runs = by_seed(rows, lambda last: {"mu": np.array([[9.0, 9.0], last])})
    table = tables.mu_against(runs, "train")
    assert list(table) == ["a"]
    np.testing.assert_allclose(table["a"], [0.3, -0.2])
