"""The cache folder: everything in it is counted once, and what nobody needs any more can be removed."""

import os
import time

import pytest

from decondense.base import assets, cache, files, unfinished

DAY = 24 * 3600
NEEDLESS = {
    "assets/gone": "of another version of decondense",
    "mirrors/toy-float32-0123456789ab": "of another version of decondense",
    "pocket/pocket-small-old": "not used for 30 days",
    "streams/old.npy": "not used for 30 days",
    f"mirrors/.x{unfinished.suffix()}": "left by a process that was killed",
    f"assets/toy/.y{unfinished.suffix()}": "left by a process that was killed",
}
NEEDED = (
    "assets/toy", "mirrors/toy-0123456789ab", "pocket/pocket-small-new", "records/old.json",
    "pretraining/old", "consents/old.json", "elsewhere",
)  # fmt: skip


@pytest.fixture
def filled(monkeypatch):
    """A cache with everything that may be in one: a file of 100 bytes each, and in `assets/toy` what was left there."""
    monkeypatch.setattr(assets, "table", lambda: {"toy": {"sha256": "0123456789abcdef"}})
    for name in (*NEEDED, *NEEDLESS):
        path = files.cache_dir() / name
        path = path if path.suffix in (".npy", ".json") else path / "file"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(100))
        if "old" in name:
            os.utime(path, (time.time() - 31 * DAY,) * 2)


def named(items):
    return {str(item.path.relative_to(files.cache_dir())): item for item in items}


def test_everything_is_counted_once(filled):
    found = named(cache.items())
    assert set(found) == {*NEEDED, *NEEDLESS}
    assert {item.bytes for item in found.values()} == {100}
    assert {name: item.needless for name, item in found.items() if item.needless} == NEEDLESS
    assert found["elsewhere"].kind == "unknown"
    assert time.time() - found["records/old.json"].used == pytest.approx(31 * DAY, abs=600)


def test_what_is_needed_stays(filled):
    assert set(named(cache.clean())) == set(NEEDLESS)
    assert set(named(cache.items())) == set(NEEDED)
    assert cache.clean() == []


def test_what_is_being_made_stays(filled):
    with files.unfinished_folder(files.cache_dir() / "mirrors") as folder:
        (folder / "half").write_bytes(bytes(7))
        cache.clean()
        (found,) = [item for item in cache.items() if item.path == folder]
        assert (found.bytes, found.needless, (folder / "half").exists()) == (7, "", True)


def test_a_reader_keeps_what_was_made_long_ago(filled):
    path = files.cache_dir() / "streams" / "old.npy"
    os.utime(path, (time.time(), path.stat().st_mtime))
    assert "streams/old.npy" not in named(cache.clean())


def test_an_empty_cache_holds_nothing():
    assert (cache.items(), cache.clean()) == ([], [])
