"""The command `cache`: sizes, what it is for, and nothing removed that was not asked for."""

import json

import pytest
from typer.testing import CliRunner

from decondense.base import assets, files
from decondense.cli import app


@pytest.fixture
def run(monkeypatch):
    monkeypatch.delenv("DECONDENSE_DEBUG", raising=False)
    return lambda *arguments: CliRunner().invoke(app.app, ["cache", *arguments])


@pytest.fixture
def filled():
    """Weights of a model that the laptop's notebooks load, and the same weights as an older version kept them."""
    sizes = {"assets/smollm2-135m-instruct/file": 3, "mirrors/smollm2-135m-instruct-float32-b179c9523d0e/file": 5}
    for name, megabytes in (sizes | {"streams/a.npy": 1, "streams/b.npy": 1}).items():
        path = files.cache_dir() / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(megabytes * 10**6))
    return files.cache_dir()


def test_it_shows_what_is_there_and_removes_nothing(run, filled):
    result = run()
    assert result.exit_code == 0, result.output
    where, first, second, third, total = result.stdout.splitlines()
    assert where == str(filled)
    assert first == "       3 MB  today         smollm2-135m-instruct: packed weights, profile laptop"
    assert second == "       2 MB  today         streams: texts as token ids (2)"
    assert third == "       5 MB  today         mirrors: unpacked weights; of another version of decondense"
    assert total == "10 MB in all; 5 MB of them are no longer needed: decondense cache --clean."
    assert run().output == result.output


def test_clean_removes_what_nobody_needs(run, filled):
    result = run("--clean")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == "Removed 5 MB; 5 MB are kept."
    assert list((filled / "mirrors").iterdir()) == []
    assert run().stdout.splitlines()[-1] == "5 MB in all."


def test_json(run, filled):
    content = json.loads(run("--json").stdout)
    assert (content["folder"], content["bytes"], content["free"]) == (str(filled), 10 * 10**6, 5 * 10**6)
    assert content["kept"][0]["name"] == "mirrors/smollm2-135m-instruct-float32-b179c9523d0e"
    cleaned = json.loads(run("--json", "--clean").stdout)
    assert [item["bytes"] for item in cleaned["removed"]] == [5 * 10**6]
    assert (cleaned["bytes"], cleaned["free"], len(cleaned["kept"])) == (5 * 10**6, 0, 3)


def test_every_download_has_a_purpose(run):
    for name in assets.table():
        path = files.cache_dir() / "assets" / name / "file"
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    kept = json.loads(run("--json").stdout)["kept"]
    purposes = {item["name"].removeprefix("assets/"): item["what_for"].partition(",")[0] for item in kept}
    packed = lambda asset: asset["file"].endswith(".gguf")
    expected = {name: "packed weights" if packed(asset) else "data" for name, asset in assets.table().items()}
    assert purposes == expected | {"all-minilm-l6-v2": "weights"}


def test_an_empty_cache(run):
    result = run()
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "0 MB in all.")


def test_outside_of_a_clone_it_works_as_well(run, filled, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert "smollm2-135m-instruct: packed weights\n" in run().stdout
