"""Disk full, and folders that cannot be written: by the system itself, on a disk that is made for the test."""

import random
import subprocess
import sys
from functools import partial

import children
import pytest
import sandbox
import toy

from decondense import records

FULL = "Free some space"
CLOSED = "Make this folder writable"

WRITES = f"""
import sys, os, pathlib
sys.path.insert(0, {str(children.Path(__file__).parent)!r})
import children
from decondense import records
disk, free = pathlib.Path(sys.argv[1]), int(sys.argv[2])
os.environ |= {{"DECONDENSE_RECORDS": str(disk / "records"), "DECONDENSE_CACHE": str(disk)}}
def make(number):
    return records.run("toy", {{"seed": number}}, lambda: ({{"number": number}}, children.arrays(number)))
(disk / "filler").write_bytes(bytes(1024 * (4096 - free)))
said = []
for number in range(8):
    try:
        make(number)
    except OSError as error:
        said.append(str(error))
print(len(said))
print(all("Free some space, or set DECONDENSE_CACHE" in text and "No space left" in text for text in said))
print(children.corrupt(disk, children.as_written) + len(list(disk.glob("records/.*"))))
(disk / "filler").unlink()
print(all(children.as_written(make(number)) for number in range(8)))
"""


@pytest.mark.parametrize("seed", range(5))
def test_records_on_a_full_disk(tmp_path, tally, seed):
    """What does not fit is an error with its cure, leaves nothing, and is made once there is space."""
    free = random.Random(seed).randrange(100, 2200)
    done = sandbox.python(sandbox.small_disk(tmp_path, 4096), WRITES, tmp_path, free)
    failed, said, corrupt, same = done.stdout.split()
    assert said == "True", done.stdout
    tally("disk full: records", int(failed), int(corrupt), [same == "True"])


@pytest.mark.parametrize("seed", range(3))
def test_reproduce_on_a_full_disk(tmp_path, tally, seed):
    """It ends with the reason and what to do; with space again, the same command comes through."""
    whole = toy.clone(tmp_path / "whole")
    toy.finish(whole)
    root = tmp_path / "disk"
    root.mkdir()
    free = random.Random(seed).randrange(100, 2500)
    setup = sandbox.small_disk(root, 16_000)
    done = sandbox.python(setup, RUNS, toy.__file__, root, free, tmp_path / "out")
    status, corrupt, same = done.stdout.split()[-3:]
    assert status in ("1", "2"), done.stdout
    assert FULL in done.stdout, done.stdout
    tally("disk full: reproduce", 1, int(corrupt), [same == "True"])


RUNS = """
import sys, pathlib, json
toy_file, root, free, out = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), pathlib.Path(sys.argv[4])
sys.path.insert(0, str(pathlib.Path(toy_file).parent))
import toy, shutil
whole = toy.results(root.parent / "whole")
toy.clone(root)
shutil.rmtree(root / "notebooks")
shutil.copytree(root.parent / "whole" / "notebooks", root / "notebooks")
space = shutil.disk_usage(root).free
(root / "filler").write_bytes(bytes(space - 1024 * free))
said = out  # what is printed goes elsewhere
run = toy.Run(root, said=out)
status, text = run.wait()
print(text)
corrupt = toy.corrupt(root, whole)
(root / "filler").unlink()
again, text = toy.Run(root, said=out).wait()
print(text)
print(status, corrupt, again == 0 and toy.results(root) == whole)
"""

TRAINS = """
import sys, pathlib
sys.path.insert(0, sys.argv[1])
import children
disk, free = pathlib.Path(sys.argv[2]), int(sys.argv[3])
(disk / "filler").write_bytes(bytes(1024 * (4096 - free)))
said = None
try:
    children.train(disk)
except Exception as error:
    said = f"{type(error).__name__}: {error}"
(disk / "filler").unlink()
corrupt = children.corrupt(disk, lambda found: True)
children.train(disk)
import json
print("SAID", said)
print(corrupt)
print(json.dumps(children.trained(disk)))
"""


