"""One training run at toy size: the same every time, killed or not; what it is asked to do reaches the trainer."""

import os
import signal
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from toy_runs import DISPERSION, GPT2, forked, killed_after, mid, scratch, train_long, until

from decondense import corpora, evaluate, models
from decondense.base import files
from decondense.condensation import from_arrays
from decondense.corpora import streams
from decondense.models import pocket
from decondense.runs import loop, store, watch
from decondense.trainers import ActiveForgetting

pytestmark = pytest.mark.usefixtures("frozen", "world")


def train(folder, config=None, **changes):
    """Results, and the arrays as a dictionary."""
    config = config or mid(**{"steps": 5, "checkpoints": 5, "seed": 1} | changes)
    results, arrays = loop.train(config, folder)
    with np.load(BytesIO(arrays)) as file:  # without pickles
        return results, {name: file[name] for name in file.files}


def mu(trained):
    return trained[1]["mu_per_text"]


def assert_same(one, other):
    assert one[0] == other[0]
    assert list(one[1]) == list(other[1])
    for name in one[1]:
        np.testing.assert_array_equal(one[1][name], other[1][name])


# --- the same run twice, and others ---------------------------------------------------------------------------------


def test_same_configuration_gives_the_same_bits(tmp_path):
    first = train(tmp_path / "a", **DISPERSION)
    torch.manual_seed(123)  # the state of the world does not matter
    np.random.seed(5)  # noqa: NPY002
    assert_same(train(tmp_path / "b", **DISPERSION), first)


def test_another_seed_sees_other_batches_from_the_same_start(tmp_path):
    one, other = (train(tmp_path / str(seed), seed=seed) for seed in (1, 2))
    assert one[0]["curve"][0]["loss"] != other[0]["curve"][0]["loss"]
    np.testing.assert_array_equal(mu(one)[0], mu(other)[0])
    assert (mu(one)[-1] != mu(other)[-1]).any()
    assert one[0]["validation_loss"][0] == other[0]["validation_loss"][0]


def test_runs_of_one_seed_see_the_same_batches_in_the_same_order(tmp_path, monkeypatch):
    seen, one = {}, streams.Windows.__getitem__

    def getitem(self, number):
        seen.setdefault(id(self), []).append(number)
        return one(self, number)

    monkeypatch.setattr(streams.Windows, "__getitem__", getitem)
    changes = [{"shape": GPT2 | {"n_inner": 8}}, {"shape": GPT2 | {"n_inner": 64}}, DISPERSION]
    hashes = {train(tmp_path / "run", scratch(**change))[0]["weights_sha256"] for change in changes}
    assert len(seen) == len(hashes) == 3
    first = next(iter(seen.values()))
    assert len(first) >= 12  # 6 steps of 2, and what is fetched ahead
    assert all(numbers == first for numbers in seen.values())


@pytest.mark.parametrize("stop_after", [2, 3])
def test_a_run_that_is_stopped_has_the_first_steps_of_the_whole(tmp_path, stop_after):
    whole = train(tmp_path / "whole", **DISPERSION)
    part = train(tmp_path / "part", stop_after=stop_after, **DISPERSION)
    assert part[0]["curve"] == whole[0]["curve"][:stop_after]
    assert part[0]["checkpoints"] == list(range(stop_after + 1))
    np.testing.assert_array_equal(mu(part), mu(whole)[: stop_after + 1])
    assert part[0]["tokens"] == stop_after * 2 * 16
    before, after = part[0]["validation_loss"]
    assert after != before == whole[0]["validation_loss"][0]


# --- what comes out -------------------------------------------------------------------------------------------------


def test_curve_has_a_row_a_step_and_tokens_are_counted(tmp_path):
    results, _ = train(tmp_path, accumulation=2, **DISPERSION)
    curve = results["curve"]
    assert [list(row) for row in curve] == [list(loop.LOGGED)] * 5
    assert [row["step"] for row in curve] == [1, 2, 3, 4, 5]
    assert results["tokens"] == 5 * 2 * 2 * 16
    for row in curve:
        assert row["loss"] == pytest.approx(row["loss_language"] + 0.1 * row["loss_regulariser"], abs=1e-3)
        assert row["loss_regulariser"] != 0
        assert row["grad_norm"] > 0
    rates = [row["learning_rate"] for row in curve]
    assert max(rates) == 1e-2
    assert rates[-1] < rates[1]


