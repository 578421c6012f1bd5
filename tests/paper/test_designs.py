"""Each design sees what it asks for, and its numbers are those of the pilot's committed records and of the paper."""

from functools import cache, partial

import numpy as np
import pytest

from decondense import metrics, paper, records
from decondense.chapters.capacity import readings
from decondense.chapters.posttraining import readings as posttraining
from decondense.chapters.quantisation import readings as rounding
from decondense.chapters.resist import readings as resist
from decondense.paper import designs
from decondense.paper.trends import published_fall
from decondense.runs.run import Run
from decondense.stats import detectable_with

NAMES = [
    "fig3",
    "family",
    "fig5",
    "table5",
    "midtraining",
    "cone",
    "family_gpu",
    "pretraining_gpu",
    "released",
    "anticollapse",
    "anticollapse_midtraining",
    "anticollapse_gpu",
    "midtraining_gpu",
    "capacity",
    "capacity_lives",
    "capacity_rounded",
    "resist",
    "resist_dispersion",
    "resist_experts",
    "posttraining",
    "quantisation",
]


# --- what a design can see ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_every_design_sees_its_smallest_effects(name):
    design, table = designs.load(name), designs.power(name)
    assert table.index.tolist() == [design.primary.quantity, design.secondary.quantity]
    assert (table.detectable <= table["smallest that counts"].abs()).all()
    assert table.n.tolist() == [design.n] * 2
    assert table.detectable.iloc[0] == detectable_with(design.primary.spread, design.n)


def test_power_has_the_paper_s_effect_where_there_is_one():
    assert designs.power("fig3").published.tolist() == [-0.137, -0.54]
    assert designs.power("fig5").published.isna().all()


def test_a_design_that_cannot_see_its_effect_is_refused():
    design = designs.load("fig3")
    seen = detectable_with(design.secondary.spread, 7)
    with pytest.raises(
        ValueError, match=rf"7 training seeds find a change of Spearman ρ of {seen:.2g} .* 0.54 is asked"
    ):
        designs.check(design._replace(n=7))


def test_an_unknown_design_names_the_known_ones():
    with pytest.raises(ValueError, match=r"Unknown design 'fig33'\. Did you mean 'fig3'"):
        designs.load("fig33")


# --- the spreads, from the pilot ------------------------------------------------------------------------------------


@cache
def pilot(prefix, **settings):
    """The committed runs whose configuration has these settings, by seed."""
    found = {}
    for path in sorted(records.committed_folder().glob(f"{prefix}-seed*.json")):
        record = records.read(path)
        config = record.content["config"]
        flat = config | config.get("shape", {})
        if all(flat.get(name) == value for name, value in settings.items()):
            assert config["seed"] not in found
            found[config["seed"]] = Run(prefix, config["seed"], record)
    return found


def differences(first, second, seeds, quantity):
    """Second minus first, seed by seed."""
    return np.array([quantity(second[seed]) - quantity(first[seed]) for seed in seeds])


def rho(run):
    return run.path.rho.iloc[-1]


def logprob(run):
    return run.evaluation.items.groupby("task").logprob.mean().mean()


def validation_loss(run):
    return run.validation_loss


def pilot_of_resist(design):
    return pilot(f"resist-{design}", learning_rate=0.015, steps=300)


def at_equal_divergence(name, run, relative=False, at=0.001):
    each = posttraining.course(run, name)
    return posttraining.at_divergence(each, posttraining.divergence(run), at) / (each[0] if relative else 1)


OF = {"primary": 0, "secondary": 1}
PILOTS = {
    "fig3": (
        lambda: [pilot("fig3-gpt2-train", learning_rate=1e-3, n_inner=width) for width in (8, 512)],
        (Run.late_half, rho),
    ),
    "fig5": (
        lambda: [pilot(f"fig5-gpt2{kind}-train", n_layer=6) for kind in ("", "-logits")],
        (rho, Run.late_half),
    ),
    "table5": (
        lambda: [
            pilot("table5-gpt2-train", n_embd=64),
            pilot("table5-gpt2-dispersion", n_embd=64, weight=0.1),
        ],
        (logprob, validation_loss),
    ),
    "midtraining": (
        lambda: [
            pilot("midtraining-smollm2-135m-instruct-train", steps=24),
            pilot("midtraining-smollm2-135m-instruct-dispersion", steps=24, weight=0.1, layers="all"),
        ],
        (logprob, Run.late_half),
    ),
    "cone": (
        lambda: [pilot("table5-gpt2-train", n_embd=64), pilot("table5-gpt2-dispersion", n_embd=64, weight=1.0)],
        (Run.late_half, validation_loss),
    ),
    "anticollapse": (
        lambda: [
            pilot("cone-gpt2-train", learning_rate=0.005),
            pilot("cone-gpt2-dispersion", learning_rate=0.01, centre=None),
        ],
        (validation_loss, Run.late_half),
    ),
    "anticollapse_midtraining": (
        lambda: [
            pilot(f"midtraining-pocket-small-{loss}", steps=100, learning_rate=5e-4, held_out=64)
            for loss in ("train", "dispersion")
        ],
        (validation_loss, Run.late_half),
    ),
    "anticollapse_gpu": (
        lambda: [
            pilot("anticollapse-gpt2-train", steps=600, resid_pdrop=None, controls=True),
            pilot("anticollapse-gpt2-dispersion", steps=600, weight=10.0, learning_rate=0.01, controls=True),
        ],
        (validation_loss, Run.late_half),
    ),
    "capacity": (
        lambda: [pilot(f"capacity-random-{loss}", steps=1000, n_embd=32) for loss in ("train", "dispersion")],
        (readings.held, readings.QUANTITIES[readings.LATE]),
    ),
    "resist": (
        lambda: [pilot_of_resist(design) for design in ("pre-norm-train", "post-norm-train")],
        (resist.QUANTITIES[resist.LATE], resist.validation_loss),
    ),
    "resist_dispersion": (
        lambda: [pilot_of_resist(design) for design in ("pre-norm-train", "pre-norm-dispersion")],
        (resist.QUANTITIES[resist.LATE], resist.validation_loss),
    ),
    "posttraining": (
        lambda: [pilot(f"after-pretraining-sft-{loss}") for loss in ("train", "dispersion")],
        (
            partial(at_equal_divergence, posttraining.LATE),
            partial(at_equal_divergence, posttraining.RANK, relative=True),
        ),
    ),
    "released": (
        lambda: [pilot("table5-gpt2-dispersion", n_embd=64, weight=weight) for weight in (0.1, 1.0)],
        (Run.late_half, validation_loss),
    ),
}


