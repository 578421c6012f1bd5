"""Runs side by side in processes of their own: stand-ins that do as they are told, and once the real thing."""

import io
import json
import os
import signal
import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from conftest import tiny

from decondense import midtraining, records, workers

STAND_IN = """
import json, os, sys, time
for line in sys.stdin:
    config = json.loads(line)
    print(config.get("warns", ""), file=sys.stderr)
    with open(os.environ["STARTED"], "a") as file:
        print(os.getpid(), config["seed"], os.environ["OMP_NUM_THREADS"], file=file)
    time.sleep(config.get("seconds", 0))
    if "error" in config:
        raise ValueError(config["error"])
    if config.get("dies"):
        os._exit(9)
    print("done", flush=True)
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
    monkeypatch.setattr(workers, "_workers", lambda parameters: number)


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


# --- how many -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cores", "fit", "number"), [(4, 9, 4), (4, 3, 3), (4, 0, 1), (1, 9, 1)])
def test_workers_are_as_many_as_cores_and_memory_allow(monkeypatch, cores, fit, number):
    parameters = 1000
    free = fit * parameters * workers.BYTES_PER_PARAMETER + 7
    monkeypatch.setattr(workers.psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(cores)), raising=False)
    assert workers._workers(parameters) == number
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert workers._workers(parameters) == number


def test_one_worker_on_a_gpu(monkeypatch):
    monkeypatch.setattr(workers.torch.cuda, "is_available", lambda: True)
    assert workers._workers(1) == 1


# --- the child ------------------------------------------------------------------------------------------------------


def test_child_answers_each_line_and_keeps_noise_apart(monkeypatch, capsys):
    seen, answers = [], io.StringIO()

    def train(config):
        assert answers.getvalue() == "done\n" * len(seen)  # an answer comes after its run
        seen.append(config)
        print("loss 3.1")

    monkeypatch.setattr(midtraining, "train", train)
    monkeypatch.setattr(sys, "argv", ["workers", "midtraining"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(json.dumps(config(seed)) + "\n" for seed in (1, 2))))
    monkeypatch.setattr(sys, "stdout", answers)
    workers.main()
    assert seen == [config(1), config(2)]
    assert answers.getvalue() == "done\ndone\n"


def test_real_children_make_records_and_a_bad_configuration_stops_them(tmp_path, tiny_tokenizer, monkeypatch):
    """A tiny model in a local folder, on a local corpus; the last run asks for a loss that does not exist."""
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
    changes = {"train": {}, "dispersion": {"loss": "dispersion"}, "bad": {"loss": "dispersal"}}
    with pytest.raises(RuntimeError, match=r"loss dispersal, seed 0\): ValueError: Unknown loss 'dispersal'"):
        midtraining.runs(shared, changes, [0])
    del changes["bad"]
    monkeypatch.setattr(workers, "train_all", lambda *_: pytest.fail("trained again"))
    train, dispersion = midtraining.runs(shared, changes, [0])
    assert train.mu.shape == (2, 4)
    assert dispersion.curve["loss_regulariser"].iloc[0] < 0
    assert train.curve["loss_language"][0] == dispersion.curve["loss_language"][0]
    assert records.read(train.record.path).content["provenance"]["hardware"]["torch_threads"] == 1