def test_training_lowers_the_validation_loss_and_says_what_it_saw(tmp_path):
    results, arrays = train(tmp_path, steps=15, checkpoints=3)
    before, after = results["validation_loss"]
    assert after < before - 0.3
    assert results["checkpoints"] == [0, 5, 10, 15]
    assert [look.name for look in from_arrays(arrays)] == ["step 0", "step 5", "step 10", "step 15"]
    corpus = corpora.load("imdb", ["local"])
    assert results["corpus"] == {"name": "imdb", "source": corpus.source, "sha256": corpus.sha256}
    assert results["model"]["source"] == "local folder"
    assert len(results["weights_sha256"]) == 64
    assert results["tasks"] == {}


def test_no_steps_give_one_look_and_an_empty_curve(tmp_path):
    results, arrays = train(tmp_path, steps=0)
    assert (results["curve"], results["checkpoints"], results["tokens"]) == ([], [0], 0)
    before, after = results["validation_loss"]
    assert before == after
    assert len(from_arrays(arrays)) == 1
    assert results["weights_sha256"] == watch.fingerprint(mid().load().model)


def test_benchmarks_are_those_of_the_model_after_the_last_step(tmp_path, small_pocket):
    """With two limits as with one at a time; no step leaves the model as it was."""
    tasks = {"pocket_continuation": 2, "pocket_cloze": 3}
    config = mid(model="pocket-small", train_tokens=0, tasks=tasks)
    results, arrays = train(tmp_path / "none", config.changed(steps=0))
    _, trained = train(tmp_path / "train", config)
    assert {name for name in arrays if name.startswith("item_")} == {f"item_{name}" for name in evaluate.COLUMNS}
    assert (trained["item_logprob"] != arrays["item_logprob"]).all()
    assert (trained["item_hash"] == arrays["item_hash"]).all()
    loaded = models.load("pocket-small", train_tokens=0)
    for task, limit in tasks.items():
        how = {"limit": limit, "few_shot": 1, "sources": ["local"], "dtype": "bfloat16", "progress": False}
        alone = evaluate.evaluate(loaded.model, loaded.tokenizer, [task], **how)
        rows = arrays["item_task"] == task
        assert rows.sum() == limit
        np.testing.assert_array_equal(arrays["item_logprob"][rows], alone.items["logprob"])
        assert results["tasks"][task] == alone.tasks[task]


def test_the_model_is_kept_where_it_is_asked_for(tmp_path):
    kept = []
    results, _ = loop.train(mid(), tmp_path, keep=kept.append)
    assert [watch.fingerprint(loaded.model) for loaded in kept] == [results["weights_sha256"]]


# --- what is asked reaches the trainer ------------------------------------------------------------------------------


def test_noise_changes_training_and_not_what_is_measured(tmp_path):
    plain, noisy = train(tmp_path / "plain"), train(tmp_path / "noisy", noise_alpha=5.0)
    assert noisy[0]["curve"][0]["loss"] != plain[0]["curve"][0]["loss"]
    assert noisy[0]["validation_loss"][0] == plain[0]["validation_loss"][0]
    np.testing.assert_array_equal(mu(plain)[0], mu(noisy)[0])


def test_plain_training_has_no_regulariser(tmp_path):
    for row in train(tmp_path)[0]["curve"]:
        assert row["loss_regulariser"] == 0
        assert row["loss"] == pytest.approx(row["loss_language"], abs=1e-3)


@pytest.mark.filterwarnings("ignore:l2_repel pushes no tokens apart:UserWarning")
@pytest.mark.parametrize(
    "change",
    [
        {"layers": [1]},
        {"weight": 3.0},
        {"temperature": 0.5},
        {"subsample": 2},
        {"loss": "l2_repel"},
        {"centre": "batch"},
        {"clamp": 0.6},
        {"acute": True},
        {"layers": "block_outputs"},
        {"loss": "mean_direction"},
    ],
    ids=str,
)
def test_options_of_the_loss_reach_it(tmp_path, change):
    usual, other = (train(tmp_path / str(i), **DISPERSION | c)[0]["curve"] for i, c in enumerate(({}, change)))
    assert usual[0]["loss_language"] == other[0]["loss_language"]
    of_first = "loss" if "weight" in change else "loss_regulariser"
    assert usual[0][of_first] != other[0][of_first]


