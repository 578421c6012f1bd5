"""Runs side by side in processes of their own: stand-ins that do as they are told, and once the real thing."""

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace

import psutil
import pytest
from toy_runs import DISPERSION, WAIT, forked, mid, parent_of_a_worker, until

from decondense.runs import MidTraining, grid, store, workers

STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    config = json.loads(line)
    print(config.get("warns", ""), file=sys.stderr)
    with open(os.environ["STARTED"], "a") as file:
        print(os.getpid(), config["seed"], os.environ["OMP_NUM_THREADS"], file=file)
    while "after" in config and len(open(os.environ["STARTED"]).readlines()) < config["after"]:
        time.sleep(0.01)  # until so many runs have begun
    for step in config.get("says", ()):
        print(step, flush=True)
    if "error" in config:
        raise ValueError(config["error"])
    if config.get("dies"):
        os._exit(9)
    print("done", flush=True)
"""
NEVER = 999  # runs to wait for


@dataclass(frozen=True, kw_only=True)
class Told(MidTraining):
    """A run that tells the stand-in what to do."""

    told: Mapping = field(default_factory=dict)

    def as_dict(self):
        return super().as_dict() | self.told

    def parameters(self):
        return 100 + self.seed


def told(seed, steps=6, stop_after=None, **what):
    how = {"loss": "dispersion", "checkpoints": 1, "steps": steps, "stop_after": stop_after}
    return Told(model="gpt2", corpus="imdb", seed=seed, told=what, **how)


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Stand-ins in place of the children; gives a function that tells what they began: (process, seed, threads)."""
    package = tmp_path / "stand_in" / "decondense" / "runs"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").touch()
    (package / "__init__.py").touch()
    (package / "workers.py").write_text(STAND_IN)
    seen = tmp_path / "started"
    seen.touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "stand_in"))
    monkeypatch.setenv("STARTED", str(seen))
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: False)
    yield lambda: [tuple(map(int, line.split())) for line in seen.read_text().splitlines()]
    for line in seen.read_text().splitlines():
        assert not psutil.pid_exists(int(line.split()[0])), "a child is still there"


@pytest.fixture
def at_most(monkeypatch):
    def at_most(number):
        asked = []
        monkeypatch.setattr(workers, "side_by_side", lambda parameters: asked.append(parameters) or number)
        return asked

    return at_most


def test_one_child_makes_run_after_run(started, at_most):
    asked = at_most(1)
    workers.train_all([told(seed) for seed in (2, 0, 4, 1)])
    processes, seeds, threads = zip(*started(), strict=True)
    assert len(set(processes)) == 1
    assert os.getpid() not in processes
    assert seeds == (2, 0, 4, 1)
    assert set(threads) == {1}
    assert asked == [104]  # the largest decides how many fit


def test_several_children_share_the_runs(started, at_most):
    at_most(3)
    workers.train_all([told(seed, after=3) for seed in range(5)])
    processes, seeds, _ = zip(*started(), strict=True)
    assert len(set(processes)) == 3
    assert sorted(seeds) == [0, 1, 2, 3, 4]


def test_there_are_no_more_children_than_runs(started, at_most, monkeypatch):
    at_most(8)
    children, popen = [], workers.subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *a, **how: children.append(a) or popen(*a, **how))
    workers.train_all([told(0, after=2), told(1, after=2)])
    assert len(children) == 2


def test_a_failure_says_which_run_and_why(started, at_most):
    at_most(1)
    failing = [told(3), told(4, error="no such corpus", warns="a warning on the way"), told(5)]
    expected = r"^A training run failed \(midtraining-gpt2-dispersion, seed 4\): ValueError: no such corpus$"
    with pytest.raises(RuntimeError, match=expected):
        workers.train_all(failing)
    assert [seed for _, seed, _ in started()] == [3, 4]  # no run is begun after it


def test_a_child_that_vanishes_is_a_failure(started, at_most):
    at_most(1)
    with pytest.raises(RuntimeError, match=r"seed 0\): it said nothing, maybe for want of memory"):
        workers.train_all([told(0, dies=True)])


@pytest.mark.parametrize("first", [0, 1], ids=["long", "failing"])
def test_a_failure_ends_the_other_children(started, at_most, first):
    at_most(2)
    pair = [told(0, after=NEVER), told(1, after=2, error="broken")]
    with pytest.raises(RuntimeError, match="broken"):
        workers.train_all([pair[first], pair[1 - first], told(2)])
    assert sorted(seed for _, seed, _ in started()) == [0, 1]


