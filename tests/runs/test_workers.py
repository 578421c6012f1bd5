"""Runs side by side in processes of their own: stand-ins that do as they are told, and once the real thing."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from toys import tiny

import decondense
from decondense import records
from decondense.runs import midtraining, workers

STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    config = json.loads(line)
    print(config.get("warns", ""), file=sys.stderr)
    with open(os.environ["STARTED"], "a") as file:
        print(os.getpid(), config["seed"], os.environ["OMP_NUM_THREADS"], file=file)
    time.sleep(config.get("seconds", 0))
    for step in config.get("says", ()):
        print(step, flush=True)
    if "error" in config:
        raise ValueError(config["error"])
    if config.get("dies"):
        os._exit(9)
    print("done", flush=True)
"""

ORPHAN = """
import sys, time, types
from decondense import workers

def train(config, progress):
    for step in range(1, 201):
        time.sleep(0.05)
        open(sys.argv[2], "a").write(".")
        progress(step)

sys.modules["decondense.runs.midtraining"] = types.SimpleNamespace(train=train)  # the real one takes seconds to import
workers.main()
"""
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, sys.argv[1], "midtraining", sys.argv[2]], stdin=-1, stdout=-1, text=True)
print("{}", file=child.stdin, flush=True)
child.stdout.readline()
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.fixture
def started(tmp_path, monkeypatch):
    """Stand-ins in place of the children; gives a function that tells what they began: (process, seed, threads)."""
    package = tmp_path / "stand_in" / "decondense"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "workers.py").write_text(STAND_IN)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setenv("STARTED", str(tmp_path / "started"))
    return lambda: [tuple(map(int, line.split())) for line in (tmp_path / "started").read_text().splitlines()]


def at_most(number, monkeypatch):
    monkeypatch.setattr(workers, "side_by_side", lambda parameters: number)


def config(seed, **told):
    return {"model": "toy", "loss": "dispersion", "seed": seed, **told}


def assert_ended(started):
    for process, *_ in started():
        assert not psutil.pid_exists(process)


def test_one_child_makes_run_after_run(started, monkeypatch):
    at_most(1, monkeypatch)
    workers.train_all([config(seed) for seed in range(5)], 100)
    processes, seeds, threads = zip(*started(), strict=True)
    assert len(set(processes)) == 1
    assert os.getpid() not in processes
    assert seeds == (0, 1, 2, 3, 4)
    assert set(threads) == {1}
    assert_ended(started)


def test_several_children_share_the_runs(started, monkeypatch):
    at_most(3, monkeypatch)
    workers.train_all([config(seed, seconds=0.3) for seed in range(5)], 100)
    processes, seeds, _ = zip(*started(), strict=True)
    assert len(set(processes)) == 3
    assert sorted(seeds) == [0, 1, 2, 3, 4]
    assert_ended(started)


def test_there_are_no_more_children_than_runs(started, monkeypatch):
    at_most(8, monkeypatch)
    children, popen = [], workers.subprocess.Popen
    monkeypatch.setattr(workers.subprocess, "Popen", lambda *a, **how: children.append(a) or popen(*a, **how))
    workers.train_all([config(0, seconds=0.1), config(1, seconds=0.1)], 100)
    assert len(children) == 2


def test_a_failure_says_which_run_and_why(started, monkeypatch):
    at_most(1, monkeypatch)
    failing = [config(3), config(4, error="no such corpus", warns="a warning on the way"), config(5)]
    with pytest.raises(
        RuntimeError, match=r"^A training run failed \(toy, loss dispersion, seed 4\): ValueError: no such corpus$"
    ):
        workers.train_all(failing, 100)
    assert [seed for _, seed, _ in started()] == [3, 4]  # no run is begun after it
    assert_ended(started)


def test_a_child_that_vanishes_is_a_failure(started, monkeypatch):
    at_most(1, monkeypatch)
    with pytest.raises(RuntimeError, match=r"seed 0\): it said nothing, maybe for want of memory"):
        workers.train_all([config(0, dies=True)], 100)


@pytest.mark.parametrize("first", [0, 1], ids=["long", "failing"])
def test_a_failure_ends_the_other_children(started, monkeypatch, first):
    at_most(2, monkeypatch)
    calls, popen = [], workers.subprocess.Popen

    def one_after_the_other(*command, **how):  # so that the first worker has the first run
        calls.append(command)
        time.sleep(0.2 * (len(calls) - 1))
        return popen(*command, **how)

    monkeypatch.setattr(workers.subprocess, "Popen", one_after_the_other)
    pair = [config(0, seconds=30), config(1, error="broken", seconds=0.5)]
    start = time.perf_counter()
    with pytest.raises(RuntimeError, match="broken"):
        workers.train_all([pair[first], pair[1 - first], config(2)], 100)
    assert time.perf_counter() - start < 15
    assert sorted(seed for _, seed, _ in started()) == [0, 1]
    assert_ended(started)


def test_an_interrupt_ends_the_children(started, monkeypatch):
    at_most(2, monkeypatch)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    me = threading.main_thread().ident
    timer = threading.Timer(1.0, lambda: signal.pthread_kill(me, signal.SIGINT))
    timer.start()
    start = time.perf_counter()
    try:
        with pytest.raises(KeyboardInterrupt):
            workers.train_all([config(0, seconds=30), config(1, seconds=30)], 100)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, before)
    assert time.perf_counter() - start < 15
    assert_ended(started)


