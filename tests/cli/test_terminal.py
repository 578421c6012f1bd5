"""Pictures and tables in a terminal: wide and narrow, with colours and without, UTF-8 and ASCII."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_condensations import made
from rich.console import Console

from decondense import pairing
from decondense.cli import terminal
from decondense.per_token import Pooled


def shown(what, encoding="utf-8", colour=False, width=80):
    """What a terminal of that kind gets."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    options = {"force_terminal": True, "color_system": "truecolor"} if colour else {"color_system": None}
    console = Console(file=file, width=width, **options)
    console.print(what(console) if callable(what) else what)
    file.flush()
    return file.buffer.getvalue().decode(encoding)


@given(st.integers(1, 6), st.sampled_from([1, 7, 16, 128, 100]), st.integers(0, 99))
def test_shares_are_those_of_the_histogram(entries, bins, seed):
    density = np.random.default_rng(seed).random((entries, bins)) + 0.01
    found = terminal.shares(density)
    assert found.shape == (entries, terminal.ROWS)
    np.testing.assert_allclose(found.sum(1), 1)
    if bins % terminal.ROWS == 0:
        parts = density.reshape(entries, terminal.ROWS, -1).sum(-1)
        np.testing.assert_allclose(found, parts / parts.sum(1, keepdims=True))


@pytest.fixture
def narrow(condensation):
    """All pairs of entry e in one row of the heat map, mu in it as well: a staircase."""
    density, place = np.zeros((5, 16)), np.array([8, 9, 10, 11, 15])
    density[np.arange(5), place] = 8
    mu = np.tile((place + 0.5) / 8 - 1, (6, 1))
    return replace(condensation, histogram=density, mu_per_text=mu)


def test_heatmap_is_a_staircase(narrow):
    lines = shown(lambda console: terminal.heatmap(narrow, console)).splitlines()
    rows = [line[7:].rstrip() for line in lines if line[:7].strip()[:1] in ("+", "-")]
    assert lines[1].startswith(" +1.00 ")
    block = "███o███"
    at = {row.index(block) // 7: number for number, row in enumerate(rows) if row}
    assert at == {4: 0, 3: 4, 2: 5, 1: 6, 0: 7}
    assert len(rows) == 8  # nothing below is shaded


def test_heatmap_in_ascii_and_without_colours(narrow):
    picture = shown(lambda console: terminal.heatmap(narrow, console), "ascii")
    assert "###o###" in picture
    assert "\x1b" not in picture


def test_heatmap_in_colours(narrow):
    picture = shown(lambda console: terminal.heatmap(narrow, console), colour=True)
    assert "\x1b[31m█\x1b[0m" in picture
    assert "\x1b[1mo\x1b[0m" in picture


@pytest.mark.parametrize(("entries", "width"), [(2, 80), (49, 80), (97, 80), (31, 40), (5, 20)])
def test_no_line_is_wider_than_the_terminal(entries, width):
    rng = np.random.default_rng(0)
    result = made(rng.random((6, entries)), histogram=rng.random((entries, 128)))
    lines = shown(lambda console: terminal.heatmap(result, console), width=width).splitlines()
    assert max(len(line.rstrip()) for line in lines[1:-3]) <= width
    assert any("o" in line for line in lines[1:-3])


def test_an_entry_that_is_not_finite_is_empty(narrow):
    histogram, mu = narrow.histogram.copy(), narrow.mu_per_text.copy()
    histogram[4], mu[:, 4] = np.nan, np.nan
    picture = shown(lambda console: terminal.heatmap(replace(narrow, histogram=histogram, mu_per_text=mu), console))
    assert picture.count("███o███") == 4
    assert "?" in shown(lambda console: terminal.lines([replace(narrow, mu_per_text=mu)], console))


def test_tables_fit_80_columns_of_ascii(condensation):
    other = replace(
        condensation, name="a-model-with-a-rather-long-name-8b", mu_per_text=condensation.mu_per_text[:, ::-1]
    )
    pair = pairing.compare(condensation, other)
    both = [condensation, other]
    for what in (
        terminal.one(condensation), terminal.summary(both), terminal.layers(condensation),
        terminal.differences([pair]), terminal.over_depth(pair), lambda console: terminal.lines(both, console),
    ):  # fmt: skip
        assert max(map(len, shown(what, "ascii").splitlines())) <= 80
    assert f"{pair.numbers[2].interval.low:+.3f}" in shown(terminal.differences([pair]), "ascii")  # and nothing is cut


def test_numbers_are_those_of_the_result(condensation):
    said = shown(terminal.one(condensation))
    assert f"rho        {condensation.rho:+.3f}" in said
    assert f"{condensation.mean_of_last(None)[0]:+.3f}" in said
    assert f"{condensation.tau_interval.low:+.2f} {condensation.tau_interval.high:+.2f}" in shown(
        terminal.summary([condensation])
    )
    table = shown(terminal.layers(condensation))
    assert all(f"{mu:.3f}" in table for mu in condensation.mu)


def test_a_single_text_has_no_interval():
    alone = made([[0.1, 0.2, 0.3]])
    assert "it needs two texts" in shown(terminal.one(alone))
    assert "no interval" in shown(terminal.summary([alone]))


def test_a_star_where_the_interval_excludes_0(condensation):
    falls = replace(condensation, name="b", mu_per_text=condensation.mu_per_text[:, ::-1])
    said = shown(terminal.differences([pairing.compare(condensation, falls)]))
    assert sum(line.rstrip().endswith("*") for line in said.splitlines()) == 3
    same = shown(terminal.differences([pairing.compare(condensation, replace(condensation, name="b"))]))
    assert not any(line.rstrip().endswith("*") for line in same.splitlines())


def test_lines_rise_with_mu(condensation):
    line = shown(lambda console: terminal.lines([condensation], console)).split()[-1]
    heights = [terminal.BARS.index(bar) for bar in line]
    assert heights == sorted(heights)
    assert heights[-1] == len(terminal.BARS) - 1


def test_tokens_are_quoted_and_short():
    outside = [Pooled("\x1b[31m<s>", 3, -0.25, True), Pooled("é" * 40, 1, 0.0, False)]
    inside = [Pooled(" the", 7, 0.875, False), Pooled("\n", 2, 0.5, False)]
    table = lambda console: terminal.tokens("toy", outside, inside, console)
    for encoding in ("utf-8", "ascii"):
        said = shown(table, encoding)
        assert max(map(len, said.splitlines())) <= 80
        assert "\x1b" not in said
        assert re.search(r"'\\x1b\[31m<s>' \*[ |]+3[ |]+-0\.250[ |]+' the'[ |]+7[ |]+\+0\.875", said)
        assert "* a special token" in said
    assert "'" + "é" * 14 + "..." in shown(table)


def test_a_constant_mu_has_no_trend():
    rounding = 1 + 1e-8 * np.arange(5) * np.ones((6, 1))
    found = shown(terminal.one(made(rounding)))
    assert found.count("no trend: mu is constant up to rounding (1e-06 in float32)") == 2
    found = shown(terminal.one(made(0.5 + 1e-3 * np.arange(5) * np.ones((6, 1)), dtype="bfloat16")))
    assert found.count("no trend: mu is constant up to rounding (0.01 in bfloat16)") == 2
    assert "no trend" not in shown(terminal.one(made(0.5 + 1e-3 * np.arange(5) * np.ones((6, 1)))))
