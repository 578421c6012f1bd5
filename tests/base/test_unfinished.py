"""What is being made has an owner: a dead one's is swept at once, a live one's never."""

import os
import signal
import subprocess
import sys
import time

import pytest

from decondense.base import files, unfinished
from decondense.base.unfinished import LEFT_BEHIND, UNFINISHED

CHILD = """
import sys, time
from pathlib import Path
from decondense.base import files, unfinished
parent = Path(sys.argv[1])
with unfinished.new_folder(parent) as folder, unfinished.new_file(parent, "a.txt") as file:
    (folder / "inside").mkdir()
    (folder / "inside" / "half").write_text("of it")
    print("made", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def child(tmp_path):
    """A process that has begun a file and a folder in `tmp_path`, and does not come to an end."""
    begun = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert begun.stdout.readline() == "made\n"
    yield begun
    begun.kill()
    begun.wait()
    begun.stdout.close()


def test_a_dead_owners_goes_at_once_and_a_live_ones_never(tmp_path, child):
    def look_old():
        for path in tmp_path.iterdir():
            os.utime(path, (time.time() - 2 * LEFT_BEHIND,) * 2)

    look_old()
    files.write_atomically(tmp_path / "b.txt", "new")
    assert (len(list(tmp_path.glob(".*"))), unfinished.left_in(tmp_path)) == (2, [])
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert sorted(unfinished.left_in(tmp_path)) == sorted(tmp_path.glob(".*"))
    assert len(unfinished.left_in(tmp_path)) == 2
    files.write_atomically(tmp_path / "c.txt", "new")
    assert sorted(os.listdir(tmp_path)) == ["b.txt", "c.txt"]


def test_looking_keeps_nobody_from_its_own(tmp_path):
    """Neither a look nor a sweep in between takes from a maker what it is at."""
    with unfinished.new_folder(tmp_path) as folder:
        (folder / "whole").touch()
        unfinished.sweep(tmp_path)
        assert unfinished.left_in(tmp_path) == []
        folder.rename(tmp_path / "done")
    assert os.listdir(tmp_path / "done") == ["whole"]


def test_what_was_swept_before_it_was_locked_is_made_again(tmp_path):
    made = []

    def make():
        made.append(tmp_path / f".{len(made)}{unfinished.suffix()}")
        made[-1].touch()
        if len(made) == 1:
            unfinished.sweep(tmp_path)  # another process, at the worst moment
        return made[-1]

    path, lock = unfinished._made(make)
    assert (path, path.exists(), made[0].exists()) == (made[1], True, False)
    os.close(lock)


@pytest.mark.parametrize(("age", "there"), [(LEFT_BEHIND + 60, False), (LEFT_BEHIND - 60, True)])
@pytest.mark.parametrize("why", ["another machine", "no locks", "no machine in the name"])
def test_where_no_lock_tells_a_day_decides(tmp_path, monkeypatch, age, there, why):
    """Files and folders; what ends otherwise, or is not hidden, is of somebody else."""
    end = {"another machine": f".0123abcd{UNFINISHED}", "no machine in the name": UNFINISHED}
    end = end.get(why, unfinished.suffix())
    if why == "no locks":
        monkeypatch.setitem(sys.modules, "fcntl", None)
    file, folder = tmp_path / f".a.txt.x1{end}", tmp_path / f".x2{end}"
    kept = [tmp_path / ".hidden", tmp_path / f"plain{end}"]
    (folder / "inside").mkdir(parents=True)
    for path in (file, *kept):
        path.touch()
    for path in (file, folder, *kept):
        os.utime(path, (time.time() - age,) * 2)
    assert unfinished.left_in(tmp_path) == [] if there else len(unfinished.left_in(tmp_path)) == 2
    unfinished.sweep(tmp_path)
    assert (file.exists(), folder.exists()) == (there, there)
    assert all(path.exists() for path in kept)


def test_without_locks_a_file_is_written_all_the_same(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fcntl", None)
    assert files.write_atomically(tmp_path / "a.txt", "new").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_two_processes_at_once_lose_nothing(tmp_path):
    """Each writes 200 files into one folder, sweeping it before each."""
    code = (
        "import sys; from pathlib import Path; from decondense.base import files\n"
        "for number in range(200): files.write_atomically(Path(sys.argv[1]) / f'{sys.argv[2]}-{number}', sys.argv[2])"
    )
    both = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in "ab"]
    assert [process.wait() for process in both] == [0, 0]
    assert sorted(os.listdir(tmp_path)) == sorted(f"{name}-{number}" for name in "ab" for number in range(200))
