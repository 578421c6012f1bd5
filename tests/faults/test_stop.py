"""Ctrl-C, SIGTERM, and a lid that is closed: at random points of `decondense reproduce`."""

import random
import signal
import time

import pytest
import toy


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_stopped(tmp_path, undisturbed, tally, number, seed):
    """All that it started ends, nothing is left, the exit status is 130, and the same command goes on."""
    whole, seconds = undisturbed
    root = toy.clone(tmp_path / "clone")
    run = toy.Run(root)
    run.wait_for("Profile ci")
    time.sleep(random.Random(seed).uniform(0.0, 0.5 * seconds))
    run.process.send_signal(number)
    status, said = run.wait(30)
    assert (status, "goes on from here" in said) == (130, True), said
    assert run.orphans(1) == []
    assert toy.left_over(root) == []
    corrupt = toy.corrupt(root, whole)
    toy.finish(root)
    tally(number.name, 1, corrupt, [toy.results(root) == whole])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_what_a_notebook_started_ends_too(tmp_path, tally, number):
    """As the training processes of a notebook: they are the kernel's children."""
    run = toy.Run(toy.clone(tmp_path / "clone", waits=toy.WAITS), "--only", "waits")
    run.wait_for(toy.WAITING)
    run.process.send_signal(number)
    assert run.wait(30)[0] == 130
    tally(number.name)
    assert run.orphans(1) == []


@pytest.mark.parametrize("seed", range(3))
def test_lid(tmp_path, undisturbed, tally, seed):
    """Every process stands still for two seconds, and goes on."""
    whole, seconds = undisturbed
    root = toy.clone(tmp_path / "clone")
    run = toy.Run(root)
    time.sleep(random.Random(seed).uniform(0.3, 0.5 * seconds))
    run.signal(signal.SIGSTOP)
    time.sleep(2)
    assert run.process.poll() is None
    corrupt = toy.corrupt(root, whole)
    run.signal(signal.SIGCONT)
    status, said = run.wait()
    assert status == 0, said
    tally("SIGSTOP, SIGCONT", 1, corrupt, [toy.results(root) == whole])


def test_a_notebook_that_raises(tmp_path, tally):
    """The others are executed; line and file are printed; once it is mended, the same command comes through."""
    root = toy.clone(tmp_path / "clone", broken=toy.BROKEN)
    status, said = toy.Run(root).wait()
    assert status == 1
    assert "KeyError: 'gone'" in said
    assert "build/ci/notebooks/02_broken_toy.ipynb" in said
    assert not (root / "build/ci/notebooks/02_broken_toy.json").exists()
    before = toy.results(root)
    assert before["done"] == ["00_first_toy.json", "01_second_toy.json"]
    notebook = root / "notebooks/02_broken_toy.ipynb"
    notebook.write_text(notebook.read_text().replace(toy.BROKEN, "print('mended')"))
    toy.finish(root)
    after = toy.results(root)
    assert after["done"] == [*before["done"], "02_broken_toy.json"]
    tally("a notebook raises", 1, None, [after["records"] == before["records"]])