# Their pilots are of the seeds 100 to 102, so that no run of the design is in them.
OTHER_SEEDS = ("anticollapse_midtraining", "capacity", "posttraining", "resist", "resist_dispersion")


@pytest.mark.parametrize("which", OF)
@pytest.mark.parametrize("name", PILOTS)
def test_the_spread_is_that_of_the_pilot(name, which):
    of, quantities = PILOTS[name]
    seeds = range(5 if name in ("table5", "cone", "released", "anticollapse") else 3)
    seeds = range(8) if name == "anticollapse_gpu" else seeds
    seeds = range(100, 103) if name in OTHER_SEEDS else seeds
    found = differences(*of(), seeds, quantities[OF[which]]).std(ddof=1)
    assert getattr(designs.load(name), which).spread == pytest.approx(found, abs=6e-4)


def test_the_spread_of_what_rounding_costs_is_that_of_its_pilot():
    cost = lambda scheme: [
        np.array([rounding.cost(scheme)(run) for seed, run in sorted(runs.items()) if seed >= 100])
        for runs in (pilot(f"quantisation-{arm}", steps=600, centre=None) for arm in ("train", "dispersion"))
    ]  # fmt: skip
    plain, spread = cost("ternary")
    turned_plain, turned_spread = cost("ternary, rotated")
    assert len(plain) == len(spread) == 3
    without, turned = ((b - a) / plain.mean() for a, b in ((plain, spread), (turned_plain, turned_spread)))
    design = designs.load("quantisation")
    assert design.primary.spread == pytest.approx(without.std(ddof=1), abs=6e-4)
    assert design.secondary.spread == pytest.approx((turned - without).std(ddof=1), abs=6e-4)


@pytest.mark.parametrize(("which", "name"), [("primary", posttraining.LATE), ("secondary", posttraining.RANK)])
def test_the_spread_of_the_longer_runs_after_pre_training_is_the_largest_of_the_shorter_ones(which, name):
    spreads = []
    for method in ("sft", "dpo", "grpo"):
        plain, other = (pilot(f"after-pretraining-{method}-{loss}") for loss in ("train", "dispersion"))
        value = lambda run: at_equal_divergence(name, run, relative=which == "secondary", at=0.002)
        values = np.array([[value(runs[seed]) for seed in range(5)] for runs in (plain, other)])
        spreads += [values[0].std(ddof=1), (values[1] - values[0]).std(ddof=1)]
    assert getattr(designs.load("posttraining_gpu"), which).spread == pytest.approx(max(spreads), abs=6e-5)


@pytest.mark.parametrize(("which", "first"), [("primary", 0), ("secondary", 1)])
def test_the_spread_of_what_experts_see_is_that_of_the_first_three_seeds(which, first):
    trained, untrained = pilot("resist-experts-train", learning_rate=0.03), pilot("resist-initial-experts")
    apart = lambda runs: np.array([resist.more_alike(runs[seed], first) for seed in range(3)])
    found = np.std(apart(trained) - apart(untrained), ddof=1)
    assert getattr(designs.load("resist_experts"), which).spread == pytest.approx(found, abs=6e-4)


@pytest.mark.parametrize(("which", "quantity"), [("primary", Run.late_half), ("secondary", rho)])
def test_the_spread_of_the_family_is_root_2_times_that_of_one_model(which, quantity):
    values = [quantity(run) for run in pilot("table5-gpt2-train", n_embd=64).values()]
    found = 2**0.5 * np.std(values, ddof=1)
    assert len(values) == 5
    assert getattr(designs.load("family"), which).spread == pytest.approx(found, abs=6e-4)


