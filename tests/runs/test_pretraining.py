"""Training from scratch at toy size: what a configuration says, what a record holds, and a run that is killed."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

import decondense
from decondense import models, records
from decondense.runs import loop, pretraining, workers
from decondense.runs.run import Run

GPT2 = {"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2}
QWEN3 = {
    "architecture": "Qwen3Config", "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2,
    "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8, "tie_word_embeddings": True,
}  # fmt: skip
SHARED = {
    "steps": 6, "batch_size": 2, "length": 16, "learning_rate": 1e-2, "checkpoints": 3, "texts": 2, "text_length": 24,
    "held_out": 4, "sources": [],
}  # fmt: skip
pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture(autouse=True)
def trained(small_pocket, tmp_path, monkeypatch):
    """A toy corpus and records of its own; trainings are in this process, and here are their configurations."""
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    done = []

    def train_all(configs, parameters, module):
        assert module == "pretraining"
        for config in configs:
            done.append(config)
            pretraining.train(json.loads(json.dumps(config)))  # as a worker gets it

    monkeypatch.setattr(workers, "train_all", train_all)
    return done


def shared(shape=GPT2, **changes):
    return pretraining.setup("toy", shape, "documentation", **SHARED | changes)


def runs(changes, seeds=(5,), shape=GPT2, **setup):
    return pretraining.runs(shared(shape, **setup), changes, list(seeds))


# --- what is asked --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be above 0, got 0"),
        ({"learning_rate": -1.0}, r"learning_rate must be above 0, got -1\.0"),
        ({"checkpoints": 7}, "7 checkpoints in 6 steps"),
        ({"warm_up": 1.0}, "warm_up is a share"),
        ({"precision": "float23"}, "Unknown precision 'float23'.*float32"),
        ({"schedule": "cosin"}, "Unknown schedule 'cosin'.*cosine"),
        ({"tasks": {"pocket_close": 3}}, "Unknown benchmark 'pocket_close'.*pocket_cloze"),
        ({"shape": {"n_embd": 16}}, "names no architecture"),
        ({"shape": {"architecture": "Linear"}}, "names no architecture"),
        ({"shape": {"like": "gtp2"}}, "gtp2"),
    ],
)
def test_setup_refuses_at_the_door(changes, message):
    shape = changes.pop("shape", GPT2)
    with pytest.raises(ValueError, match=message):
        shared(shape, **changes)


def test_unknown_change_is_refused():
    with pytest.raises(ValueError, match="No run knows 'lambda'"):
        runs({"a": {"lambda": 1.0}})


@pytest.mark.parametrize("asked", [{}, {"kind": "logits"}, {"teacher": "pocket-medium", "tau": 2.0}])
def test_a_distillation_without_a_teacher_or_with_an_unknown_key_is_refused(asked):
    with pytest.raises(ValueError, match="must be a table with a teacher, and maybe kind, share, temperature"):
        runs({"a": {"distillation": asked}})


def test_a_changed_shape_is_added_to_the_shared_one():
    jobs = pretraining.jobs(shared(), {"a": {"shape": {"n_inner": 8}}, "b": {}}, [0])
    assert [config["shape"] for _, config in jobs] == [GPT2 | {"n_inner": 8}, GPT2]


def test_what_has_no_effect_is_not_part_of_the_configuration():
    plain = pretraining.configuration(shared(train_tokens=7) | {"weight": 3.0}, 0)
    assert plain == pretraining.configuration(shared(train_tokens=9), 0)
    assert pretraining.configuration(shared() | {"loss": "dispersion"}, 0)["weight"] == 0.1


# --- the model ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [GPT2, QWEN3], ids=["gpt2", "qwen3"])
def test_new_model_has_the_shape_and_the_seed(shape):
    config = pretraining.configuration(shared(shape), 3)
    one, same = (pretraining.new_model(config, 300) for _ in range(2))
    other = pretraining.new_model(config | {"seed": 4}, 300)
    assert loop._fingerprint(one) == loop._fingerprint(same) != loop._fingerprint(other)
    assert one.config.max_position_embeddings == 24
    assert one.get_input_embeddings().weight.shape == (300, 16)
    tokens = len(models.load_tokenizer("pocket-small"))
    assert pretraining.parameters(config) == pretraining.new_model(config, tokens).num_parameters()


def test_gpt2_has_no_dropout_unless_asked():
    config = pretraining.configuration(shared(), 0)
    assert pretraining.new_model(config, 300).config.resid_pdrop == 0.0
    asked = pretraining.configuration(shared(GPT2 | {"resid_pdrop": 0.1}), 0)
    assert pretraining.new_model(asked, 300).config.resid_pdrop == 0.1


def test_a_published_shape_by_its_name():
    config = pretraining.configuration(shared({"like": "qwen3-0.6b"}), 0)
    with torch.device("meta"):
        model = pretraining.new_model(config, 151936)
    assert model.num_parameters() == models.table()["qwen3-0.6b"]["parameters"]


# --- the record -----------------------------------------------------------------------------------------------------


def test_checkpoints_are_spaced_in_the_logarithm_and_each_is_validated():
    (run,) = runs({"train": {}}, steps=27, checkpoints=3)
    assert run.results["checkpoints"] == [0, 1, 3, 9, 27]
    assert run.path["tokens"].tolist() == [0, 32, 96, 288, 864]
    assert run.path["validation_loss"].notna().all()
    assert run.path["validation_loss"].iloc[-1] == run.validation_loss < run.path["validation_loss"].iloc[0] - 0.3
    assert run.path["rho"].iloc[-1] == run.look().rho
    assert run.path["late_half"].tolist() == [run.late_half(i) for i in range(5)]
    assert run.results["model"]["parameters"] == pretraining.parameters(run.record.content["config"])


def test_runs_of_one_seed_see_the_same_batches_in_the_same_order():
    changes = {
        "narrow": {"shape": {"n_inner": 8}},
        "wide": {"shape": {"n_inner": 64}},
        "disperse": {"loss": "dispersion"},
    }
    seen, one = {}, loop.packing.Windows.__getitem__

    def getitem(self, number):
        seen.setdefault(id(self), []).append(number)
        return one(self, number)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.packing.Windows, "__getitem__", getitem)
        narrow, wide, disperse = runs(changes)
    assert len(seen) == 3
    first = next(iter(seen.values()))
    assert len(first) >= 12  # 6 steps of 2, and what is fetched ahead
    assert all(numbers == first for numbers in seen.values())
    assert {run.record.path.name.split("-seed")[0] for run in (narrow, wide)} == {"toy-gpt2-train"}
    assert disperse.record.path.name.startswith("toy-gpt2-dispersion-seed5")
    assert disperse.curve["loss_regulariser"].iloc[-1] < 0
    assert narrow.results["weights_sha256"] != wide.results["weights_sha256"]


def test_a_long_run_logs_a_hundred_means_and_the_same_tokens():
    config = pretraining.configuration(shared(steps=450), 0)
    assert config["logging_steps"] == 4
    (run,) = runs({"train": {}}, steps=6)
    assert run.results["tokens"] == 6 * 2 * 16
    assert run.curve["step"].tolist() == [1, 2, 3, 4, 5, 6]


def test_schedule_and_warm_up_are_those_asked():
    (run,) = runs({"linear": {"schedule": "linear", "warm_up": 0.5}}, steps=8)
    rates = run.curve["learning_rate"]
    np.testing.assert_allclose(rates, 1e-2 * np.array([0, 1, 2, 3, 4, 3, 2, 1]) / 4)


def test_precision_is_that_asked():
    single, half = runs({"a": {}, "b": {"precision": "bfloat16"}})
    assert single.results["curve"] != half.results["curve"]
    assert single.validation_loss == pytest.approx(half.validation_loss, abs=0.02)
    assert loop._arguments(single.record.content["config"], Path("x")).bf16 is False


def test_benchmarks_are_scored():
    (run,) = runs({"train": {"tasks": {"pocket_cloze": 3}}})
    assert run.results["tasks"]["pocket_cloze"]["items"] == 3


def test_check_run_agrees_and_plan_counts(trained):
    (run,) = runs({"train": {}})
    table = pretraining.check_run(run, 2)
    assert table["agrees"].all()
    np.testing.assert_array_equal(table["now"], table["record"])
    plan = pretraining.plan(shared(), {"train": {}, "disperse": {"loss": "dispersion"}}, [5, 6])
    assert plan[["runs", "to train", "tokens"]].tolist() == [4, 3, 3 * 6 * 2 * 16]
    assert pretraining.origin([run])["from"].tolist() == ["this run"]


# --- killed ---------------------------------------------------------------------------------------------------------

CHILD = """
import sys, json
from decondense import pretraining, training
training.LONG = 1
pretraining.train(json.loads(sys.argv[1]))
"""


def child(config, folder, monkeypatch):
    """A process that trains: its caches are those of this test."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "DECONDENSE_RECORDS": str(folder)}
    environment |= {"PYTHONPATH": str(Path(decondense.__file__).parents[1]), "DECONDENSE_DATA": str(folder.parent)}
    return subprocess.Popen([sys.executable, "-c", CHILD, json.dumps(config)], env=environment, stderr=subprocess.PIPE)