@pytest.mark.parametrize("seed", range(3))
def test_training_on_a_full_disk(tmp_path, tally, trained, seed):
    """Corpus, checkpoints, looks: whatever did not fit, the run goes on from what did, to the same bits."""
    free = random.Random(seed).randrange(20, 200)
    here = str(children.Path(__file__).parent)
    done = sandbox.python(sandbox.small_disk(tmp_path, 4096), TRAINS, here, tmp_path, free)
    *_, said, corrupt, found = done.stdout.splitlines()
    assert "No space left" in said or "os error 28" in said or "unexpected pos" in said, done.stdout
    tally("disk full: training", 1, int(corrupt), [children.json.loads(found) == trained[0]])


def test_a_limit_on_the_size_of_files(tmp_path, tally):
    """`ulimit -f`, which every system has: the write itself fails, in the middle of the file."""
    code = f"""
import resource, sys
sys.path.insert(0, {str(children.Path(__file__).parent)!r})
import children, pathlib
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    children.write_once(pathlib.Path(sys.argv[1]))
except OSError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert "File too large. Free some space" in done.stdout, done
    assert list((tmp_path / "records").iterdir()) == []
    children.finish(children.write_once, tmp_path)
    tally("file too large", 1, None, [children.corrupt(tmp_path, children.as_written) == 0])


# --- read-only ------------------------------------------------------------------------------------------------------

REFUSES = """
import sys, os, pathlib
from decondense import records
os.environ["DECONDENSE_CACHE"] = sys.argv[1]
computed = []
try:
    records.run("toy", {"seed": 0}, lambda: computed.append(1) or ({}, None))
except OSError as error:
    print(error)
print(len(computed))
"""


def test_a_read_only_cache_refuses_before_it_computes(tmp_path, tally):
    (tmp_path / "records").mkdir()
    done = sandbox.python(sandbox.read_only(tmp_path), REFUSES, tmp_path)
    said, computed = done.stdout.splitlines()
    assert "Read-only file system" in said
    assert f"{CLOSED}, or set DECONDENSE_CACHE to a folder that you can write" in said
    tally("read-only cache")
    assert computed == "0"


def test_a_full_read_only_cache_is_all_that_is_needed(tmp_path, tally):
    children.finish(children.load_pocket, tmp_path)
    (first,) = (path.read_text() for path in tmp_path.glob("weights-*"))
    code = f"""
import sys, pathlib
sys.path.insert(0, {str(children.Path(__file__).parent)!r})
import children
from decondense.models import pocket
from decondense.runs import watch
children.toy_family(pathlib.Path(sys.argv[1]))
print(watch.fingerprint(pocket.load("pocket-small", 640)[0]))
try:
    pocket.load("pocket-small", 1280)
except OSError as error:
    print(error)
"""
    done = sandbox.python(sandbox.read_only(tmp_path), code, tmp_path)
    digest, said = done.stdout.splitlines()
    assert f"{CLOSED}, or set DECONDENSE_CACHE" in said, done
    tally("read-only cache", 1, None, [digest == first])


def test_a_read_only_clone(tmp_path, tally):
    """One line that says what to do, before a kernel is started."""
    root = toy.clone(tmp_path / "clone")
    for name in ("tmp", "runtime", "cache", "build"):
        (root / name).mkdir()
    setup = partial(sandbox.inside, sandbox.read_only(root / "build"))
    status, said = toy.Run(root, setup=setup).wait()
    assert status == 2
    assert "Read-only file system" in said
    assert CLOSED in said
    assert "Traceback" not in said
    toy.finish(root)
    tally("read-only clone", 1, None, [len(toy.results(root)["done"]) == 2])


def test_records_survive_a_reader_that_cannot_write(tmp_path, tally):
    """Damage in a read-only folder is said, and is not read."""
    children.finish(children.write_once, tmp_path)
    (path,) = tmp_path.glob("records/*.json")
    path.write_text(path.read_text()[:-20])
    code = """
import warnings, pathlib, sys
from decondense import records
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print(records.read(pathlib.Path(sys.argv[1])), len(said))
"""
    done = sandbox.python(sandbox.read_only(tmp_path), code, path)
    assert done.stdout.split() == ["None", "1"], done
    children.finish(children.write_once, tmp_path)
    tally("read-only cache", 1, None, [records.read(path) is not None])
