"""The generator of standalone.py: the file in the repository is what it makes now."""

import ast
from pathlib import Path

import pytest

from decondense.base.files import repository_root
from decondense.book import standalone

COMMITTED = Path("src") / "decondense" / "standalone.py"


def test_the_file_is_up_to_date():
    assert (repository_root() / COMMITTED).read_text(encoding="utf-8") == standalone.text(), (
        "The library has changed: run python -m decondense.book.standalone"
    )


def test_it_has_what_is_wanted_and_what_that_uses_once():
    tree = ast.parse(standalone.text())
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert set(standalone.WANTED) <= set(defined)
    assert {"pair_sum", "prepare", "mean_over_documents", "_PairSum"} <= set(defined)
    assert len(set(defined)) == len(defined)
    assert "bound" not in defined  # of the module of `order`, and in no use


def test_it_imports_the_standard_library_and_torch_alone():
    imported = [
        name.split(".")[0]
        for node in ast.walk(ast.parse(standalone.text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names])
    ]
    assert set(imported) == {"collections", "contextlib", "functools", "math", "torch", "typing"}


def test_no_shape_is_left():
    assert not standalone._SHAPES.search(standalone.text())


def test_one_name_of_two_modules_is_refused(monkeypatch):
    monkeypatch.setattr(standalone, "MODULES", ("metrics", "metrics"))
    with pytest.raises(ValueError, match=r"Two modules of the standalone file define PAPER_EPS: rename one"):
        standalone.text()


def test_main_writes_it(monkeypatch, tmp_path, capsys):
    (tmp_path / "src" / "decondense").mkdir(parents=True)
    text = standalone.text()
    monkeypatch.setattr(standalone, "text", lambda: text)
    monkeypatch.setattr(standalone, "repository_root", lambda: tmp_path)
    standalone.main()
    assert (tmp_path / COMMITTED).read_text(encoding="utf-8") == text
    assert str(COMMITTED) in capsys.readouterr().out
