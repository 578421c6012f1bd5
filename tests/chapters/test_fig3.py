"""The width of the MLP: tables and claims on runs made up here; figures show what they were given."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from looked_at import looked_at
from made_condensations import made as condensed
from made_runs import made

from decondense import paper
from decondense.chapters import fig3
from decondense.paper.claims import EXPERIMENT, OWN
from decondense.paper.verdicts import CANNOT_TELL, CONTRADICTED, NOT_TESTABLE, REPRODUCED, SMALLER
from decondense.plots import BLUE, RED
from decondense.records import beside_record
from decondense.runs import readings


@pytest.fixture(autouse=True)
def nothing_stays_open():
    yield
    assert plt.get_fignums() == []


@pytest.fixture
def runs():
    ends = {"8": (0.9, 0.8), "32": (0.3, -0.5)}
    return [
        made(label, seed, [8.0, 6.0, 5.0], rho=[1.0, 0.95, rho])
        for label, of in ends.items()
        for seed, rho in enumerate(of)
    ]


# --- tables ---------------------------------------------------------------------------------------------------------


def test_rates_keep_rate_times_steps_of_the_paper():
    table = fig3.rates([5e-5, 1e-3], 400, 409_600)
    assert table.index.tolist() == ["paper", "here, rate 1", "here, rate 2"]
    assert table.loc["paper", "learning rate"] == 1e-5
    assert table.loc["paper", "tokens"] == 1e9
    assert table["rate × steps"].tolist() == pytest.approx([0.0191, 0.02, 0.4], abs=1e-4)


@pytest.fixture
def sweep():
    """Two widths, two learning rates, two seeds."""
    ends = {("8", 1e-3): (5.0, 5.2), ("8", 1e-2): (4.0, 4.4), ("32", 1e-3): (4.5, 4.7), ("32", 1e-2): (3.0, 3.2)}
    return [made(w, s, [8.0, 6.0, end], rate) for (w, rate), of in ends.items() for s, end in enumerate(of)]


def test_losses_are_means_over_the_seeds_by_width_and_rate(sweep):
    table = fig3.losses(sweep)
    assert table.index.tolist() == ["8", "32"]
    assert table.columns.tolist() == [1e-3, 1e-2, "before training"]
    np.testing.assert_allclose(table, [[5.1, 4.2, 8.0], [4.6, 3.1, 8.0]])


def test_by_rate_has_a_column_a_quantity_and_rate(sweep):
    for run in sweep:
        run.path.loc[2, "rho"] = run.validation_loss / 10
    table = fig3.by_rate(sweep, ["rho", "late_half"])
    assert table.loc["8", ("rho", 1e-2)] == pytest.approx(0.42)
    assert table.loc["32", ("late_half", 1e-3)] == pytest.approx(0.4)


def test_means_stand_one_below_the_other(runs):
    table = fig3.means({"start": readings.at_checkpoint(runs, 0), "end": readings.at_checkpoint(runs)})
    assert table.rho.tolist() == pytest.approx([1.0, 1.0, 0.85, -0.1])
    assert table.index.tolist() == [("start", "8"), ("start", "32"), ("end", "8"), ("end", "32")]


def test_at_one_rate_reads_each_rate_at_a_loss_of_its_own(sweep):
    tables = fig3.at_one_rate(sweep)
    assert list(tables) == ["0.001, end", "0.001, same loss", "0.01, end", "0.01, same loss"]
    assert tables["0.001, same loss"].validation_loss.tolist() == pytest.approx([5.2] * 4)
    assert tables["0.01, same loss"].validation_loss.tolist() == pytest.approx([4.4] * 4)
    assert tables["0.01, end"].validation_loss.tolist() == [4.0, 4.4, 3.0, 3.2]


def test_compared_are_the_ends_of_two_rates_and_the_second_at_equal_loss(sweep):
    tables = fig3.compared(sweep, [1e-3, 1e-2])
    assert tuple(tables) == fig3.COMPARED
    assert tables["paper-like rate"].validation_loss.tolist() == [5.0, 5.2, 4.5, 4.7]
    assert tables["higher rate"].validation_loss.tolist() == [4.0, 4.4, 3.0, 3.2]
    assert tables["same loss"].validation_loss.tolist() == pytest.approx([4.4] * 4)


def test_rates_are_compared_on_the_seeds_that_all_have(sweep):
    more = made("8", 2, [8.0, 6.0, 4.2], 1e-2)
    assert fig3.with_shared_seeds([*sweep, more]) == sweep


def test_mean_mu_is_that_after_the_last_step(runs):
    for number, run in enumerate(runs):
        vars(run)["looks"] = [condensed([[0.9, 0.9]]), condensed([[0.1, 0.1 * number]])]
    table = fig3.mean_mu(runs)
    assert table["8"].tolist() == pytest.approx([0.1, 0.05])
    assert table["32"].tolist() == pytest.approx([0.1, 0.25])


def test_published_readings_are_those_of_the_figure():
    table = fig3.published()
    assert table.label.tolist() == ["64", "256", "1024", "4096"]
    assert table.rho.tolist() == paper.trend("Fig3", "spearman", fig3.FAMILY).value.tolist()
    assert table.tau.tolist() == pytest.approx([0.92, 0.82, 0.54, 0.39], abs=0.005)
    mu = fig3.published_mu()
    assert mu["64"].tolist() == paper.mean_cosines("Fig3a", "MLP64").cosine_mean.tolist()
    assert table.late_half[0] == pytest.approx(mu["64"][-(len(mu) // 2) :].mean())


# --- claims ---------------------------------------------------------------------------------------------------------

CHECK = beside_record([("loss", 1.0, 1.0, 0.1)])


def ending(ends):
    """Readings after the last step of runs that end with these rho, one list of seeds a width."""
    return readings.at_checkpoint(
        [made(w, s, [8.0, 5.0], rho=[1.0, r]) for w, of in ends.items() for s, r in enumerate(of)]
    )


FALLING = {"64": [0.9, 0.85, 0.8], "256": [0.75, 0.7, 0.65], "1024": [0.2, 0.16, 0.09]}


def test_the_smallest_effects_are_the_published_ones():
    there = fig3.published()
    assert fig3.published_effect("rho") == pytest.approx(-0.54, abs=0.01)
    assert fig3.published_effect("late_half") == pytest.approx(there.late_half[3] - there.late_half[0])
    assert fig3.published_effect("late_half") == pytest.approx(-0.137, abs=0.001)


def test_claims_are_of_the_widest_minus_the_narrowest_at_two_rates_and_at_equal_loss():
    falling = ending(FALLING)
    found = fig3.claims(dict.fromkeys(fig3.COMPARED, falling), CHECK)
    rho, tau, late, second = found[:4]
    assert rho.claim == "rate 0.001, like the paper's: the wider the MLP, the lower Spearman ρ (widest - narrowest)"
    assert rho.here.startswith("0.850 ± 0.050 → 0.700 ± 0.050 → 0.150 ± 0.056; widest - narrowest -0.700 [-0.7")
    assert rho.rule.startswith("0 of 2 steps rise beyond their interval; smallest effect that counts -0.539: the publ")
    assert [claim.source for claim in found] == ["Fig. 3b", "Fig. 3b", "Fig. 3a"] * 2 + ["this book"] * 4
    assert [claim.as_dict()["kind"] for claim in found] == [EXPERIMENT] * 6 + [OWN] * 4
    assert [bool(claim.repeats) for claim in found] == [False, True, False] * 3 + [False]
    assert "0.97 → 0.91 → 0.69 → 0.43" in rho.published
    assert "0.92 → 0.82 → 0.54 → 0.39" in tau.published
    assert late.published == "0.46 → 0.41 → 0.36 → 0.32 (means of the heat maps)"
    assert second.claim.startswith("rate 0.001: the wider")
    assert found[6].claim.startswith("rate 0.001, at the same loss: the wider")
    assert [claim.verdict.word for claim in found] == [REPRODUCED] * 10


@pytest.mark.parametrize(
    ("ends", "rises", "word"),
    [
        ({"64": [0.9, 0.85, 0.8], "128": [1.0, 0.97, 0.9]} | {"1024": FALLING["1024"]}, 1, REPRODUCED),
        ({"64": [0.9, 0.85, 0.8], "1024": [0.8, 0.76, 0.7]}, 0, SMALLER),
        ({"64": [0.9, 0.85, 0.8], "1024": [0.9, 0.87, 0.81]}, 0, CONTRADICTED),
        (dict(reversed(FALLING.items())), 2, CONTRADICTED),
        ({"64": [0.9, 0.1, 0.5], "1024": [0.1, 0.9, 0.3]}, 0, CANNOT_TELL),
    ],
)
def test_each_table_is_judged_on_its_own_interval(ends, rises, word):
    tables = {name: ending(FALLING) for name in fig3.COMPARED} | {"same loss": ending(ends)}
    found = fig3.claims(tables, CHECK)
    assert [claim.verdict.word for claim in found[:6]] == [REPRODUCED] * 6
    assert found[6].verdict.word == word
    assert found[6].rule.startswith(f"{rises} of {len(ends) - 1} steps rise")


def test_one_seed_gives_no_verdict():
    one = ending({width: of[:1] for width, of in FALLING.items()})
    with pytest.raises(ValueError, match="1 seeds give none"):
        fig3.claims(dict.fromkeys(fig3.COMPARED, one), CHECK)


def test_runs_whose_mu_does_not_vary_give_no_verdict_on_its_trend():
    flat = ending({"64": [np.nan, np.nan], "1024": [0.2, 0.1]})
    rho = fig3.claims(dict.fromkeys(fig3.COMPARED, flat), CHECK)[0]
    assert rho.verdict == (NOT_TESTABLE, "2 runs have no Spearman ρ, and too few have one")
    two = ending({"64": [np.nan, 0.9, 0.8], "1024": [0.2, 0.1, 0.05]})
    assert fig3.claims(dict.fromkeys(fig3.COMPARED, two), CHECK)[0].verdict.word == CANNOT_TELL


# --- figures --------------------------------------------------------------------------------------------------------


def test_trends_have_two_panels_a_table_with_a_dot_a_seed(runs):
    low = readings.at_checkpoint(runs).assign(rho=-0.9)
    tables = {"end": readings.at_checkpoint(runs), "low": low}
    figure = fig3.trends(tables)
    looked_at(figure)
    above, other, below, _ = figure.axes
    assert [above.get_title(), other.get_title()] == ["end", "low"]
    lines = {line.get_label(): line for line in above.lines if line.get_label() in readings.SYMBOLS.values()}
    assert {name: line.get_color() for name, line in lines.items()} == {"Spearman ρ": BLUE, "Kendall τ": RED}
    np.testing.assert_allclose(lines["Spearman ρ"].get_ydata(), [0.85, -0.1])
    seeds = [line for line in above.lines if line.get_marker() == "o" and line.get_color() == BLUE]
    np.testing.assert_allclose([line.get_ydata() for line in seeds], [[0.9, 0.3], [0.8, -0.5]])
    np.testing.assert_allclose(below.lines[-1].get_ydata(), [0.425, -0.05])
    assert [label.get_text() for label in above.get_xticklabels()] == ["8", "32"]
    assert above.get_ylim()[0] == other.get_ylim()[0] < -0.9  # nothing is cut off
    assert above.get_ylim()[1] > 1


def test_profiles_have_a_panel_a_table_and_a_line_a_column():
    tables = {"published": pd.DataFrame({"64": [0.0, 0.4, 0.5]}), "here": pd.DataFrame({"8": [0.1, 0.2], "32": [0, 1]})}
    figure = fig3.profiles(tables)
    looked_at(figure)
    assert [axis.get_title() for axis in figure.axes] == ["published", "here"]
    assert [len(axis.lines) for axis in figure.axes] == [1, 2]
    np.testing.assert_allclose(figure.axes[0].lines[0].get_ydata(), [0.0, 0.4, 0.5])
    assert [[text.get_text() for text in axis.texts] for axis in figure.axes] == [["64"], ["8", "32"]]


def test_paths_run_over_the_loss_with_one_name_a_label(runs):
    figure = fig3.paths(runs, 5.5)
    looked_at(figure)
    left, right = figure.axes
    *lines, dashed = left.lines
    np.testing.assert_allclose(lines[3].get_ydata(), [1.0, 0.95, -0.5])
    assert lines[0].get_xdata().tolist() == [8.0, 6.0, 5.0]
    assert lines[0].get_color() == lines[1].get_color() != lines[2].get_color()
    assert set(dashed.get_xdata()) == {5.5}
    assert left.get_xlim()[0] > left.get_xlim()[1]  # training goes to the right
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["8", "32"]
    np.testing.assert_allclose(right.lines[0].get_ydata(), [0.5, 0.475, 0.45])
