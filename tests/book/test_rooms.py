"""A notebook, its room and its tests by name: what is missing, and what is used that belongs to another."""

import json

import pytest

from decondense.book import rooms

CELL = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A repository with two notebooks: one has a module and a test file, the other a folder of each."""
    for name in (
        "pyproject.toml",
        "src/decondense/chapters/__init__.py",
        "src/decondense/chapters/fig2.py",
        "src/decondense/chapters/audit/__init__.py",
        "src/decondense/chapters/audit/tables.py",
        "tests/chapters/test_fig2.py",
        "tests/chapters/audit/test_tables.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "notebooks").mkdir()
    notebook(tmp_path, "02_fig2_families", "from decondense.chapters import fig2\n%pip list")
    notebook(
        tmp_path, "20_audit_of_tables", "from decondense.chapters.audit import tables\nfrom decondense import plots"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def notebook(root, name, source):
    (root / "notebooks" / f"{name}.ipynb").write_text(json.dumps({"cells": [CELL | {"source": source}]}))


def test_all_is_in_its_place(root, capsys):
    assert rooms.main() == 0
    assert "its room" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("src/decondense/chapters/fig2.py", "02_fig2_families.ipynb has no room: src/decondense/chapters/fig2.py"),
        ("notebooks/02_fig2_families.ipynb", "src/decondense/chapters/fig2 has no notebook"),
        ("tests/chapters/test_fig2.py", "src/decondense/chapters/fig2 has no tests: tests/chapters/test_fig2.py"),
        ("tests/chapters/audit/test_tables.py", "src/decondense/chapters/audit has no tests"),
    ],
)
def test_what_is_missing_is_named(root, capsys, gone, said):
    (root / gone).unlink()
    assert rooms.main() == 1
    assert said in capsys.readouterr().out


def test_tests_of_no_room(root):
    (root / "tests" / "chapters" / "test_fig9.py").touch()
    assert list(rooms.strays(root)) == ["tests/chapters has tests of fig9, which is no room"]


@pytest.mark.parametrize(
    "source",
    [
        "from decondense.chapters import audit",
        "from decondense.chapters.audit.tables import cells",
        "if 1:\n  from decondense.chapters import audit as a",
    ],
)
def test_a_notebook_uses_no_other_room(root, source):
    notebook(root, "02_fig2_families", source)
    (said,) = rooms.strays(root)
    assert said == "notebooks/02_fig2_families.ipynb imports audit of decondense.chapters: its own room is fig2"
