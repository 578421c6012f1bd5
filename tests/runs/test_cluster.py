"""Runs as jobs: the records of the ordinary way, in two processes, after a kill, and on a stand-in for SLURM."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

import decondense
from decondense import records
from decondense.base import files
from decondense.runs import cluster, grid, runfile, workers

TOY = """
experiment = "toy"
corpus = "imdb"
sources = ["local"]
tokenizer = "{tokenizer}"
steps = {steps}
batch_size = 2
length = 16
text_length = 24
checkpoints = 3
texts = 2
held_out = 4
learning_rate = 1e-2
seeds = {seeds}
[shape]
architecture = "GPT2Config"
n_embd = 16
n_layer = 2
n_head = 2
[changes.none]
[changes.dispersion]
loss = "dispersion"
"""


@pytest.fixture
def toy(tmp_path, tiny_tokenizer, monkeypatch):
    """What is asked for, beside a corpus and a tokenizer that another process can read."""
    pytest.importorskip("submitit")
    tiny_tokenizer.save_pretrained(tmp_path / "tokenizer")
    (tmp_path / "tokenizer" / "config.json").write_text('{"model_type": "gpt2"}')
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 63, 40)) for _ in range(200)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows))
    path = [str(Path(decondense.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setattr(records, "committed_folder", lambda: tmp_path / "committed")
    monkeypatch.chdir(tmp_path)

    def ask(steps=6, seeds=(5,)):
        text = TOY.format(tokenizer=tmp_path / "tokenizer", steps=steps, seeds=list(seeds))
        (tmp_path / "toy.toml").write_text(text)
        return runfile.read(tmp_path / "toy.toml")

    return ask


def runs(asked, folder, monkeypatch, engine=None):
    monkeypatch.setenv("DECONDENSE_RECORDS", str(folder))
    return grid.runs(asked.kind, asked.jobs, True, engine)


def without_origin(folder):
    """Each file's content by its name; of a record all but where and when it was made."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        found[path.name] = json.dumps({name: content[name] for name in content if name not in ("provenance", "sha256")})
    return found


def assert_tidy(folder):
    """No pickle is left of the engine, neither in the cache nor beside the command."""
    assert not (folder / "decondense-jobs").exists()
    assert not list(files.cache_dir().rglob("*.pkl"))


# --- on this machine ------------------------------------------------------------------------------------------------


def test_two_jobs_give_the_records_of_the_ordinary_way_and_nothing_is_made_twice(toy, tmp_path, monkeypatch):
    asked = toy(seeds=(5, 6))
    found = runs(asked, tmp_path / "jobs", monkeypatch, cluster.engine("local", 2))
    assert_tidy(tmp_path)
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 1)
    runs(asked, tmp_path / "ordinary", monkeypatch)
    ordinary = without_origin(tmp_path / "ordinary")
    assert without_origin(tmp_path / "jobs") == ordinary
    assert len(ordinary) == 8  # four records, and the arrays of each
    threads = {run.record.content["provenance"]["hardware"]["torch_threads"] for run in found}
    assert threads == {1}
    monkeypatch.setattr(cluster, "_here", lambda *_: pytest.fail("a job for nothing"))
    again = runs(asked, tmp_path / "jobs", monkeypatch, cluster.engine("local", 2))
    assert [run.record for run in again] == [run.record for run in found]


def worker():
    """The process of a job, once it has saved a checkpoint."""
    deadline = time.monotonic() + 150
    while time.monotonic() < deadline:
        saved = list((files.cache_dir() / "pretraining").glob("*/checkpoint-*/trainer_state.json"))
        for child in psutil.Process().children(recursive=True):
            if saved and "submitit.core._submit" in " ".join(child.cmdline()):
                return child
        time.sleep(0.05)
    raise TimeoutError


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGUSR2], ids=["killed", "pre-empted"])
def test_a_job_that_is_ended_goes_on(how, toy, tmp_path, monkeypatch):
    """kill -9: the command fails and says so, and once more it goes on. Pre-empted: the engine sees to it."""
    asked = toy(steps=400)
    asked = asked._replace(jobs=asked.jobs[1:])
    seen = []

    def end():
        victim = worker()
        (folder,) = (files.cache_dir() / "pretraining").iterdir()
        with np.load(folder / "look-0000000.npz") as look:
            marked = {name: look[name] for name in look.files} | {"loss": np.float64(123.0)}
        np.savez(folder / "look-0000000.npz", **marked)
        victim.send_signal(how)
        seen.append(victim)

    thread = threading.Thread(target=end)
    thread.start()
    engine = cluster.engine("local", 1)
    if how == signal.SIGKILL:
        with pytest.raises(
            RuntimeError, match=r"A job ended without the record of its run \(toy, seed 5\): .* The log is"
        ):
            runs(asked, tmp_path / "jobs", monkeypatch, engine)
        assert not list((tmp_path / "jobs").glob("*"))
        assert list((tmp_path / "decondense-jobs").rglob("*.out"))
        assert not list((tmp_path / "decondense-jobs").rglob("*.pkl"))
    (run,) = runs(asked, tmp_path / "jobs", monkeypatch, engine)
    thread.join()
    assert len(seen) == 1
    assert run.results["validation_loss"][0] == 123.0  # it went on: what was seen before is kept
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 1)
    (whole,) = runs(asked, tmp_path / "whole", monkeypatch)
    assert run.results["weights_sha256"] == whole.results["weights_sha256"]
    assert run.results["curve"] == whole.results["curve"]


