"""No folder, user or host of the machine reaches a page."""

import getpass
import json
import socket
from pathlib import Path

import pytest

pytest.importorskip("nbformat", reason="needs the extra `book`: pip install -e '.[book]'")
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from decondense.book import sanitise

HOME, USER, HOST = "/home/qzuser", "qzuser", "qzhost.example.org"
ROOT = Path(f"{HOME}/projects/decondense")
IMAGE = "iVBORw0KGgo/qzuser/=="


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    """A machine of a user with a home, a cache beside it, and data within it."""
    monkeypatch.setattr(Path, "home", lambda: Path(HOME))
    monkeypatch.setattr(getpass, "getuser", lambda: USER)
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setenv("DECONDENSE_CACHE", "/scratch/caches/of qzuser")
    monkeypatch.setenv("DECONDENSE_DATA", f"{HOME}/data sets")


def test_folders_of_every_kind_and_in_every_spelling():
    for said, clean in {
        f"saved {ROOT}/book/results/a.json.": "saved ./book/results/a.json.",
        f"{HOME}/.local/lib/python3.11/x.py:3: UserWarning": "~/.local/lib/python3.11/x.py:3: UserWarning",
        f"'{HOME}'": "'~'",
        "/scratch/caches/of qzuser/assets": "$DECONDENSE_CACHE/assets",
        "file:///scratch/caches/of%20qzuser/assets": "file://$DECONDENSE_CACHE/assets",
        f"{HOME}/data sets/wiki.raw": "$DECONDENSE_DATA/wiki.raw",
        "/Users/someone/models, /home/else": "~/models, ~",
        f"\x1b[38;5;28m{HOME}/a\x1b[0m{ROOT}/b \x1b[32m/home/else": "\x1b[38;5;28m~/a\x1b[0m./b \x1b[32m~",
        json.dumps(f"a\n{HOME}/a\tqzuser"): json.dumps("a\n~/a\tuser"),
        r"C:\Users\someone\models": r"~\models",
        json.dumps(r"C:\Users\someone\models"): json.dumps(r"~\models"),
    }.items():
        assert sanitise.text(said, ROOT) == clean


def test_user_and_host_go_as_words_only():
    assert sanitise.text(f"{USER}@{HOST}: made by {USER}", ROOT) == "user@host: made by user"
    assert sanitise.text("on qzhost", ROOT) == "on host"
    assert sanitise.text("qzusers xqzuser qzuser-x", ROOT) == "qzusers xqzuser qzuser-x"


def test_other_paths_and_prose_stay():
    for said in ("/usr/lib/python3.11", f"{HOME}2/x"[1:], "https://example.org/home/page", "a / b", "~/x", "./home/x"):
        assert sanitise.text(said, ROOT) == said


def test_a_home_at_the_root_of_the_disk_replaces_nothing(monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert sanitise.text("/usr/lib and / and 1/2", ROOT) == "/usr/lib and / and 1/2"


def test_a_name_that_the_book_uses_as_a_word_stays_in_prose_and_goes_from_paths(monkeypatch, tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "intro.md").write_text("Root mean square; qzhost.")
    monkeypatch.setattr(getpass, "getuser", lambda: "root")
    assert sanitise.names(tmp_path) == {HOST: "host"}
    assert sanitise.text("root mean square in /home/root/x", tmp_path) == "root mean square in ~/x"


def test_a_user_without_a_name(monkeypatch):
    def nobody():
        raise KeyError("uid not found")

    monkeypatch.setattr(getpass, "getuser", nobody)
    assert set(sanitise.names(ROOT).values()) == {"host"}


def made():
    outputs = [
        new_output("stream", name="stdout", text=f"wrote {ROOT}/x\n"),
        new_output("stream", name="stderr", text=f"{HOME}/lib/w.py:1: UserWarning: {USER}\n"),
        new_output(
            "display_data",
            data={
                "text/plain": f"<{HOST}>",
                "text/html": f'<a href="file://{HOME}/x">x</a>',
                "application/json": {"path": [f"{HOME}/x"]},
                "image/png": IMAGE,
                "image/svg+xml": f"<svg><!-- {USER} --></svg>",
            },
        ),
        new_output("error", ename="OSError", evalue=f"{HOME}/x", traceback=[f"File \x1b[32m{ROOT}/src/a.py\x1b[0m"]),
    ]
    told = {"papermill": {"input_path": f"{ROOT}/a.ipynb", "environment_variables": {"USER": USER}}}
    cells = [new_markdown_cell("# A"), new_code_cell(f"DATA = '{HOME}/d'", outputs=outputs, metadata=dict(told))]
    return new_notebook(cells=cells, metadata={**told, "kernelspec": {"name": "python3", "display_name": "P"}})


def test_every_text_of_a_notebook_is_cleaned_and_images_stay():
    clean = sanitise.notebook(made(), ROOT)
    assert "qz" not in json.dumps(clean).replace(IMAGE, "")
    assert "papermill" not in clean.metadata
    out, err, shown, error = clean.cells[1].outputs
    assert (out.text, err.text) == ("wrote ./x\n", "~/lib/w.py:1: UserWarning: user\n")
    assert shown.data["image/png"] == IMAGE
    assert shown.data["text/html"] == '<a href="file://~/x">x</a>'
    assert shown.data["application/json"] == {"path": ["~/x"]}
    assert error.traceback == ["File \x1b[32m./src/a.py\x1b[0m"]
    assert clean.cells[1].source == "DATA = '~/d'"
    assert clean.metadata.kernelspec.name == "python3"


@given(st.lists(st.sampled_from([HOME, str(ROOT), USER, HOST, "/scratch/caches/of qzuser", "/", " ", '"', "a", ":"])))
def test_once_is_enough_and_nothing_is_left(parts):
    said = sanitise.text(" ".join(parts), ROOT)
    assert sanitise.text(said, ROOT) == said
    assert "/home/qzuser" not in said


def test_records_are_rewritten_and_stay_json(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"model": f"{HOME}/m", "mu": [0.5]}))
    sanitise.records(tmp_path, ROOT)
    assert json.loads((tmp_path / "a.json").read_text()) == {"model": "~/m", "mu": [0.5]}


@pytest.mark.parametrize("hit", [f"{HOME}/x", str(ROOT), f"by {USER} ", "/Users/another/x", HOST])
def test_what_is_left_in_a_site_is_found(tmp_path, hit):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks" / "a.html").write_text(f"<p>{hit}</p>")
    assert {line.split(": ")[0] for line in sanitise.leaks(tmp_path, ROOT)} == {"notebooks/a.html"}


def test_images_and_files_of_packages_are_not_searched(tmp_path):
    (tmp_path / "_static").mkdir()
    (tmp_path / "_static" / "theme.js").write_text(f"// {HOME}/x")
    (tmp_path / "a.html").write_text(f'<img src="data:image/png;base64,{IMAGE}"> root mean square')
    (tmp_path / "a.ipynb").write_text(json.dumps(["/" + USER + "/" + "A" * 68 + "\n"]))
    assert sanitise.leaks(tmp_path, ROOT) == []
