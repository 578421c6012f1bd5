"""kill -9 at random points of `decondense reproduce`, of a training run, of the writing of a record."""

import random
import time

import chapter
import children
import pytest
import toy

from decondense import records


@pytest.mark.parametrize("seed", range(6))
def test_reproduce(tmp_path, undisturbed, tally, seed):
    """Three times in a row, each time the same command goes on at once, whatever is still dying."""
    whole, seconds = undisturbed
    rng, corrupt, killed = random.Random(seed), 0, 0
    root = toy.clone(tmp_path / "clone")
    runs = []
    for _ in range(3):
        runs.append(toy.Run(root))
        time.sleep(rng.uniform(0.2, 0.7 * seconds))
        killed += runs[-1].process.poll() is None
        runs[-1].kill(rng)
        runs[-1].wait()
        corrupt += toy.corrupt(root, whole)
    toy.finish(root)
    tally("kill -9: reproduce", killed, corrupt, [toy.results(root) == whole])
    assert [run.orphans() for run in runs] == [[], [], []]


def test_reproduce_a_chapter(tmp_path, tally):
    """The same with a notebook of the book and the trainings that it starts."""
    start = time.monotonic()
    chapter.finish(chapter.clone(tmp_path / "whole"))
    whole, seconds = chapter.results(tmp_path / "whole"), time.monotonic() - start
    rng, corrupt, killed, same = random.Random(0), 0, 0, []
    for number in range(2):
        root = chapter.clone(tmp_path / f"clone{number}")
        for _ in range(3):
            run = chapter.Run(root)
            time.sleep(rng.uniform(0.1, 0.7) * seconds)
            killed += run.process.poll() is None
            run.kill(rng)
            run.wait()
            corrupt += chapter.corrupt(root, whole)
        chapter.finish(root)
        same.append(chapter.results(root) == whole)
    assert len(whole["records"]) >= 6
    assert whole["pictures"]
    tally("kill -9: reproduce, Fig. 7", killed, corrupt, same)


@pytest.mark.parametrize("seed", range(8))
def test_training(tmp_path, trained, tally, seed):
    """Until it comes through, eight times at most; its state is saved at every third step."""
    whole, seconds = trained
    rng, killed, corrupt = random.Random(seed), 0, 0
    for _ in range(8):
        child = children.start(children.train, tmp_path)
        child.join(rng.uniform(0.05, 0.4) * seconds)
        if child.exitcode is not None:
            break
        child.kill()
        child.join()
        killed += 1
        corrupt += children.corrupt(tmp_path, lambda found: children.of_training(found) == whole)
    children.finish(children.train, tmp_path)
    tally("kill -9: training", killed, corrupt, [children.trained(tmp_path) == whole])


@pytest.mark.parametrize("seed", range(2))
def test_record(tmp_path, tally, seed):
    """A record that is written again and again, each time with other results; what is read is one of them, whole."""
    rng, corrupt, left = random.Random(seed), 0, 0
    for _ in range(100):
        (tmp_path / "writing").unlink(missing_ok=True)
        child = children.start(children.write, tmp_path)
        while not (tmp_path / "writing").exists():
            time.sleep(0.001)
        child.join(rng.uniform(0.0, 0.05))
        child.kill()
        child.join()
        corrupt += children.corrupt(tmp_path, children.as_written)
        left += len(list(tmp_path.glob("records/.*")))
    children.finish(children.write_once, tmp_path)
    (path,) = tmp_path.glob("records/*.json")
    same = records.read(path).content["results"] == {"number": 0}
    tally("kill -9: writing a record", 100, corrupt, [same])
    assert left > 0  # kills did hit the writing, and whoever wrote next cleared that away
    assert list(tmp_path.glob("records/.*")) == []