def test_an_interrupt_ends_the_children(started, at_most):
    at_most(2)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    me = threading.main_thread().ident

    def interrupt():
        until(lambda: len(started()) == 2)
        signal.pthread_kill(me, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.train_all([told(seed, after=NEVER) for seed in (0, 1)])
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)


def test_the_bar_counts_steps_also_of_a_run_that_goes_on(started, at_most, monkeypatch):
    at_most(1)
    bars = []

    class Bar(workers.tqdm):
        def __init__(self, *args, **how):
            super().__init__(*args, **how)
            bars.append(self)

    monkeypatch.setattr(workers, "tqdm", Bar)
    workers.train_all([told(0, steps=9, says=[5, 6, 9]), told(1, steps=20, stop_after=4, says=[1, 4])])
    assert [(bar.n, bar.total, bar.desc) for bar in bars] == [(13, 13, "train 2 runs")]


# --- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "fit", "number"), [(4, 9, 4), (4, 3, 3), (4, 0, 1), (1, 9, 1)])
def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch, cores, fit, number):
    parameters = 1000
    free = fit * parameters * workers.BYTES_PER_PARAMETER + 7
    monkeypatch.setattr(workers.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(workers.machine, "cores", lambda: cores)
    assert workers.side_by_side(parameters) == number


@pytest.mark.parametrize(("visible", "names"), [(None, ["0", "1"]), ("2,3", ["2", "3"])])
def test_one_worker_on_each_gpu(started, monkeypatch, visible, names):
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(workers.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    seen, popen = [], workers.subprocess.Popen
    keep = lambda *a, env, **how: seen.append(env["CUDA_VISIBLE_DEVICES"]) or popen(*a, env=env, **how)
    monkeypatch.setattr(workers.subprocess, "Popen", keep)
    workers.train_all([told(seed, after=2) for seed in range(4)])
    assert sorted(seen) == names
    assert {threads for *_, threads in started()} == {3}


# --- the child ------------------------------------------------------------------------------------------------------


def test_child_answers_each_line_and_keeps_noise_apart(monkeypatch, capsys):
    configs = [mid(model="gpt2", seed=seed) for seed in (1, 2)]
    seen, answers = [], io.StringIO()

    def train(config, progress):
        assert answers.getvalue() == "1\n2\ndone\n" * len(seen)  # an answer comes after its run
        seen.append(config)
        progress(1)
        progress(2)
        print("loss 3.1")

    monkeypatch.setattr(store, "train", train)
    lines = "".join(json.dumps(config.as_dict()) + "\n" for config in configs)
    monkeypatch.setattr(sys, "stdin", io.StringIO(lines))
    monkeypatch.setattr(sys, "stdout", answers)
    workers.main()
    assert [config.as_dict() for config in seen] == [config.as_dict() for config in configs]
    assert answers.getvalue() == "1\n2\ndone\n1\n2\ndone\n"


@pytest.mark.slow_process
def test_a_child_without_a_parent_ends_at_its_next_step(tmp_path):
    """kill -9 to the parent alone: the child, which nobody listens to, leaves no record."""
    parent = forked(parent_of_a_worker, str(tmp_path / "child"))
    child = psutil.Process(int(until(lambda: (tmp_path / "child").exists() and (tmp_path / "child").read_text())))
    parent.kill()
    try:
        child.wait(WAIT)
    finally:
        with suppress(psutil.NoSuchProcess):
            child.kill()


@pytest.mark.slow_process
def test_real_children_make_records_and_a_bad_configuration_stops_them(world, at_most, monkeypatch):
    """The last run asks for a layer that its model does not have."""
    at_most(1)
    shared, changes = mid(), {"train": {}, "dispersion": DISPERSION, "bad": DISPERSION | {"layers": [9]}}
    with pytest.raises(RuntimeError, match=r"dispersion, seed 0\): ValueError: layers=\[9\]: a model of 3 blocks"):
        grid.runs(shared, changes, [0])
    del changes["bad"]
    monkeypatch.setattr(workers, "train_all", lambda *_: pytest.fail("trained again"))
    train, dispersion = grid.runs(shared, changes, [0])
    assert dispersion.curve["loss_regulariser"].iloc[0] != 0
    assert train.curve["loss_language"][0] == dispersion.curve["loss_language"][0]
    assert train.record.content["provenance"]["hardware"]["torch_threads"] == 1
    train.record.path.unlink()
    here = store.train(mid())
    assert here.content["results"] == train.results
    assert here.arrays.read_bytes() == train.record.arrays.read_bytes()
