"""Several at once: on one clone, on one cache, on one record."""

import random
import time

import children
import pytest
import toy

from decondense import records


@pytest.mark.parametrize("seed", range(3))
def test_two_runs_in_one_clone(tmp_path, undisturbed, tally, seed):
    """The second waits, and says so; then it finds everything done."""
    root = toy.clone(tmp_path / "clone")
    first = toy.Run(root)
    time.sleep(random.Random(seed).uniform(0.0, 3.0))
    second = toy.Run(root)
    said = [run.wait() for run in (first, second)]
    assert [status for status, _ in said] == [0, 0], said
    waited = [text for _, text in said if "Another run works in build/ci. Waiting until it ends" in text]
    assert len(waited) == 1
    assert "0 of 2 notebooks to execute" in waited[0]
    tally("two reproduce, one clone", 1, toy.corrupt(root, undisturbed[0]), [toy.results(root) == undisturbed[0]])


@pytest.mark.parametrize("seed", range(2))
def test_the_second_takes_over_from_one_that_is_killed(tmp_path, undisturbed, tally, seed):
    root = toy.clone(tmp_path / "clone")
    first = toy.Run(root)
    first.wait_for("kernel")
    second = toy.Run(root)
    second.wait_for("Another run")
    time.sleep(random.Random(seed).uniform(0.0, 3.0))
    first.process.kill()
    first.wait()
    status, said = second.wait()
    assert status == 0, said
    tally("two reproduce, one clone", 1, toy.corrupt(root, undisturbed[0]), [toy.results(root) == undisturbed[0]])


def test_two_clones_with_one_cache_and_one_folder_of_records(tmp_path, undisturbed, tally):
    """Both write the same records; each reads them whole, whoever wrote them."""
    roots = [toy.clone(tmp_path / name) for name in ("one", "other")]
    shared = {"DECONDENSE_CACHE": str(tmp_path / "cache")}
    for root in roots:
        (root / "build" / "ci").mkdir(parents=True)
        (root / "build" / "ci" / "records").symlink_to(tmp_path / "records")
    (tmp_path / "records").mkdir()
    runs = [toy.Run(root, **shared) for root in roots]
    assert [run.wait()[0] for run in runs] == [0, 0]
    corrupt = sum(toy.corrupt(root, undisturbed[0]) for root in roots)
    tally("two reproduce, one cache", 1, corrupt, [toy.results(root) == undisturbed[0] for root in roots])


@pytest.mark.parametrize("seed", range(3))
def test_processes_that_make_the_same_model(tmp_path, tally, seed):
    """Tokenizer, token stream and trained weights, on an empty cache; some are killed on the way."""
    rng = random.Random(seed)
    workers = [children.start(children.load_pocket, tmp_path) for _ in range(5)]
    for worker in workers[:2]:
        worker.join(rng.uniform(0.0, 0.5))
        worker.kill()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers[2:]] == [0, 0, 0]
    digests = {path.read_text() for path in tmp_path.glob("weights-*")}
    children.finish(children.load_pocket, tmp_path)
    again = {path.read_text() for path in tmp_path.glob("weights-*")}
    tally("several processes, one cache", 1, len(digests) - 1, [again == digests])


@pytest.mark.parametrize("seed", range(2))
def test_a_reader_beside_writers(tmp_path, tally, seed):
    """Two processes write one record with different results while it is read; one of them is killed now and then."""
    rng, corrupt, reads = random.Random(seed), 0, 0
    writers = [children.start(children.write, tmp_path, first) for first in (0, 1000)]
    while not (found := list(tmp_path.glob("records/*.json"))):
        time.sleep(0.01)
    end = time.monotonic() + 6
    while time.monotonic() < end:
        corrupt += children.corrupt(tmp_path, children.as_written)
        reads += 1
        if rng.random() < 0.01:
            writers[0].kill()
            writers[0].join()
            writers[0] = children.start(children.write, tmp_path, rng.randrange(10_000))
    for writer in writers:
        writer.kill()
        writer.join()
    assert reads > 100
    children.finish(children.write_once, tmp_path)
    same = records.read(found[0]).content["results"] == {"number": 0}
    tally("reads beside writers", reads, corrupt, [same])
