"""What the rehearsal itself does to profiles, and what it says of a hub that was asked for something else."""

import json
import tomllib

import pytest
from standin import data, rehearsal
from standin.server import Asked, Hub, Repository, commit

CUTS = {
    "a number": (100, 2, 2),
    "so many of a list": ([1, 2, 3], 2, [1, 2]),
    "of each list in it": ([[1, 2, 3], [4, 5]], 1, [[1], [4]]),
    "a list": ([64, 256], [8, 16], [8, 16]),
    "within a table": ({"steps": 9, "rate": 0.1, "tasks": {"a": 5, "b": 6}}, {"steps": 2, "tasks": 1, "x": 7},
                       {"steps": 2, "rate": 0.1, "tasks": {"a": 1, "b": 1}}),
    "a list where a table may be": ([1, 2], {"x": 1}, [1, 2]),
}  # fmt: skip


@pytest.mark.parametrize("case", CUTS)
def test_what_is_cut(case):
    value, size, found = CUTS[case]
    assert rehearsal.cut(value, size) == found


def test_tables_are_read_back_as_they_were_written():
    tables = {"a": {"x.y": [1, 2.5, 1e-6, 'a"b'], "on": True, "deep": {"GPT2-m": {"n": 1}, "none": []}}, "b": {}}
    assert tomllib.loads(rehearsal.written(tables)) == tables


def test_what_a_page_names():
    root = rehearsal.repository_root()
    pages = {"fig4": next((root / "notebooks").glob("*_fig4_*")), "fig2": next((root / "notebooks").glob("*_fig2_*"))}
    found = rehearsal.named("paper", pages)
    assert len({at for _, name, at in found if name == rehearsal.OLMO}) == 13
    assert ("models", "Qwen/Qwen2.5-72B", "main") in found
    assert not [name for _, name, _ in found if name.startswith("Qwen/Qwen-")]
    assert ("datasets", "Salesforce/wikitext", "main") in found
    assert {name for kind, name, _ in found if kind == "datasets"} <= data.SETS.keys()


def test_what_is_said_of_a_hub_that_was_asked_for_something_else():
    hub = Hub({("models", "a/b"): Repository({"main": dict, "early": dict})})
    file = Asked("GET", "models", "a/b", "resolve", commit("a/b", "early"), "x", 200)
    hub.log += [file, file, file._replace(file="y")]
    assert rehearsal.report(hub, {("models", "a/b", "main")}) == [
        "not asked for: models a/b main",
        "asked for, and named nowhere: models a/b early",
        f"downloaded twice: models a/b resolve {file.revision} x",
    ]


def test_records_without_a_commit_are_named(tmp_path):
    sha = "c" * 40
    kept = {"model": {"source": "hub a/b", "revision": sha}, "corpus": {"source": f"hub d/e (train) at {sha}"}}
    lost = {"deep": [{"source": "hub a/b", "revision": None}, {"source": "local folder", "revision": None}]}
    for name, content in {"kept": kept, "lost": lost}.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    assert rehearsal.untraced(tmp_path) == ["without a commit: lost.json: hub a/b"]
