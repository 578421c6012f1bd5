"""The runs of a file in two processes: the numbers of one process, one record, a kill, and sharded weights."""

import os
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import pytest
import tiny_launch
from accelerate.commands.launch import _validate_launch_command, launch_command_parser
from accelerate.utils.launch import prepare_multi_gpu_env
from toy_runs import MARK, WAIT, all_done, mark, toy_model, two_forked, until, write_runs

from decondense import launch, records
from decondense.base import files
from decondense.runs import grid, loop, runfile, store
from decondense.runs.run import Run

RECIPES = Path(runfile.__file__).parent / "recipes"
pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture
def toy(tmp_path):
    """Writes the file."""
    return lambda more="", **keys: write_runs(tmp_path / "toy.toml", more, tokenizer=toy_model(), **keys)


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


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
def test_bad_input_is_one_line_and_status_2(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["launch", str(tmp_path / "no.toml")])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("decondense.launch", run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: There is no file")
    monkeypatch.setenv("DECONDENSE_DEBUG", "1")
    with pytest.raises(FileNotFoundError):
        runpy.run_module("decondense.launch", run_name="__main__")


# --- two processes --------------------------------------------------------------------------------------------------


def command(config, file):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--config_file", str(RECIPES / f"{config}.yaml"), "--num_processes", "2", "--main_process_port"]
    return [*options, str(port), tiny_launch.__file__, str(file)]


def launched(config, file):
    """By `accelerate launch`."""
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    program = [sys.executable, "-m", "accelerate.commands.launch", *command(config, file)]
    subprocess.run(program, env=environment, stdout=subprocess.DEVNULL, timeout=WAIT, check=True)


def started(config, file):
    """The same two processes with what `accelerate launch` tells them, without its imports."""
    asked, *_ = _validate_launch_command(launch_command_parser().parse_args(command(config, file)))
    told = {name: value for name, value in prepare_multi_gpu_env(asked).items() if os.environ.get(name) != value}
    return two_forked(tiny_launch.run, str(file), **told)


def of_both(checkpoint):
    """Whether both processes have written all that is theirs."""
    states = [path for path in checkpoint.glob("rng_state*.pth") if is_zipfile(path)]
    return loop._is_whole(checkpoint) and len(states) == 2


@pytest.mark.slow_process
@pytest.mark.parametrize("config", ["ddp", "fsdp"])
def test_two_processes_give_the_numbers_of_one_and_go_on_when_killed(config, toy, tmp_path, monkeypatch):
    how = {"steps": 40, "learning_rate": 3e-3}
    ((label, asked),) = runfile.read(toy(batch_size=4, **how))
    alone = Run(label, 5, store.train(asked))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "together"))
    file = toy("processes = 2", batch_size=2, **how)
    killed = started(config, file)
    places = lambda: (files.cache_dir() / "pretraining").glob("*/checkpoint-*")
    until(lambda: any(map(of_both, places())), killed[0])  # one that a kill cuts short is not gone on from
    for process in killed:
        process.kill()
    for process in killed:
        process.join()
    assert killed[0].exitcode == -signal.SIGKILL
    (folder,) = (files.cache_dir() / "pretraining").iterdir()
    mark(folder)
    if config == "ddp":
        launched(config, file)
    else:
        all_done(started(config, file))
    assert not folder.exists()
    (path,) = (tmp_path / "together").glob("*.json")
    together = Run(label, 5, records.read(path))
    assert together.results["validation_loss"][0] == MARK  # it went on: what was seen before is kept
    assert together.results["validation_loss"][1:] == pytest.approx(alone.results["validation_loss"][1:], abs=1e-4)
    assert together.validation_loss < alone.results["validation_loss"][0] - 0.01
    np.testing.assert_allclose(together.mu, alone.mu, atol=5e-3)
    terms = ["loss", "loss_language", "loss_regulariser", "learning_rate"]
    np.testing.assert_allclose(together.curve[terms], alone.curve[terms], rtol=1e-3, atol=1e-4)
    assert together.results["tokens"] == alone.results["tokens"] == 40 * 4 * 16
    assert together.config == asked.as_dict() | {"processes": 2, "batch_size": 2}
    assert ("weights_sha256" in together.results, "weights_sha256" in alone.results) == (False, True)
    assert grid.check_run(together, 3)["agrees"].all()
