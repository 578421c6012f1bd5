"""The piece of a model card: its numbers, and names that are no Markdown."""

import re
from dataclasses import replace

import numpy as np
import pytest
from made_condensations import made

from decondense import __version__
from decondense.cli.card import card, escaped


def cells(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def rows(text, first):
    return [cells(line) for line in text.splitlines() if line.startswith(f"| {first}")]


def test_numbers_are_those_of_the_result(condensation):
    result = replace(
        condensation, settings=condensation.settings | {"texts": "files a.txt", "versions": {"torch": "2"}}
    )
    text = card([result, replace(result, name="other")], "decondense measure toy other", "report.png")
    (head,), (row,), ((other, *same),) = rows(text, "model"), rows(text, "toy | 4"), rows(text, "other | 4")
    assert (len(head), other, same) == (len(row), "other", row[1:])
    late, interval = result.mean_of_last(None)
    shown = lambda value, low, high: f"{value:+.3f} ({low:+.3f} to {high:+.3f})"
    assert row == [
        "toy", "4", f"{result.mu[0]:.3f}", f"{result.mu[2]:.3f}", f"{result.mu[4]:.3f}", shown(late, *interval),
        shown(result.rho, *result.rho_interval), shown(result.tau, *result.tau_interval),
    ]  # fmt: skip
    assert rows(text, "texts") == [["texts", "6 from files a.txt"], ["texts cut to", "32 tokens"]]
    assert rows(text, "tokens") == [["tokens", "192 in all, 32 per text"]]
    assert rows(text, "versions") == [["versions", f"decondense {__version__}, torch 2"]]
    assert "](report.png)\n" in text
    assert text.endswith("```bash\ndecondense measure toy other\n```\n")


def test_without_a_figure_and_without_intervals():
    text = card([made([[0.1, 0.2, 0.3]], texts="a")], "x", None)
    assert "![" not in text
    assert "| +1.000 |" in text


NAMES = [
    "a|b",
    "$\\frac{1}{2}$",
    "`code`",
    "*a*_b_",
    "<b>x</b>",
    "[x](y)",
    "a\nb",
    "\x1b[31mred",
    "&amp;",
    "# a",
    "~~a~~",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_no_markdown(name):
    plain = " ".join(name.split()).replace("\x1b", "")
    assert re.sub(r"\\(.)", r"\1", escaped(name)) == plain
    assert not re.search(r"(?<!\\)[|$`*_<>\[\]&#~]", escaped(name).replace("\\\\", ""))
    text = card([replace(made(np.ones((3, 4)) / 2, texts=name), name=name)], f"decondense measure {name}", None)
    assert len({len(cells(line)) for line in text.splitlines() if line.startswith("| ")}) == 2  # of both tables


def test_a_command_with_backticks_stays_in_its_block(condensation):
    text = card([made(np.ones((3, 4)) / 2, texts="a")], "decondense measure '```'", None)
    assert text.endswith("````bash\ndecondense measure '```'\n````\n")