def test_the_designs_of_the_campaign_have_the_spreads_of_those_on_a_laptop():
    assert [effect.spread for effect in designs.load("family_gpu")[-2:]] == [
        effect.spread for effect in designs.load("family")[-2:]
    ]
    of = lambda: (pilot("table5-gpt2-train", n_embd=64), pilot("table5-gpt2-dispersion", n_embd=64, weight=0.1))
    design = designs.load("pretraining_gpu")
    assert design.primary[:2] == designs.load("table5").secondary[:2]
    assert design.primary.spread == designs.load("table5").secondary.spread
    assert design.secondary.spread == pytest.approx(differences(*of(), range(5), Run.late_half).std(ddof=1), abs=6e-4)


@pytest.mark.parametrize(("which", "quantity"), [("primary", logprob), ("secondary", validation_loss)])
def test_the_smallest_effects_of_table_5_are_a_hundredth_of_the_values_without_dispersion(which, quantity):
    mean = np.mean([quantity(run) for run in pilot("table5-gpt2-train", n_embd=64).values()])
    assert abs(getattr(designs.load("table5"), which).smallest) == pytest.approx(abs(mean) / 100, abs=1e-3)


@pytest.mark.parametrize(("which", "quantity"), [("primary", validation_loss), ("secondary", Run.late_half)])
def test_a_loss_holds_its_gain_on_a_gpu_where_half_of_it_is_left(which, quantity):
    of, _ = PILOTS["anticollapse_gpu"]
    found = differences(*of(), range(8), quantity).mean() / 2
    assert getattr(designs.load("anticollapse_gpu"), which).smallest == pytest.approx(found, abs=6e-4)


@pytest.mark.parametrize(("which", "quantity"), [("primary", Run.late_half), ("secondary", validation_loss)])
def test_a_part_of_dispersion_does_the_work_where_it_does_half(which, quantity):
    of, _ = PILOTS["cone"]
    found = differences(*of(), range(5), quantity).mean() / 2
    assert getattr(designs.load("cone"), which).smallest == pytest.approx(found, abs=6e-4)


def test_a_difference_of_the_released_code_counts_where_it_does_half_of_what_dispersion_does():
    of, _ = PILOTS["table5"]
    found = differences(*of(), range(5), Run.late_half).mean() / 2
    assert designs.load("released").primary.smallest == pytest.approx(found, abs=6e-4)
    assert designs.load("released").secondary[1:3] == designs.load("table5").secondary[1:3]


def test_the_smallest_effect_of_mid_training_is_a_hundredth_of_what_is_there_before():
    (before,) = pilot("midtraining-smollm2-135m-instruct-none").values()
    assert designs.load("midtraining").primary.smallest == pytest.approx(abs(logprob(before)) / 100, abs=1e-3)


# --- the effects, from the paper ------------------------------------------------------------------------------------


def late_half_fall(figure, smallest, largest):
    first, last = (
        metrics.mean_of_last(paper.mean_cosines(figure, model).cosine_mean.to_numpy(), None)
        for model in (smallest, largest)
    )
    return float(last - first)


@pytest.mark.parametrize(
    ("effect", "published"),
    [
        (designs.load("fig3").primary, late_half_fall("Fig3a", "MLP64", "MLP4096")),
        (designs.load("fig3").secondary, published_fall("Fig. 3b", "rho", "GPT2-like (controlled)")),
        (designs.load("family").primary, late_half_fall("Fig2a", "GPT2", "GPT2-xl")),
        (designs.load("family").secondary, published_fall("Fig. 2b", "rho", "GPT2")),
        (designs.load("family_gpu").primary, late_half_fall("Fig2a", "GPT2", "GPT2-xl")),
        (designs.load("family_gpu").secondary, published_fall("Fig. 2b", "rho", "GPT2")),
        (designs.load("fig5").primary, published_fall("Fig. 2b", "rho", "Qwen2.5") / 6),
        (designs.load("fig5").secondary, late_half_fall("Fig2a", "GPT2", "GPT2-xl") / 3),
        (designs.load("midtraining").secondary, late_half_fall("Fig2a", "GPT2", "GPT2-xl") / 2),
    ],
)
def test_the_smallest_effects_are_the_published_ones(effect, published):
    assert effect.smallest == pytest.approx(published, abs=3e-3)
    assert effect.published in (None, effect.smallest)


def test_a_design_may_cost_a_hundredth_of_the_loss_of_the_reference():
    mean = np.mean([resist.validation_loss(run) for run in pilot_of_resist("pre-norm-train").values()])
    assert designs.load("resist").secondary.smallest == pytest.approx(mean / 100, abs=1e-3)
    assert designs.load("resist_dispersion").secondary.smallest == -designs.load("resist").secondary.smallest


def test_made_up_lives_are_held_to_what_random_tokens_are():
    random, lives = designs.load("capacity"), designs.load("capacity_lives")
    assert [(one.smallest, one.spread) for one in random[-2:]] == [(one.smallest, one.spread) for one in lives[-2:]]
