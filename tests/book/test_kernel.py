"""The line that each notebook's first cell prints, and the one case in which it must not go on."""

import sys
import types
from importlib import metadata

import numpy as np
import pandas
import pytest
import torch

from decondense.book import kernel


def test_says_versions_and_the_cpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    kernel.ready()
    said = capsys.readouterr().out
    assert said.startswith(f"decondense {metadata.version('decondense')}, torch {metadata.version('torch')}, numpy ")
    assert said.endswith("device cpu\n")


def test_names_the_gpu(capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Tesla T4")
    kernel.ready()
    assert capsys.readouterr().out.endswith("device cuda (Tesla T4)\n")


def test_figures_get_two_dots_a_pixel_where_there_is_a_shell(monkeypatch):
    asked = []
    shell = types.SimpleNamespace(run_line_magic=lambda name, line: asked.append((name, line)))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    kernel.ready()
    assert asked == [("config", "InlineBackend.figure_formats = ['retina']")]


def test_nothing_is_stale_here():
    assert kernel.stale() == []


def test_a_package_replaced_after_its_import_is_an_error_that_says_restart(monkeypatch):
    monkeypatch.setattr(np, "__version__", "1.0")
    assert kernel.stale() == [("numpy", "1.0", metadata.version("numpy"))]
    with pytest.raises(RuntimeError, match=r"has loaded numpy 1\.0 \(installed: .*Restart the kernel"):
        kernel.ready()


def test_the_build_behind_the_version_does_not_count(monkeypatch):
    release = metadata.version("torch").partition("+")[0]
    monkeypatch.setattr(torch, "__version__", f"{release}+cu130")
    assert kernel.stale() == []


def test_packages_of_the_extras_count_once(monkeypatch):
    monkeypatch.setattr(pandas, "__version__", "1.0")
    assert kernel.stale() == [("pandas", "1.0", metadata.version("pandas"))]
