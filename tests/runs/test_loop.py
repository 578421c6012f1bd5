"""One training run at toy size: the same every time, killed or not; and what it measures on the way."""

from io import BytesIO

import numpy as np
import pytest
import torch

from decondense import corpora, evaluate, measurement, models
from decondense.corpora import streams
from decondense.runs import loop, midtraining

SHARED = {
    "steps": 5, "batch_size": 2, "length": 16, "learning_rate": 1e-2, "checkpoints": 5, "texts": 2, "text_length": 24,
    "held_out": 9, "sources": ["local"], "train_tokens": 0,
}  # fmt: skip
DISPERSION = {"loss": "dispersion", "weight": 1.0, "subsample": 8}
pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture(autouse=True)
def world(small_pocket):
    """The toy family and its corpus, as the tests of `pocket` have them."""


def config(seed=1, **changes):
    return midtraining.configuration(midtraining.setup("pocket-small", "documentation", **SHARED) | changes, seed)


def train(folder, **changes):
    """Results, and the arrays as a dictionary."""
    results, arrays = loop.train(config(**changes), folder)
    with np.load(BytesIO(arrays)) as file:  # without pickles
        return results, {name: file[name] for name in file.files}


def assert_same(one, other):
    assert one[0] == other[0]
    assert list(one[1]) == list(other[1])
    for name in one[1]:
        np.testing.assert_array_equal(one[1][name], other[1][name])


def held_out():
    loaded = models.load("pocket-small", train_tokens=0)
    return loaded.model, streams.stream(corpora.load("documentation"), loaded.tokenizer).held_out


# --- the same run twice ---------------------------------------------------------------------------------------------


def test_same_configuration_gives_the_same_bits(tmp_path):
    changes = DISPERSION | {"tasks": {"pocket_cloze": 3, "pocket_continuation": 2}, "train_tokens": 256}
    first = train(tmp_path / "a", **changes)
    torch.manual_seed(123)  # the state of the world does not matter
    np.random.seed(5)  # noqa: NPY002
    assert_same(train(tmp_path / "b", **changes), first)
    results, arrays = first
    assert {task: about["items"] for task, about in results["tasks"].items()} == changes["tasks"]
    assert arrays["item_task"].tolist() == ["pocket_cloze"] * 3 + ["pocket_continuation"] * 2
    assert set(arrays) == {"mu", "histogram"} | {f"item_{name}" for name in evaluate._COLUMNS}
    assert np.isfinite(arrays["item_logprob"]).all()


