"""What is missing is named with the extra that brings it, and nothing is imported to find that out."""

import sys

import pytest

from decondense.base import errors, extras


def test_need_gives_the_module():
    assert extras.need("importlib.metadata", extra="train") is sys.modules["importlib.metadata"]


def test_a_missing_package_is_one_line_with_the_command():
    with pytest.raises(ImportError) as caught:
        extras.need("no_such_package.inside", extra="train")
    said = "no_such_package is not installed, part of the extra `train`: "
    assert str(caught.value) == said + errors.installs("train")


def test_all_that_is_missing_is_named_once():
    with pytest.raises(ImportError, match=r"^none_a, none_b are not installed"):
        extras.require("none_a.one", "sys", "none_b", "none_a.two", extra="cli")


def test_a_package_that_may_not_be_imported_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pandas is not installed"):
        extras.need("pandas", extra="train")


def test_nothing_is_imported_to_look(monkeypatch, tmp_path):
    (tmp_path / "boom.py").write_text("raise RuntimeError")
    monkeypatch.syspath_prepend(tmp_path)
    extras.require("boom", extra="train")
    assert "boom" not in sys.modules


def test_an_error_inside_a_package_that_is_there_stays_what_it_is(monkeypatch, tmp_path):
    (tmp_path / "halved.py").write_text("import no_such_part")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'no_such_part'"):
        extras.need("halved", extra="train")