def test_forgetting_hits_once_after_two_thirds(tmp_path, monkeypatch):
    asked, init = [], ActiveForgetting.__init__
    monkeypatch.setattr(ActiveForgetting, "__init__", lambda self, every: asked.append(every) or init(self, every))
    plain, found = (train(tmp_path / str(f), steps=6, forgetting=f)[0]["curve"] for f in (False, True))
    assert asked == [round(6 * 1000 / 1526)] == [4]
    losses = [row["loss"] for row in found]
    assert losses[0] == plain[0]["loss"]
    assert losses[4] - losses[3] > plain[4]["loss"] - plain[3]["loss"] + 0.1  # the words are unknown again


def test_schedule_warm_up_and_precision_are_those_asked(tmp_path):
    linear = scratch(schedule="linear", warm_up=0.5, steps=8)
    rates = [row["learning_rate"] for row in train(tmp_path / "linear", linear)[0]["curve"]]
    np.testing.assert_allclose(rates, 1e-2 * np.array([0, 1, 2, 3, 4, 3, 2, 1]) / 4)
    single, half = (train(tmp_path / p, scratch(precision=p))[0] for p in ("float32", "bfloat16"))
    assert single["curve"] != half["curve"]
    assert single["validation_loss"] == pytest.approx(half["validation_loss"], abs=0.02)
    assert single["validation_loss"] != half["validation_loss"]


def test_a_student_learns_from_its_teacher(tmp_path, small_pocket):
    taught, how = {"teacher": "pocket-medium", "share": 1.0}, {"tokenizer": "pocket-small", "train_tokens": 256}
    pocket.load("pocket-medium", 256)  # `prepare` would, in a process of its own
    alone, logits, hidden = (
        train(tmp_path / str(i), scratch(**how, **change))[0]["curve"]
        for i, change in enumerate([{}, {"distillation": taught}, {"distillation": taught | {"kind": "hidden"}}])
    )
    assert "loss_distillation" not in alone[0]
    assert 0 < logits[-1]["loss_distillation"] < logits[0]["loss_distillation"]
    assert logits[0]["loss_language"] == alone[0]["loss_language"]
    for curve in (logits, hidden):
        assert curve[0]["loss"] == pytest.approx(curve[0]["loss_distillation"], abs=1e-3)
    warm = scratch(**how, distillation=taught | {"temperature": 8.0})
    assert train(tmp_path / "warm", warm)[0]["curve"][0]["loss_distillation"] != logits[0]["loss_distillation"]


# --- killed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes", [DISPERSION, {"noise_alpha": 5.0}, {"forgetting": True}], ids=["dispersion", "noise", "forgetting"]
)
def test_a_killed_run_goes_on_and_gives_the_same_bits(tmp_path, monkeypatch, changes):
    whole = train(tmp_path / "whole", **changes)
    monkeypatch.setattr(loop, "LONG", 1)
    for step in (2, 4):  # twice
        with killed_after(step):
            train(tmp_path / "killed", **changes)
        assert [path.name for path in (tmp_path / "killed").glob("checkpoint-*")] == [f"checkpoint-{step - 1}"]
    monkeypatch.setattr(watch.Watch, "on_train_begin", lambda *_, **__: None)  # the first look is not needed again
    steps = []
    monkeypatch.setattr(watch.Watch, "on_step_begin", lambda *how, **_: steps.append(how[2].global_step), raising=False)
    assert_same(train(tmp_path / "killed", **changes), whole)
    assert steps == [3, 4]  # those that are done


@pytest.mark.slow_process
def test_a_killed_process_goes_on_bit_for_bit(tmp_path, monkeypatch):
    """kill -9 whenever it has gone further than the last time, twice; with dropout and random tokens in the loss."""
    config = scratch(steps=100, checkpoints=4, shape=GPT2 | {"resid_pdrop": 0.1}, **DISPERSION)
    places = lambda: (files.cache_dir() / config.kind).glob("*/checkpoint-*")
    saved = lambda: {place for place in places() if loop._is_whole(place)}
    seen = set()
    for _ in range(2):
        process = forked(train_long, config.as_dict())
        until(lambda: saved() - seen, process)  # noqa: B023
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        seen = saved()
    assert not list(Path(os.environ["DECONDENSE_RECORDS"]).glob("*"))
    steps = []
    killed = store.train(config, steps.append)
    assert steps[0] > 1
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "whole"))
    whole = store.train(config)
    assert killed.content["results"] == whole.content["results"]
    assert killed.arrays.read_bytes() == whole.arrays.read_bytes()


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