def test_another_seed_sees_other_batches_from_the_same_start(tmp_path):
    (one, arrays), (other, others) = (train(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert one["curve"][0]["loss"] != other["curve"][0]["loss"]
    np.testing.assert_array_equal(arrays["mu"][0], others["mu"][0])
    assert (arrays["mu"][-1] != others["mu"][-1]).any()
    assert one["validation_loss"][0] == other["validation_loss"][0]


def test_benchmarks_are_those_of_the_model_after_the_last_step(tmp_path):
    """With two limits as with one at a time; no step leaves the model as it was."""
    tasks = {"pocket_continuation": 2, "pocket_cloze": 3}
    results, arrays = train(tmp_path / "none", steps=0, tasks=tasks)
    trained = train(tmp_path / "train", tasks=tasks)[1]
    assert (trained["item_logprob"] != arrays["item_logprob"]).all()
    assert (trained["item_hash"] == arrays["item_hash"]).all()
    loaded = models.load("pocket-small", train_tokens=0)
    for task, limit in tasks.items():
        how = {"limit": limit, "sources": ["local"], "dtype": "bfloat16", "progress": False}
        alone = evaluate.evaluate(loaded.model, loaded.tokenizer, [task], **how)
        rows = arrays["item_task"] == task
        np.testing.assert_array_equal(arrays["item_logprob"][rows], alone.items["logprob"])
        assert results["tasks"][task] == alone.tasks[task]


# --- what is measured -----------------------------------------------------------------------------------------------


def test_looks_are_at_the_asked_steps(tmp_path):
    results, arrays = train(tmp_path, steps=5, checkpoints=2)
    assert results["checkpoints"] == [0, 2, 5]
    assert arrays["mu"].shape == (3, 2, 3)  # checkpoints, texts, entries
    assert arrays["histogram"].shape == (3, 3, 128)
    np.testing.assert_allclose(arrays["histogram"].sum(-1) * 2 / 128, 1, rtol=1e-5)  # densities over [-1, 1]
    assert (arrays["mu"][0] != arrays["mu"][1]).any()


def test_curve_has_a_row_a_step_and_tokens_are_counted(tmp_path):
    results, _ = train(tmp_path, accumulation=2, **DISPERSION)
    curve = results["curve"]
    assert [row["step"] for row in curve] == [1, 2, 3, 4, 5]
    assert results["tokens"] == 5 * 2 * 2 * 16
    for row in curve:
        assert row["loss"] == pytest.approx(row["loss_language"] + row["loss_regulariser"], abs=1e-3)
        assert row["grad_norm"] > 0
    rates = [row["learning_rate"] for row in curve]
    assert max(rates) == 1e-2
    assert rates[-1] < rates[1]


def test_first_look_is_the_model_before_training(tmp_path):
    results, arrays = train(tmp_path)
    model, ids = held_out()
    texts, windows = streams.spread(ids, 2, 24), torch.tensor(streams.spread(ids, 9, 16))
    how = {"max_length": 24, "progress": False}
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        expected = measurement.measure(model, None, texts, **how)
        losses = [float(model(input_ids=window[None], labels=window[None]).loss) for window in windows]
    np.testing.assert_array_equal(arrays["mu"][0], expected.mu_per_text)
    np.testing.assert_allclose(arrays["histogram"][0], expected.histogram, rtol=1e-6)
    assert results["validation_loss"][0] == pytest.approx(np.mean(losses), abs=1e-3)
    assert results["validation_loss"][0] == pytest.approx(np.log(300), rel=0.05)
    exact = measurement.measure(model, None, texts, **how)
    np.testing.assert_allclose(arrays["mu"][0], exact.mu_per_text, atol=5e-3)  # bfloat16 changes little


def test_training_lowers_the_validation_loss(tmp_path):
    before, after = train(tmp_path, steps=15)[0]["validation_loss"]
    assert after < before - 0.3


def test_what_it_saw_is_told(tmp_path):
    results, _ = train(tmp_path, steps=0)
    corpus = corpora.load("documentation")
    assert results["corpus"] == {"name": "documentation", "source": corpus.source, "sha256": corpus.sha256}
    assert results["model"]["source"] == "trained here on the embedded corpus"
    assert results["model"]["train_tokens"] == 0


def test_no_steps_give_one_look_and_an_empty_curve(tmp_path):
    results, arrays = train(tmp_path, steps=0)
    assert results["curve"] == []
    assert (results["checkpoints"], results["tokens"], results["tasks"]) == ([0], 0, {})
    assert arrays["mu"].shape == (1, 2, 3)
    before, after = results["validation_loss"]
    assert before == after


# --- killed ---------------------------------------------------------------------------------------------------------


class Killed(BaseException):
    """Nothing catches it, as a kill."""


def kill_after(patch, step):
    """From here on training ends like a kill after this step, before anything of it is saved."""
    end = loop._Watch.on_step_end

    def on_step_end(self, args, state, control, **kwargs):
        end(self, args, state, control, **kwargs)
        if state.global_step == step:
            raise Killed

    patch.setattr(loop._Watch, "on_step_end", on_step_end)


@pytest.mark.parametrize(
    "changes", [DISPERSION, {"noise_alpha": 5.0}, {"forgetting": True}], ids=["dispersion", "noise", "forgetting"]
)
def test_a_killed_run_goes_on_and_gives_the_same_bits(tmp_path, monkeypatch, changes):
    whole = train(tmp_path / "whole", **changes)
    monkeypatch.setattr(loop, "LONG", 1)
    for step in (2, 4):  # twice
        with monkeypatch.context() as patch:
            kill_after(patch, step)
            with pytest.raises(Killed):
                train(tmp_path / "killed", **changes)
        assert [path.name for path in (tmp_path / "killed").glob("checkpoint-*")] == [f"checkpoint-{step - 1}"]
    seen = []
    monkeypatch.setattr(loop._Watch, "on_step_begin", lambda *_, **__: seen.append(1), raising=False)
    monkeypatch.setattr(loop._Watch, "on_train_begin", lambda *_, **__: None)  # the first look is not needed again
    assert_same(train(tmp_path / "killed", **changes), whole)
    assert len(seen) == 2  # steps 4 and 5


@pytest.mark.parametrize("changes", [{}, {"stop_after": 3}])
def test_a_run_killed_after_its_last_step_makes_no_step_more(tmp_path, monkeypatch, changes):
    monkeypatch.setattr(loop, "LONG", 1)
    whole = train(tmp_path, **changes)
    assert list(tmp_path.glob("checkpoint-*"))
    assert_same(train(tmp_path, **changes), whole)  # what it saved is still there, and there is no record


def test_a_run_that_begins_anew_trusts_nothing_it_finds(tmp_path):
    whole = train(tmp_path / "whole", **DISPERSION)
    train(tmp_path / "used", seed=2)
    assert_same(train(tmp_path / "used", **DISPERSION), whole)


def test_a_short_run_saves_no_state(tmp_path):
    train(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"look-{step:07d}.npz" for step in range(6)]


@pytest.mark.parametrize("stop_after", [2, 3])
def test_a_run_that_is_stopped_has_the_first_steps_of_the_whole(tmp_path, stop_after):
    whole, arrays = train(tmp_path / "whole", **DISPERSION)
    part, first = train(tmp_path / "part", stop_after=stop_after, **DISPERSION)
    assert part["curve"] == whole["curve"][:stop_after]
    assert part["checkpoints"] == list(range(stop_after + 1))
    np.testing.assert_array_equal(first["mu"], arrays["mu"][: stop_after + 1])
    assert part["tokens"] == stop_after * 2 * 16
    assert part["validation_loss"][0] == whole["validation_loss"][0]
    assert part["validation_loss"][1] != part["validation_loss"][0]


# --- conditions -----------------------------------------------------------------------------------------------------


def test_forgetting_hits_once_after_two_thirds(tmp_path):
    plain, _ = train(tmp_path / "plain", steps=6)
    found, _ = train(tmp_path / "forgetting", steps=6, forgetting=True)
    losses = np.array([row["loss"] for row in found["curve"]])
    print("FORGET", losses, [r["loss"] for r in plain["curve"]])
    assert losses[0] == plain["curve"][0]["loss"]
    assert round(6 * loop.FORGET_AFTER) == 4
    assert losses[4] > losses[3]  # the tokens are unknown again
    assert plain["curve"][4]["loss"] < plain["curve"][3]["loss"] + 0.1


def test_noise_changes_training_and_not_what_is_measured(tmp_path):
    plain, arrays = train(tmp_path / "plain")
    noisy, others = train(tmp_path / "noisy", noise_alpha=5.0)
    assert noisy["curve"][0]["loss"] != plain["curve"][0]["loss"]
    assert noisy["validation_loss"][0] == plain["validation_loss"][0]
    np.testing.assert_array_equal(arrays["mu"][0], others["mu"][0])


def test_plain_training_has_no_regulariser(tmp_path):
    for row in train(tmp_path)[0]["curve"]:
        assert row["loss_regulariser"] == 0
        assert row["loss"] == pytest.approx(row["loss_language"], abs=1e-3)


def test_dispersion_lowers_the_mean_cosine(tmp_path):
    plain, dispersed = (
        train(tmp_path / str(i), steps=10, **c)[1]["mu"] for i, c in enumerate([{}, DISPERSION | {"weight": 50.0}])
    )
    np.testing.assert_array_equal(plain[0], dispersed[0])
    print("DISP", dispersed.mean(1), plain.mean(1))
    assert dispersed[-1].mean(0)[-1] < plain[-1].mean(0)[-1] - 0.5
    assert dispersed[-1].mean(0)[1] < plain[-1].mean(0)[1]


def test_layers_of_the_regulariser_are_passed_on(tmp_path):
    curves = [train(tmp_path / str(i), layers=layers, **DISPERSION)[0]["curve"] for i, layers in enumerate([[1], [2]])]
    assert curves[0][0]["loss_language"] == curves[1][0]["loss_language"]
    assert curves[0][0]["loss_regulariser"] != curves[1][0]["loss_regulariser"]


def test_unknown_loss_is_an_error_before_the_first_step(tmp_path):
    with pytest.raises(ValueError, match=r"Unknown loss 'dispersal'\. Did you mean 'dispersion'"):
        train(tmp_path, loss="dispersal")


def test_a_checkpoint_of_which_one_process_was_killed_while_it_wrote_is_not_taken(tmp_path):
    for step in (3, 6):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        torch.save({"cpu": torch.zeros(100)}, folder / "rng_state.pth")
    assert loop._last_checkpoint(tmp_path).endswith("checkpoint-6")
    state = tmp_path / "checkpoint-6" / "rng_state.pth"
    state.write_bytes(state.read_bytes()[:-10])
    assert loop._last_checkpoint(tmp_path).endswith("checkpoint-3")
