"""Runs as jobs: the records of the ordinary way, after a kill, and on a stand-in for SLURM."""

import json
import os
import re
import signal
import sys
import threading

import psutil
import pytest
from toy_runs import DISPERSION, MARK, mark, scratch, until

from decondense.base import errors, files
from decondense.runs import cluster, grid, loop, store, workers

pytestmark = pytest.mark.usefixtures("world")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Where the command is started; the ordinary way is in this process."""
    pytest.importorskip("submitit")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(workers, "train_all", lambda configs: [store.train(config) for config in configs])


def make(jobs, engine=None, where="records"):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DECONDENSE_RECORDS", os.path.abspath(where))
        return grid.made(jobs, train_all=engine)


def without_origin(folder):
    """Each file's content by its name; of a record all but where and when it was made."""
    found = {path.name: path.read_bytes() for path in folder.glob("*.npz")}
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        found[path.name] = {name: content[name] for name in content if name not in ("provenance", "sha256")}
    return found


# --- on this machine ------------------------------------------------------------------------------------------------


@pytest.mark.slow_process
def test_two_jobs_give_the_records_of_the_ordinary_way_and_nothing_is_made_twice(tmp_path, monkeypatch):
    jobs = grid.jobs(scratch(), {"plain": {}, "dispersion": DISPERSION}, [5, 6])
    found = make(jobs, cluster.engine("local", 2), "jobs")
    assert not (tmp_path / "decondense-jobs").exists()
    assert not list(files.cache_dir().rglob("*.pkl"))
    make(jobs)
    ordinary = without_origin(tmp_path / "records")
    assert without_origin(tmp_path / "jobs") == ordinary
    assert len(ordinary) == 8  # four records, and the arrays of each
    assert {run.record.content["provenance"]["hardware"]["torch_threads"] for run in found} == {1}
    monkeypatch.setattr(cluster, "_here", lambda *_: pytest.fail("a job for nothing"))
    again = make(jobs, cluster.engine("local", 2), "jobs")
    assert [run.record for run in again] == [run.record for run in found]


def job():
    """The process of a job, once there is one."""
    processes = psutil.Process().children(recursive=True)
    return next((child for child in processes if "submitit.core._submit" in cluster._command(child)), None)


@pytest.mark.slow_process
def test_a_job_that_is_ended_goes_on(tmp_path):
    """kill -9: the command fails and says so, and once more it goes on. Pre-empted: the engine sees to it."""
    jobs, engine = [("a", scratch(steps=400, seed=5))], cluster.engine("local", 1)
    places = lambda: (files.cache_dir() / "pretraining").glob("*/checkpoint-*")
    saved = lambda: {place / "trainer_state.json" for place in places() if loop._is_whole(place)}
    seen, ended = set(), []

    def end(how):
        (state, *_) = until(lambda: saved() - seen)
        seen.update(saved())
        mark(state.parents[1])
        victim = job()
        victim.send_signal(how)
        ended.append(victim.pid)

    def made(how):
        thread = threading.Thread(target=end, args=(how,))
        thread.start()
        try:
            return make(jobs, engine)
        finally:
            thread.join()

    failed = r"A job ended without the record of its run \(toy-gpt2-train, seed 5\): .* The log is"
    with pytest.raises(RuntimeError, match=failed):
        made(signal.SIGKILL)
    assert not list((tmp_path / "records").glob("*"))
    assert list((tmp_path / "decondense-jobs").rglob("*.out"))
    assert not list((tmp_path / "decondense-jobs").rglob("*.pkl"))
    (run,) = made(signal.SIGUSR2)
    assert len(set(ended)) == 2
    assert run.results["validation_loss"][0] == MARK  # it went on: what was seen before is kept
    (whole,) = make(jobs, where="whole")
    assert run.results["weights_sha256"] == whole.results["weights_sha256"]
    assert run.results["curve"] == whole.results["curve"]


@pytest.mark.slow_process
def test_an_interrupt_ends_the_jobs(monkeypatch):
    seen = []

    def wait(*_, **__):
        seen.append(until(job))
        raise KeyboardInterrupt

    monkeypatch.setattr(cluster, "_wait", wait)
    with pytest.raises(KeyboardInterrupt):
        make([("a", scratch(steps=4000))], cluster.engine("local", 1))
    until(lambda: not seen[0].is_running() or seen[0].status() == "zombie")


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
    if "ONLY_ASKED" not in os.environ:
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
    """Gives the options that the last job was submitted with."""
    place = tmp_path / "bin"
    place.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "sacct": SACCT, "scancel": SACCT}.items():
        (place / name).write_text(text.format(python=sys.executable))
        (place / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(place), os.environ["PATH"]]))
    lines = lambda: (tmp_path / "sbatch.txt").read_text().splitlines()
    return lambda: {line.removeprefix("#SBATCH --") for line in lines() if line.startswith("#SBATCH")}