@pytest.mark.parametrize(("steps", "every"), [(201, 20), (399, 39), (450, 44), (10_000, 500), (99_999, 999)])
def test_a_long_run_saves_its_state_at_steps_that_are_logged(tmp_path, steps, every):
    asked = loop._arguments(scratch(steps=steps), tmp_path)
    assert (asked.save_strategy, asked.save_steps) == ("steps", every)
    assert every % asked.logging_steps == 0
    assert loop._arguments(scratch(steps=200), tmp_path).save_strategy == "no"


def test_a_checkpoint_of_which_one_process_was_killed_while_it_wrote_is_not_taken(tmp_path):
    for step in (3, 20):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "trainer_state.json").write_text("{}")
        torch.save({"cpu": torch.zeros(100)}, folder / "rng_state.pth")
    assert loop._last_checkpoint(tmp_path).endswith("checkpoint-20")
    state = tmp_path / "checkpoint-20" / "rng_state.pth"
    state.write_bytes(state.read_bytes()[:-10])
    assert loop._last_checkpoint(tmp_path).endswith("checkpoint-3")
    (tmp_path / "checkpoint-3" / "trainer_state.json").write_text('{"epoch": 0.')  # killed while it was written
    assert loop._last_checkpoint(tmp_path) is None
    (tmp_path / "checkpoint-3" / "trainer_state.json").unlink()
    assert loop._last_checkpoint(tmp_path) is None


# --- saved in time --------------------------------------------------------------------------------------------------


@pytest.fixture
def asked():
    """Whether the state is to be saved after a step, so many seconds after the last time."""
    callback, control = loop.SaveInTime(), SimpleNamespace(should_save=False, should_training_stop=False)
    callback.on_train_begin(None, None, None)

    def after(step, seconds, processes=1, save=False, stop=False):
        control.should_save, control.should_training_stop = save, stop
        callback.last -= seconds
        args = SimpleNamespace(logging_steps=4, world_size=processes)
        callback.on_step_end(args, SimpleNamespace(global_step=step), control)
        callback.on_save(None, None, None)
        return control.should_save

    return after


def test_the_state_is_saved_when_it_is_late_at_a_step_that_is_logged(asked):
    assert not asked(4, seconds=0)
    assert not asked(5, seconds=loop.SAVE_SECONDS)
    assert not asked(4, seconds=loop.SAVE_SECONDS, processes=2)
    assert asked(8, seconds=loop.SAVE_SECONDS)
    assert not asked(12, seconds=loop.SAVE_SECONDS / 2)  # it was saved just now
    assert asked(13, seconds=0, save=True)  # of the Trainer's own accord


@pytest.mark.parametrize(
    ("took", "seconds", "processes", "saved"),
    [(3.0, 59.0, 1, False), (3.0, 61.0, 1, True), (3.0, 59.0, 2, True), (0.9, 1.0, 1, True), (0.0, 0.0, 1, True)],
)
def test_saving_takes_a_twentieth_of_the_time_at_most(took, seconds, processes, saved):
    callback, control = loop.SaveInTime(), SimpleNamespace(should_save=True, should_training_stop=False)
    callback.on_train_begin(None, None, None)
    callback.last, callback.took = callback.last - seconds, took
    args = SimpleNamespace(logging_steps=1, world_size=processes)
    callback.on_step_end(args, SimpleNamespace(global_step=1), control)
    assert control.should_save is saved


def test_how_long_a_save_took_is_from_the_end_of_the_step(monkeypatch):
    clock = iter([0.0, 10.0, 14.0, 14.0])
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock))
    callback, control = loop.SaveInTime(), SimpleNamespace(should_save=True, should_training_stop=False)
    callback.on_train_begin(None, None, None)
    callback.on_step_end(SimpleNamespace(logging_steps=1, world_size=1), SimpleNamespace(global_step=1), control)
    callback.on_save(None, None, None)
    assert (callback.last, callback.took) == (14.0, 4.0)


def test_the_state_after_the_last_step_is_never_saved(asked):
    assert not asked(8, seconds=loop.SAVE_SECONDS, save=True, stop=True)
