"""Checkpoints of runs as tables, claims and a figure, on runs made up here."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from made_condensations import made
from made_runs import made as made_run

from decondense import paper
from decondense.chapters.fig4 import course
from decondense.paper.verdicts import NOT_REPRODUCED, NOT_TESTABLE, PARTLY, REPRODUCED
from decondense.stats import Interval

STEPS = np.array([0, 1, 10, 100])


def run(label, seed, rho, tau=None, reach=0.0):
    """A run with these values at four checkpoints; the intervals at the start reach so far above them."""
    rho = np.asarray(rho, dtype=float)
    found = made_run(label, seed, list(9.0 - STEPS / 50), rho=rho)
    path = found.path.assign(step=STEPS, tokens=512 * STEPS, tau=rho * 0.8 if tau is None else tau)
    vars(found)["path"] = path.assign(late_half=0.5 - STEPS / 1000 + seed / 100)
    vars(found)["looks"] = [look(path.rho[0] + reach, path.tau[0] + reach)]
    return found


def look(rho, tau):
    """A measurement of which only the upper ends of the intervals are known."""
    found = made([[0.1, 0.2]] * 2)
    vars(found).update(rho_interval=Interval(-1, rho), tau_interval=Interval(-1, tau))
    return found


@pytest.fixture
def runs():
    falls = [0.9, 0.6, 0.1, -0.4]
    return [run(label, seed, np.array(falls) + seed / 50) for label in ("small", "large") for seed in (0, 1, 2)]


def test_labels_are_in_order(runs):
    assert course.labels(runs) == ["small", "large"]
    assert course.labels([]) == []


def test_band_is_mean_and_extremes(runs):
    table = course.band(runs, "small", "rho")
    assert table.tokens.tolist() == [0, 512, 5120, 51200]
    np.testing.assert_allclose(table["mean"], [0.92, 0.62, 0.12, -0.38])
    np.testing.assert_allclose(table.low, [0.9, 0.6, 0.1, -0.4])
    np.testing.assert_allclose(table.high, [0.94, 0.64, 0.14, -0.36])


def test_runs_with_other_checkpoints_are_refused(runs):
    runs[1].path["tokens"] *= 2
    with pytest.raises(ValueError, match="'small' have different checkpoints"):
        course.band(runs, "small", "rho")


def test_ends(runs):
    table = course.ends(runs)
    np.testing.assert_allclose(table.loc["small", "ρ"].tolist()[:3], [0.92, -0.38, -0.38])
    np.testing.assert_allclose(table.loc["large", "loss"].tolist()[:3], [9, 7, 7])
    assert table["start at 1"].tolist() == ["0 of 3", "0 of 3", "", ""] * 2
    assert course.ends([]).empty


def test_ends_counts_the_runs_whose_start_cannot_be_told_from_1():
    runs = [run("x", 0, [1.0, 0.5, 0.2, 0.1]), run("x", 1, [0.95, 0.5, 0.2, 0.1], reach=0.05)]
    table = course.ends([*runs, run("x", 2, [0.94, 0.5, 0.2, 0.1], reach=0.05)])
    assert table["start at 1"].tolist() == ["2 of 3", "0 of 3", "", ""]


def words(runs):
    """Of rho and tau; the level has a test of its own."""
    return [claim.verdict.word for claim in course.claims(runs)[:-1]]


def test_claims_on_runs_as_the_paper_has_them(runs):
    assert words(runs) == [REPRODUCED] * 6
    claims = course.claims(runs)
    points = paper.training_run()
    assert claims[2].published == f"{points.spearman.iloc[-1]:.2f} at the end"
    assert claims[2].here.startswith("small -0.38 [")
    assert [c.claim.split()[2] for c in claims] == ["ρ"] * 3 + ["τ"] * 3 + ["μ"]


def test_claims_on_runs_that_stay_positive():
    runs = [run("x", s, [0.9, 1.0, 0.8, 0.5 + s / 50], tau=[0.9, 0.8, 0.8, 0.5 + s / 50]) for s in (0, 1, 2)]
    assert words(runs) == [NOT_REPRODUCED, REPRODUCED, NOT_REPRODUCED, REPRODUCED, REPRODUCED, NOT_REPRODUCED]


def test_claims_on_runs_of_which_half_start_highest():
    runs = [run("x", s, [0.9, later, 0.2, 0.1]) for s, later in ((0, 0.8), (1, 0.95))]
    assert words(runs)[0] == PARTLY


def test_runs_that_start_at_1_are_no_evidence_that_the_start_is_highest():
    full = [run("x", s, [1.0, 1.0, 0.2, 0.1]) for s in (0, 1)]
    assert words(full)[0] == NOT_TESTABLE
    claim = course.claims([*full, run("x", 2, [0.9, 1.0, 0.2, 0.1])])[0]
    assert claim.verdict.word == NOT_REPRODUCED
    assert claim.verdict.why == "highest in 0 of 1 runs; 2 more start at 1 and cannot tell"


def test_a_look_before_anything_has_changed_is_not_a_later_one(runs):
    for one in runs:
        one.path.loc[1] = one.path.loc[0]
    assert "later at most 0.600, 0.620" not in course.claims(runs)[0].here
    assert "later at most 0.100, 0.120" in course.claims(runs)[0].here


def test_the_level_may_rise_where_the_correlation_falls(runs):
    assert course.claims(runs)[-1].claim == "pocket: late-half μ is highest at initialisation"
    for one in runs:
        one.path["late_half"] = [0.1, 0.9, 0.5, 0.2]
    claim = course.claims(runs)[-1]
    assert claim.verdict.word == NOT_REPRODUCED
    assert claim.here.startswith("0.100, ")
    for one in runs:
        one.path["late_half"] = [0.9, 0.5, 0.2, 0.1]
    assert course.claims(runs)[-1].verdict.word == REPRODUCED
    assert course.claims([])[-1].verdict.word == NOT_TESTABLE


def test_one_run_has_no_interval(runs):
    assert words(runs[:1]) == [REPRODUCED, NOT_TESTABLE, NOT_TESTABLE] * 2


def test_without_runs_nothing_is_testable():
    assert words([]) == [NOT_TESTABLE] * 6


# --- the checkpoints of the paper -----------------------------------------------------------------------------------


RISES = made([np.linspace(0.1, 0.5, 33)] * 4, "step")
FALLS = made([np.linspace(0.5, 0.1, 33)] * 4, "step")


def test_every_published_checkpoint_has_a_revision():
    assert list(course.REVISIONS) == paper.training_run().checkpoint.tolist()
    assert len(set(course.REVISIONS.values())) == 13


def test_olmo_claims_without_the_hub_are_not_testable():
    claims = course.checkpoint_claims([])
    assert [c.verdict.word for c in claims] == [NOT_TESTABLE] * 4
    assert {c.verdict.why for c in claims} == {"the checkpoints are on the hub only: `--profile paper` measures them"}


def test_olmo_claims_on_a_run_that_stays_condensed():
    claims = course.checkpoint_claims([RISES] * 13)
    assert [c.verdict.word for c in claims] == [NOT_REPRODUCED] * 4


def test_olmo_claims_on_a_run_that_turns():
    claims = course.checkpoint_claims([RISES] * 12 + [FALLS])
    assert [c.verdict.word for c in claims] == [NOT_REPRODUCED, REPRODUCED] * 2
    assert claims[1].here == "-1.00 [-1.00, -1.00]"


def test_part_of_the_checkpoints_is_not_the_run():
    assert [c.verdict.word for c in course.checkpoint_claims([RISES] * 12)] == [NOT_TESTABLE] * 4


# --- figure ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def closed():
    yield
    assert plt.get_fignums() == []


def legend(axis):
    return [text.get_text() for text in axis.get_legend().get_texts()]


def line(axis, label):
    (found,) = [found for found in axis.lines if found.get_label() == label]
    return found


def test_paths_have_the_published_points_a_panel_a_label_and_the_late_half(closed):
    runs = [run(label, s, [1.0, 0.6, 0.1, -0.4 + s / 10]) for label in ("small", "large") for s in (0, 1)]
    points = paper.training_run()
    figure = course.paths(runs, [RISES, FALLS])
    figure.canvas.draw()
    published, small, large, late = figure.axes
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["Olmo-3-7B, published", "small", "large", "late half of the layers"]
    np.testing.assert_allclose(line(published, "ρ").get_ydata(), points.spearman)
    np.testing.assert_allclose(line(published, "τ, untrained here").get_ydata(), [1, -1])
    assert [tick.get_text() for tick in published.get_xticklabels()] == points.checkpoint.tolist()
    np.testing.assert_allclose(line(small, "ρ").get_ydata(), [0.6, 0.1, -0.35])
    assert line(small, "ρ").get_xdata().tolist() == [512, 5120, 51200]
    assert legend(large) == ["ρ", "τ"]
    assert legend(late) == ["small", "large"]
    np.testing.assert_allclose(line(late, "small").get_ydata(), 0.505 - np.array([1, 10, 100]) / 1000)


def test_initialisation_stands_apart_at_the_left_with_its_spread(closed):
    runs = [run("x", s, [first, 0.6, 0.1, 0.0]) for s, first in enumerate((0.9, 0.8, 1.0))]
    axis = course.paths(runs).axes[1]
    (start,) = [found for found in axis.lines if found.get_marker() == "D" and found.get_ydata()[0] > 0.85]
    assert start.get_xdata()[0] < 512
    assert axis.get_xscale() == "log"
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["start", "$10^3$", "$10^4$"]
    np.testing.assert_allclose(axis.collections[0].get_segments()[0][:, 1], [0.8, 1.0])  # lowest to highest


def test_without_runs_the_published_points_stand_alone(closed):
    figure = course.paths([])
    figure.canvas.draw()
    assert [axis.get_title() for axis in figure.axes] == ["Olmo-3-7B, published"]
    assert legend(figure.axes[0]) == ["ρ", "τ"]