@pytest.mark.slow_process
def test_slurm_gets_one_array_the_records_come_and_a_failed_job_says_why(slurm, tmp_path):
    options = {"partition": "gpu", "time": 240, "cpus_per_task": 2}
    jobs = grid.jobs(scratch(), {"good": {}, "bad": DISPERSION | {"layers": [9]}}, [5])
    failed = r"\(toy-gpt2-dispersion, seed 5\): ValueError: layers=\[9\]: a model of 2 blocks .* The log is"
    with pytest.raises(RuntimeError, match=failed):
        make(jobs, cluster.engine("slurm", options=options))
    assert {"partition=gpu", "time=240", "cpus-per-task=2", "job-name=decondense", "array=0-1%2"} <= slurm()
    assert len(list((tmp_path / "records").glob("*.json"))) == 1
    (run,) = make(jobs[:1], lambda configs: pytest.fail("it has a record"))
    assert run.label == "good"


@pytest.mark.parametrize(("count", "array"), [(1, None), (3, "array=0-2%3")])
def test_one_job_is_no_array(slurm, tmp_path, monkeypatch, count, array):
    monkeypatch.setenv("ONLY_ASKED", "1")
    cluster._on_slurm(tmp_path / "jobs", {}, [[scratch(seed=seed).as_dict()] for seed in range(count)])
    assert {option for option in slurm() if option.startswith("array")} == ({array} if array else set())
    assert f"time={cluster.MINUTES}" in slurm()


@pytest.mark.parametrize(
    ("where", "jobs", "counts"),
    [("slurm", None, [1, 1, 1, 1, 1]), ("slurm", 2, [3, 2]), ("local", None, [2, 2, 1]), ("local", 9, [1, 1, 1, 1, 1])],
)
def test_runs_are_dealt_to_the_jobs(monkeypatch, where, jobs, counts):
    dealt, configs = [], [scratch(seed=seed) for seed in range(5)]
    for name in ("_on_slurm", "_here"):
        monkeypatch.setattr(cluster, name, lambda folder, options, parts: dealt.extend(parts) or [])
    monkeypatch.setattr(cluster, "_wait", lambda *_, **__: None)
    monkeypatch.setattr(cluster, "_check", lambda *_: None)
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: 3)
    cluster._train_all(where, jobs, {}, configs)
    assert [len(part) for part in dealt] == counts
    assert sorted(config["seed"] for part in dealt for config in part) == [0, 1, 2, 3, 4]


def test_a_job_finds_the_device_itself_and_makes_its_part(monkeypatch):
    monkeypatch.setenv("DECONDENSE_DEVICE", "cuda")  # what the command said of it
    configs = [scratch(), scratch(seed=1)]
    cluster.make([config.as_dict() for config in configs])
    assert "DECONDENSE_DEVICE" not in os.environ
    assert all(store.find(config, False) for config in configs)
    again = cluster.make.checkpoint([{"seed": 3}])  # what submitit asks of a job that is pre-empted
    assert (again.function, again.args) == (cluster.make, ([{"seed": 3}],))


# --- at the door ----------------------------------------------------------------------------------------------------


def test_without_the_engine_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ImportError, match=re.escape(errors.installs("cluster"))):
        cluster.engine("slurm")


def test_a_bad_place_or_option_is_refused(slurm):
    with pytest.raises(ValueError, match=r"Unknown place for jobs 'slrum'\. Did you mean 'slurm'"):
        cluster.engine("slrum")
    with pytest.raises(ValueError, match="Jobs on this machine have no options of SLURM: partition"):
        cluster.engine("local", options={"partition": "gpu"})
    with pytest.raises(ValueError, match="gpus_per_nod"):
        cluster.engine("slurm", options={"gpus_per_nod": 1})


def test_without_slurm_it_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RuntimeError, match="srun"):
        cluster.engine("slurm")


@pytest.mark.parametrize(
    ("options", "device"),
    [({}, "cpu"), ({"partition": "long"}, "cpu"), ({"gpus_per_node": 1}, "cuda"), ({"gres": "gpu:1"}, "cuda")],
)
def test_device_of_jobs(options, device):
    assert cluster.device_of(options) == device
