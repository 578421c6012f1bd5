"""Runs compared at their best rate and at the same loss: by hand, against numpy's interpolation, by properties."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import made

from decondense.runs import readings as run_paths
from decondense.stats import mean_and_interval

NAN = float("nan")
COLUMNS = ["label", "seed", "learning_rate", "step", "tokens", "validation_loss", "rho", "tau", "late_half"]


# --- the best learning rate -----------------------------------------------------------------------------------------


@pytest.fixture
def sweep():
    """Two labels, two rates, two seeds: the first is best at the high rate, the second at the low one by the mean."""
    ends = {
        ("a", 1e-4): (5.0, 5.2), ("a", 1e-3): (4.0, 4.4),
        ("b", 1e-4): (3.0, 3.2), ("b", 1e-3): (2.5, 4.5),  # the lowest single loss, not the lowest mean
    }  # fmt: skip
    return [made(label, seed, [8.0, loss], rate) for (label, rate), of in ends.items() for seed, loss in enumerate(of)]


def test_tuned_takes_the_lowest_mean(sweep):
    found = [(run.label, run_paths.learning_rate(run), run.seed) for run in run_paths.tuned(sweep)]
    assert found == [("a", 1e-3, 0), ("a", 1e-3, 1), ("b", 1e-4, 0), ("b", 1e-4, 1)]


def test_tuned_passes_over_a_rate_that_diverged(sweep):
    sweep += [made("a", 0, [8.0, 1.0], 1e-2), made("a", 1, [8.0, NAN], 1e-2)]
    assert {run_paths.learning_rate(run) for run in run_paths.tuned(sweep) if run.label == "a"} == {1e-3}


def test_tuned_refuses_a_label_that_always_diverged(sweep):
    with pytest.raises(ValueError, match=r"No learning rate of 'c' gave a finite validation loss\. Add a lower one\."):
        run_paths.tuned([*sweep, made("c", 0, [8.0, NAN])])


# --- the same loss --------------------------------------------------------------------------------------------------


def test_at_loss_between_two_checkpoints_by_hand():
    row = run_paths.at_loss([made("a", 4, [8.0, 6.0, 5.0], rate=0.5)], 5.25).iloc[0]
    assert list(row.index) == COLUMNS
    assert (row.label, row.seed, row.learning_rate) == ("a", 4, 0.5)
    assert row.step == pytest.approx(17.5)  # three quarters of the way from step 10 to 20
    assert (row.rho, row.tau, row.late_half) == pytest.approx((0.825, 0.775, 0.4125))
    assert row.validation_loss == pytest.approx(5.25)


@given(
    losses=st.lists(st.integers(1, 90), min_size=2, max_size=8, unique=True).map(lambda x: sorted(x, reverse=True)),
    share=st.floats(0, 1),
)
def test_at_loss_is_linear_interpolation_where_the_loss_only_falls(losses, share):
    loss = max(losses[0] + share * (losses[-1] - losses[0]), losses[-1])
    row = run_paths.at_loss([made("a", 0, losses)], loss).iloc[0]
    path = made("a", 0, losses).path
    for name in ("rho", "tau", "late_half", "step", "validation_loss"):
        expected = np.interp(loss, losses[::-1], path[name].to_numpy()[::-1])
        assert row[name] == pytest.approx(expected, abs=1e-6)


def test_at_loss_is_the_first_time_and_passes_over_what_was_not_measured():
    run = made("a", 0, [8.0, 5.0, NAN, 6.0, 4.0])
    assert run_paths.at_loss([run], 5.5).step[0] == pytest.approx(10 * (8 - 5.5) / 3)
    assert run_paths.at_loss([run], 4.5).step[0] == pytest.approx(37.5)  # between steps 30 and 40
    assert run_paths.at_loss([made("a", 0, [8.0, NAN, 6.0])], 7.0).step[0] == pytest.approx(10)


def test_at_loss_of_a_checkpoint_without_rho():
    run = made("a", 0, [8.0, 6.0, 5.0], rho=[1.0, NAN, 0.4])
    between, there, after = (run_paths.at_loss([run], loss).iloc[0] for loss in (5.5, 6.0, 5.0))
    assert (between.step, there.step, after.step) == pytest.approx((15, 10, 20))
    assert np.isnan([between.rho, there.rho]).all()
    assert after.rho == pytest.approx(0.4)


def test_a_run_that_starts_below_is_read_at_its_start():
    rows = run_paths.at_loss([made("a", 0, [8.0, 5.0]), made("b", 0, [6.0, 5.0])], 7.0)
    assert rows.step.tolist() == pytest.approx([10 / 3, 0])
    assert rows.rho[1] == 1


def test_a_loss_that_is_never_reached_names_the_run_and_the_cure():
    with pytest.raises(ValueError, match=r"'b', seed 2, never reaches .* 3\.000: its lowest is 4\.000.*common_loss"):
        run_paths.at_loss([made("a", 2, [8.0, 2.0]), made("b", 2, [8.0, 4.0])], 3.0)


@given(st.lists(st.lists(st.floats(1, 9), min_size=1, max_size=5), min_size=1, max_size=4))
def test_common_loss_is_the_lowest_that_all_reach(losses):
    runs = [made(str(i), 0, path) for i, path in enumerate(losses)]
    common = run_paths.common_loss(runs)
    assert common == max(min(path) for path in losses)
    assert len(run_paths.at_loss(runs, common)) == len(runs)
    if common > 1:
        with pytest.raises(ValueError, match="never reaches"):
            run_paths.at_loss(runs, common - 0.5)


# --- readings and their differences ---------------------------------------------------------------------------------


@pytest.fixture
def runs():
    """Three labels, not in the order of the alphabet, and three seeds; rho at the end."""
    ends = {"8": (0.9, 0.8, 0.85), "32": (0.7, 0.75, 0.65), "128": (0.2, 0.3, 0.1)}
    return [made(label, seed, [8.0, 5.0], rho=[1.0, rho]) for label, of in ends.items() for seed, rho in enumerate(of)]


def test_at_checkpoint_is_the_row_of_the_path(runs):
    last, first = run_paths.at_checkpoint(runs), run_paths.at_checkpoint(runs, 0)
    assert list(last.columns) == COLUMNS
    assert last.rho.tolist() == [run.path.rho[1] for run in runs]
    assert set(first.rho) == {1.0}
    assert list(zip(last.label, last.seed, strict=True)) == [(run.label, run.seed) for run in runs]


def test_by_seed_keeps_the_order_of_the_labels(runs):
    table = run_paths.by_seed(run_paths.at_checkpoint(runs), "rho")
    assert list(table.index) == ["8", "32", "128"]
    assert table.loc["32"].tolist() == [0.7, 0.75, 0.65]


def test_differences_are_taken_seed_by_seed(runs):
    end, steps = run_paths.differences(run_paths.at_checkpoint(runs), "rho")
    expected = mean_and_interval([-0.7, -0.5, -0.75])
    assert (end.value, *end.interval, end.p) == pytest.approx((expected.value, *expected.interval, expected.p))
    assert [step.value for step in steps] == pytest.approx([-0.15, -0.5])
    assert steps[1].interval == pytest.approx(mean_and_interval([-0.5, -0.45, -0.55]).interval)


def test_seeds_that_only_one_label_has_are_left_out(runs):
    end, _ = run_paths.differences(run_paths.at_checkpoint([*runs, made("8", 9, [8.0, 5.0])]), "rho")
    assert end.value == pytest.approx(-0.65)


def test_differences_need_two_labels_and_a_shared_seed(runs):
    with pytest.raises(ValueError, match=r"needs two labels, got \['8'\]"):
        run_paths.differences(run_paths.at_checkpoint(runs[:3]), "rho")
    with pytest.raises(ValueError, match="'32' and '8' share no seed"):
        run_paths.differences(run_paths.at_checkpoint([runs[0], runs[4]]), "rho")


def test_a_seed_without_a_value_takes_no_part_and_none_of_all_is_nan():
    some = [made("8", 0, [8.0], rho=[0.9]), made("8", 1, [8.0], rho=[NAN])]
    some += [made("32", 0, [8.0], rho=[0.4]), made("32", 1, [8.0], rho=[0.1])]
    end, _ = run_paths.differences(run_paths.at_checkpoint(some), "rho")
    assert (end.value, end.units) == (pytest.approx(-0.5), 1)
    end, steps = run_paths.differences(run_paths.at_checkpoint([some[1], some[3]]), "rho")
    assert (end.units, len(steps)) == (0, 1)
    assert np.isnan([end.value, *end.interval, end.p]).all()


def test_seed_by_seed_shows_each_seed_and_the_interval(runs):
    found = run_paths.seed_by_seed({"end": run_paths.at_checkpoint(runs)})
    assert list(found.index) == [("end", symbol) for symbol in ("Spearman ρ", "Kendall τ", "late-half μ")]
    assert list(found.columns) == ["seed 0", "seed 1", "seed 2", "mean", "low", "high"]
    row = found.loc[("end", "Spearman ρ")]
    assert row[:4].tolist() == pytest.approx([-0.7, -0.5, -0.75, -0.65])
    assert (row.low, row.high) == pytest.approx(mean_and_interval([-0.7, -0.5, -0.75]).interval)
    assert found.loc[("end", "late-half μ"), "mean"] == pytest.approx(-0.325)


def test_seed_by_seed_has_the_seeds_first_also_where_a_later_table_has_more(runs):
    readings = run_paths.at_checkpoint(runs)
    found = run_paths.seed_by_seed({"one": readings[readings.seed == 0], "all": readings})
    assert list(found.columns) == ["seed 0", "seed 1", "seed 2", "mean", "low", "high"]
    assert np.isnan(found.loc[("one", "Spearman ρ"), "seed 2"])


def test_chain_has_means_and_spreads_in_order(runs):
    readings = run_paths.at_checkpoint(runs)
    assert run_paths.chain(readings, "rho") == "0.850 ± 0.050 → 0.700 ± 0.050 → 0.200 ± 0.100"
    assert run_paths.chain(readings[readings.seed == 0], "rho") == "0.900 → 0.700 → 0.200"


def test_published_values_are_readings_too():
    readings = pd.DataFrame({"label": ["64", "256"], "seed": 0, "rho": [0.9, 0.8]})
    assert run_paths.chain(readings, "rho") == "0.900 → 0.800"