@pytest.mark.parametrize("loss", [None, "dispersion"])
def test_a_killed_process_goes_on_bit_for_bit(loss, tmp_path, monkeypatch, tiny_tokenizer):
    """kill -9 at a random step, three times; then the weights are those of a run that nobody touched."""
    tiny_tokenizer.save_pretrained(tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "config.json").write_text('{"model_type": "gpt2"}')
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 63, 40)) for _ in range(200)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows))
    how = SHARED | {"steps": 400, "sources": ["local"], "tokenizer": str(tmp_path / "tokenizer")}
    asked = pretraining.setup("toy", GPT2 | {"resid_pdrop": 0.1}, "imdb", **how) | {"loss": loss, "subsample": 8}
    config = pretraining.configuration(asked, 1)
    random.seed(0)
    saved = lambda: list((Path(os.environ["DECONDENSE_CACHE"]) / "pretraining").glob("*/checkpoint-*"))
    for kill in range(3):
        process = child(config, tmp_path / "killed", monkeypatch)
        before, deadline = set(saved()), time.monotonic() + 120
        while set(saved()) <= before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)  # until it has gone further than the last time
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert process.returncode == -signal.SIGKILL, f"kill {kill}"
    for folder in ("killed", "whole"):
        _, errors = child(config, tmp_path / folder, monkeypatch).communicate()
        assert list((tmp_path / folder).glob("*.json")), errors.decode()[-2000:]
    killed, whole = (records.read(next((tmp_path / folder).glob("*.json"))) for folder in ("killed", "whole"))
    assert killed.content["results"] == whole.content["results"]
    assert len(whole.content["results"]["weights_sha256"]) == 64
    np.testing.assert_array_equal(Run("a", 1, killed).mu, Run("a", 1, whole).mu)


def test_a_student_learns_from_a_pocket_teacher():
    taught = {"teacher": "pocket-medium", "share": 1.0}
    changes = {
        "alone": {},
        "logits": {"distillation": taught | {"kind": "logits"}},
        "hidden": {"distillation": taught | {"kind": "hidden"}, "loss": "dispersion"},
    }
    alone, logits, hidden = runs(changes, train_tokens=256)
    assert "loss_distillation" not in alone.curve
    falls = logits.curve["loss_distillation"]
    assert 0 < falls.iloc[-1] < falls.iloc[0]
    assert logits.curve["loss_language"][0] == alone.curve["loss_language"][0]
    assert hidden.curve["loss_regulariser"].iloc[-1] < 0 < hidden.curve["loss_distillation"].iloc[-1]
    names = [run.record.path.name.split("-seed")[0] for run in (alone, logits, hidden)]
    assert names == ["toy-gpt2-train", "toy-gpt2-logits-train", "toy-gpt2-hidden-dispersion"]
    assert logits.record.content["config"]["train_tokens"] == 256
    assert pretraining.check_run(logits, 2)["agrees"].all()