def test_the_bar_counts_steps_also_of_a_run_that_goes_on(started, monkeypatch):
    at_most(1, monkeypatch)
    bars = []

    class Bar(workers.tqdm):
        def __init__(self, *args, **how):
            super().__init__(*args, **how)
            bars.append(self)

    monkeypatch.setattr(workers, "tqdm", Bar)
    workers.train_all([config(0, steps=9, says=[5, 6, 9]), config(1, steps=20, stop_after=4, says=[1, 4])], 100)
    assert [(bar.n, bar.total) for bar in bars] == [(13, 13)]


def test_a_child_without_a_parent_ends_at_its_next_step(tmp_path):
    """kill -9 to the parent alone: the child, which nobody listens to, leaves no record."""
    script = tmp_path / "child.py"
    script.write_text(ORPHAN)
    kill = [sys.executable, "-c", PARENT, str(script), str(tmp_path / "steps")]
    environment = os.environ | {"PYTHONPATH": str(Path(decondense.__file__).parents[1])}
    with subprocess.Popen(kill, stdout=subprocess.PIPE, text=True, env=environment) as parent:
        child = int(parent.stdout.readline())
        parent.kill()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not psutil.pid_exists(child)
    assert len((tmp_path / "steps").read_text()) < 200


# --- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "fit", "number"), [(4, 9, 4), (4, 3, 3), (4, 0, 1), (1, 9, 1)])
def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch, cores, fit, number):
    parameters = 1000
    free = fit * parameters * workers.BYTES_PER_PARAMETER + 7
    monkeypatch.setattr(workers.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert workers.side_by_side(parameters) == number
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert workers.side_by_side(parameters) == number


@pytest.mark.parametrize(("visible", "names"), [(None, ["0", "1"]), ("2,3", ["2", "3"])])
def test_one_worker_on_each_gpu(started, monkeypatch, visible, names):
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(workers.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert workers.side_by_side(10**12) == 2
    seen, popen = [], workers.subprocess.Popen
    keep = lambda *a, env, **how: seen.append(env["CUDA_VISIBLE_DEVICES"]) or popen(*a, env=env, **how)
    monkeypatch.setattr(workers.subprocess, "Popen", keep)
    workers.train_all([config(seed, seconds=0.3) for seed in range(4)], 100)
    assert sorted(seen) == names
    assert {threads for *_, threads in started()} == {3}
    assert_ended(started)


# --- the child ------------------------------------------------------------------------------------------------------


def test_child_answers_each_line_and_keeps_noise_apart(monkeypatch, capsys):
    seen, answers = [], io.StringIO()

    def train(config, progress):
        assert answers.getvalue() == "1\n2\ndone\n" * len(seen)  # an answer comes after its run
        seen.append(config)
        progress(1)
        progress(2)
        print("loss 3.1")

    monkeypatch.setattr(midtraining, "train", train)
    monkeypatch.setattr(sys, "argv", ["workers", "midtraining"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(json.dumps(config(seed)) + "\n" for seed in (1, 2))))
    monkeypatch.setattr(sys, "stdout", answers)
    workers.main()
    assert seen == [config(1), config(2)]
    assert answers.getvalue() == "1\n2\ndone\n1\n2\ndone\n"


def test_real_children_make_records_and_a_bad_configuration_stops_them(tmp_path, tiny_tokenizer, monkeypatch):
    """A tiny model in a local folder, on a local corpus; the last run asks for a layer that it does not have."""
    tiny("gpt2").save_pretrained(tmp_path / "gpt2-toy")
    tiny_tokenizer.save_pretrained(tmp_path / "gpt2-toy")
    rng = np.random.default_rng(0)
    rows = [" ".join(f"w{i}" for i in rng.integers(0, 63, 40)) for _ in range(100)]
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "test_3000.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows))
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    monkeypatch.setenv("DECONDENSE_RECORDS", str(tmp_path / "records"))
    at_most(1, monkeypatch)
    sizes = {"batch_size": 2, "length": 16, "checkpoints": 1, "texts": 2, "text_length": 24, "held_out": 2}
    shared = midtraining.setup(str(tmp_path / "gpt2-toy"), "imdb", steps=2, sources=["local"], **sizes)
    changes = {"train": {}, "dispersion": {"loss": "dispersion"}, "bad": {"loss": "dispersion", "layers": [9]}}
    with pytest.raises(RuntimeError, match=r"loss dispersion, seed 0\): ValueError: layers=\[9\]: a model of 3 blocks"):
        midtraining.runs(shared, changes, [0])
    del changes["bad"]
    monkeypatch.setattr(workers, "train_all", lambda *_: pytest.fail("trained again"))
    train, dispersion = midtraining.runs(shared, changes, [0])
    assert train.mu.shape == (2, 4)
    assert dispersion.curve["loss_regulariser"].iloc[0] < 0
    assert train.curve["loss_language"][0] == dispersion.curve["loss_language"][0]
    assert records.read(train.record.path).content["provenance"]["hardware"]["torch_threads"] == 1
