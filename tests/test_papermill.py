"""Papermill's own command line on a notebook, as the book's how-to shows it."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("papermill", reason="needs the extra `book`: pip install -e '.[book]'")

ROOT = Path(__file__).parents[1]
AUDIT = "20_audit_of_the_tables.ipynb"  # reads printed numbers only: the cheapest


@pytest.fixture
def papermill(tmp_path):
    """Run papermill in a folder that holds the notebook alone; gives its exit status, what it said, its parameters."""
    shutil.copyfile(ROOT / "notebooks" / AUDIT, tmp_path / AUDIT)
    (tmp_path / "toy.ipynb").write_text(json.dumps(toy()))

    def run(name, *arguments):
        command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", "python3", name, "out.ipynb"]
        done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True)
        cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
        injected = ["".join(c["source"]) for c in cells if "injected-parameters" in c["metadata"].get("tags", [])]
        lines = [node for source in injected for node in ast.parse(source).body]
        return done.returncode, done.stderr, {n.targets[0].id: ast.literal_eval(n.value) for n in lines}, cells

    return run


def toy():
    cell = {"cell_type": "code", "execution_count": None, "outputs": []}
    sources = {"parameters": "PROFILE, N, RATE, SEEDS = 'laptop', 1, 0.1, [0]", "use": "print(N, RATE, SEEDS)"}
    cells = [cell | {"id": tag, "metadata": {"tags": [tag]}, "source": source} for tag, source in sources.items()]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


def test_a_notebook_of_the_book_runs_with_a_parameter_of_the_command_line(papermill):
    status, said, parameters, cells = papermill(AUDIT, "-p", "LARGEST", "600", "-p", "PROFILE", "ci")
    assert status == 0, said
    assert parameters == {"LARGEST": 600, "PROFILE": "ci"}
    assert not [out for c in cells for out in c.get("outputs", []) if out["output_type"] == "error"]


def test_p_gives_numbers_and_words_and_y_gives_lists(papermill):
    status, said, parameters, cells = papermill(
        "toy.ipynb", "-p", "N", "3", "-p", "RATE", "5e-5", "-p", "PROFILE", "ci", "-y", "SEEDS: [0, 1]"
    )
    assert status == 0, said
    assert parameters == {"N": 3, "RATE": 5e-5, "PROFILE": "ci", "SEEDS": [0, 1]}
    assert "".join(cells[-1]["outputs"][0]["text"]) == "3 5e-05 [0, 1]\n"


def test_y_takes_a_power_of_ten_without_a_point_for_a_word(papermill):
    """YAML 1.1; the how-to says so."""
    assert papermill("toy.ipynb", "-y", "{RATE: 5e-5}")[2] == {"RATE": "5e-5"}
    assert papermill("toy.ipynb", "-y", "{RATE: 5.0e-5}")[2] == {"RATE": 5e-5}


def test_papermill_only_warns_of_a_name_that_is_not_there(papermill):
    """So the how-to points to `decondense reproduce --set`, which refuses it (tests/test_reproduce.py)."""
    status, said, _, _ = papermill("toy.ipynb", "-p", "SEED", "3")
    assert status == 0
    assert "SEED" in said
    assert "unknown parameter" in said.lower()
