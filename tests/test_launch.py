"""The runs of a file in two processes: the numbers of one process, one record, a kill, and sharded weights."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import decondense
from decondense import launch, records
from decondense.base import files
from decondense.book import cells, profiles
from decondense.runs import loop, pretraining, runfile
from decondense.runs.run import Run

ROOT = Path(__file__).parents[1]
RECIPES = Path(decondense.__file__).with_name("recipes")
TOY = """
experiment = "toy"
corpus = "imdb"
sources = ["local"]
tokenizer = "{tokenizer}"
steps = {steps}
batch_size = {batch}
length = 16
text_length = 24
checkpoints = 3
texts = 2
held_out = 4
learning_rate = 1e-2
seeds = [5]
{more}
[shape]
architecture = "GPT2Config"
n_embd = 16
n_layer = 2
n_head = 2
[changes.dispersion]
loss = "dispersion"
"""


@pytest.fixture
def toy(tmp_path, tiny_tokenizer, monkeypatch):
    """Writes the file, beside a corpus and a tokenizer that another process can read."""
    tiny_tokenizer.save_pretrained(tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "config.json").write_text('{"model_type": "gpt2"}')
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 63, 40)) for _ in range(200)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows))
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")

    def write(more="", batch=2, steps=6):
        path = tmp_path / "toy.toml"
        path.write_text(TOY.format(tokenizer=tmp_path / "tokenizer", batch=batch, steps=steps, more=more))
        return path

    return write


def test_a_run_of_two_processes_is_not_made_in_one(toy):
    (config,) = runfile.read(toy(), 2).configs
    with pytest.raises(ValueError, match=r"one of 2 processes, and here are 1\. Start it with `accelerate launch"):
        pretraining.train(config)


def test_the_papers_file_is_the_profile_of_the_notebook():
    asked = profiles.parameters("paper", "table5")
    (shape,) = asked["SHAPES"].values()
    how = asked["TRAINING"] | asked["GEOMETRY"] | {"tasks": asked["TASKS"], "sources": asked["SOURCES"]}
    shared = pretraining.setup("table5", shape, asked["CORPUS"], **how) | {"processes": asked["PROCESSES"]}
    expected = pretraining.jobs(shared, asked["CHANGES"], asked["SEEDS"])
    assert runfile.read(RECIPES / "table5.toml", asked["PROCESSES"]).jobs == expected
    tokens = shared["steps"] * shared["batch_size"] * shared["length"] * shared["processes"]
    assert tokens == pytest.approx(156e9, rel=1e-4)


def test_the_notebook_asks_for_its_runs_in_this_way():
    source = "".join(c["source"] for c in cells.read(ROOT / "notebooks" / "13_table5_pretraining.ipynb"))
    assert 'setup("table5", shape, CORPUS, **TRAINING, **GEOMETRY, tasks=TASKS, sources=SOURCES)' in source


def test_preparing_trains_nothing(toy, capsys):
    launch.main([str(toy("processes = 2")), "--prepare"])
    printed = capsys.readouterr().out
    assert "GPU-hours, about" in printed
    assert str(6 * 2 * 2 * 16) in printed.split()
    assert not list(records.folder().glob("*"))
    assert list((files.cache_dir() / "streams").glob("imdb-*.npy"))


def test_a_committed_record_is_taken_as_the_plan_says(toy, tmp_path, monkeypatch, capsys):
    """It was made on another machine; here nothing is trained."""
    file = toy()
    with monkeypatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", str(tmp_path / "committed"))
        patch.setenv("DECONDENSE_DEVICE", "abacus")
        launch.main([str(file)])
    capsys.readouterr()
    assert not records.folder().exists()
    monkeypatch.setattr(loop, "train", lambda *_: pytest.fail("trained again"))
    launch.main([str(file)])
    assert capsys.readouterr().out.split("to train")[1].split()[0] == "0"
    (path,) = records.folder().glob("*.json")
    assert records.is_committed(records.read(path))


# --- two processes --------------------------------------------------------------------------------------------------


def started(file, config="ddp", folder="together"):
    """Two processes on the CPU with the configuration that ships; their records go to a folder of their own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(RECIPES / f"{config}.yaml")]
    command += ["--num_processes", "2", "--main_process_port", str(port), str(ROOT / "tests" / "tiny_launch.py")]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    environment |= {"PYTHONPATH": str(Path(decondense.__file__).parents[1])}
    environment |= {"DECONDENSE_RECORDS": str(file.parent / folder)}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "start_new_session": True}
    return subprocess.Popen([*command, str(file)], env=environment, **pipes)


def finished(process, folder):
    """The one record that the processes wrote."""
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()[-3000:]
    (path,) = folder.glob("*.json")
    return Run("dispersion", 5, records.read(path))


def killed_after_a_checkpoint(process):
    """kill -9 to all of them; the folder of the run."""
    saved = lambda: list((files.cache_dir() / "pretraining").glob("*/checkpoint-*/trainer_state.json"))
    deadline = time.monotonic() + 200
    while not saved() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    for one in [*psutil.Process(process.pid).children(recursive=True), process]:  # the children are no group of its
        one.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    (folder,) = (files.cache_dir() / "pretraining").iterdir()
    return folder


@pytest.mark.parametrize("config", ["ddp", "fsdp"])
def test_two_processes_give_the_numbers_of_one_and_go_on_when_killed(config, toy, tmp_path, monkeypatch):
    (asked,) = runfile.read(toy(batch=4, steps=60)).configs
    alone = Run("dispersion", 5, pretraining.train(asked))
    file = toy("processes = 2", batch=2, steps=60)
    folder = killed_after_a_checkpoint(started(file, config))
    first = folder / "look-0000000.npz"
    with np.load(first) as look:
        marked = {name: look[name] for name in look.files} | {"loss": np.float64(123.0)}
    np.savez(first, **marked)
    together = finished(started(file, config), tmp_path / "together")
    assert not folder.exists()
    assert together.results["validation_loss"][0] == 123.0  # it went on: what was seen before is kept
    assert together.results["validation_loss"][1:] == pytest.approx(alone.results["validation_loss"][1:], abs=1e-4)
    assert together.validation_loss < alone.results["validation_loss"][0] - 0.01
    np.testing.assert_allclose(together.mu, alone.mu, atol=1e-3)
    terms = ["loss", "loss_language", "loss_regulariser", "learning_rate"]
    np.testing.assert_allclose(together.curve[terms], alone.curve[terms], rtol=1e-3, atol=1e-4)
    assert together.results["tokens"] == alone.results["tokens"] == 60 * 4 * 16
    assert together.record.content["config"] == asked | {"processes": 2, "batch_size": 2}
    assert ("weights_sha256" in together.results, "weights_sha256" in alone.results) == (False, True)
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "together"))
    assert pretraining.check_run(together, 3)["agrees"].all()


def test_bad_input_is_one_line_and_status_2(tmp_path):
    command = [sys.executable, "-m", "decondense.launch", str(tmp_path / "no.toml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: There is no file" in done.stderr
    assert "Traceback" not in done.stderr