def test_an_interrupt_ends_the_jobs(toy, tmp_path, monkeypatch):
    asked = toy(steps=4000)
    seen = []

    def wait(*_, **__):
        seen.append(worker())
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "_wait", wait)
    with pytest.raises(KeyboardInterrupt):
        runs(asked, tmp_path / "jobs", monkeypatch, cluster.engine("local", 1))
    deadline = time.monotonic() + 30
    while psutil.pid_exists(seen[0].pid) and seen[0].status() != "zombie" and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not seen[0].is_running() or seen[0].status() == "zombie"


# --- on SLURM: commands of its names that start processes here -------------------------------------------------------

SBATCH = """#!{python}
import os, re, subprocess, sys
text = open(sys.argv[1]).read()
open("sbatch.txt", "w").write(text)
array = re.search(r"--array=0-(\\d+)", text)
for number in range(int(array.group(1)) + 1 if array else 1):
    own = {{"SLURM_JOB_ID": str(12 + number), "SLURM_NTASKS": "1", "SLURM_PROCID": "0", "SLURM_LOCALID": "0"}}
    if array:
        own |= {{"SLURM_ARRAY_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": str(number)}}
    subprocess.Popen(["bash", sys.argv[1]], env=os.environ | own, stdout=-3, stderr=-3, start_new_session=True)
print("Submitted batch job 12")
"""
SRUN = """#!{python}
import os, sys
where = sys.argv.index("--output") + 1
name = sys.argv[where].replace("%t", "0").replace("%j", "12")
name = name.replace("%A", "12").replace("%a", os.environ.get("SLURM_ARRAY_TASK_ID", ""))
out = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
os.dup2(out, 1)
os.dup2(out, 2)
os.execvp(sys.argv[where + 1], sys.argv[where + 1 :])
"""
SACCT = "#!/bin/sh\necho 'JobID|State|NodeList'\n"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    place = tmp_path / "bin"
    place.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SACCT}.items():
        (place / name).write_text(text.format(python=sys.executable))
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), os.environ["PATH"]]))


@pytest.mark.parametrize("jobs", [None, 1], ids=["array", "single"])
def test_slurm_gets_one_array_and_the_records_come(jobs, toy, slurm, tmp_path, monkeypatch):
    asked = toy()
    options = {"partition": "gpu", "time": 240, "cpus_per_task": 2}
    found = runs(asked, tmp_path / "jobs", monkeypatch, cluster.engine("slurm", jobs, options))
    assert [run.label for run in found] == ["none", "dispersion"]
    script = (tmp_path / "sbatch.txt").read_text().splitlines()
    flags = {line.removeprefix("#SBATCH --") for line in script if line.startswith("#SBATCH")}
    assert {"partition=gpu", "time=240", "cpus-per-task=2", "job-name=decondense"} <= flags
    assert ("array=0-1%2" in flags) == (jobs is None)
    assert_tidy(tmp_path)


def test_a_failed_job_says_why(toy, slurm, tmp_path, monkeypatch):
    asked = toy()
    (label, config) = asked.jobs[1]
    bad = [(label, config | {"layers": [9]})]
    with pytest.raises(
        RuntimeError, match=r"\(toy, seed 5\): ValueError: layers=\[9\]: a model of 2 blocks .* The log is"
    ):
        runs(asked._replace(jobs=bad), tmp_path / "jobs", monkeypatch, cluster.engine("slurm"))


# --- at the door ----------------------------------------------------------------------------------------------------


def test_without_the_engine_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=r"python -m pip install 'decondense\[cluster\]'"):
        cluster.engine("slurm")


def test_a_bad_place_or_option_is_refused(tmp_path, monkeypatch, slurm):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"Unknown place for jobs 'slrum'\. Did you mean 'slurm'"):
        cluster.engine("slrum")
    with pytest.raises(ValueError, match="Jobs on this machine have no options of SLURM: partition"):
        cluster.engine("local", options={"partition": "gpu"})
    with pytest.raises(ValueError, match="gpus_per_nod"):
        cluster.engine("slurm", options={"gpus_per_nod": 1})


def test_without_slurm_it_says_so(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="srun"):
        cluster.engine("slurm")


@pytest.mark.parametrize(
    ("options", "device"),
    [({}, "cpu"), ({"partition": "long"}, "cpu"), ({"gpus_per_node": 1}, "cuda"), ({"gres": "gpu:1"}, "cuda")],
)
def test_device_of_jobs(options, device):
    assert cluster.device_of(options) == device
