"""Prose has no typed results: each number of a page is put there by code, or is one of the few kinds allowed here.

A result that is typed ages, and no test sees it. `<!-- number ID: NAME -->` puts one there (`book.numbers`).
"""

import re
from pathlib import Path

import pytest

from decondense.book import cells, heads

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "book").glob("*.md")])
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

NOT_PROSE = [
    r"(?s)^---\n.*?\n---\n",  # head of a page
    r"(?ms)^ *(```|~~~).*?^ *\1",  # code
    r"(?s)<!--.*?-->",  # put there by code
    r"(?s)\$\$.*?\$\$",  # formulas
    r"``.+?``|(?s:\{[\w:]+\})?`[^`]+`",  # code, roles
    r"\]\([^)]*\)|https?://\S+|<[^>]+>",  # targets of links, tags
    r"(?m)^\|.*\|$",  # tables
]
A, Z = r"(?<![\w.,])", r"(?![\d.]*\d)"  # where a number may begin and end
UNITS = "tokens|items|texts|words|steps|rows|documents|questions|resamples|bins|heads|blocks|layers|processes|GPUs"
UNITS += "|subjects|days|GB"
ALLOWED = {
    "names": r"[^\W\d]+[-.:]?[\w.]*\d[\w.-]*|-\d[\d.]*[BM]\b",  # GPT-2, Qwen3-0.6B and -1.7B, float32, arXiv:2602.00217
    "places in the paper": r"(?:Fig(?:ures?|s?\.)|Tables?|Sections?|Propositions?)(?:[ ,]+(?:and |to )?S?\d+\w?)+",
    "places here": r"(?i:entry|entries|order|text) \d+",
    "numbers of a list": r"^\d+\.",
    "years": rf"{A}(?:19|20)\d\d{Z}",
    "versions": r"(?:Python|Transformers|torch|FSDP|ZeRO) \d[\d.]*",
    "sizes of models and corpora": rf"{A}\d[\d.]*\s?(?:[BM]\b|[mb]illion)",
    "settings": rf"{A}\d[\d,]* (?:random )?(?:{UNITS})\b|(?:first|every|width|divides) \d[\d,]*",
    "weights of the loss": r"(?:weight|paper's) \d[\d.]*(?! %)",
    "levels, power, normal quantiles": rf"{A}(?:95 %|80 %|1\.96)",
    "ends of a scale, right angles": rf"{A}[-+−]?(?:1/2|[01]|90°|180°){Z}(?! %)",
    "statuses": r"(?i)exit status .*",
}
TO_MEND = ()  # notebooks: take a number out when its page is mended


def bare(text):
    """The text without what is not prose, as many lines as before. Of a formula only a number alone is left."""
    for pattern in NOT_PROSE:
        text = re.sub(pattern, lambda found: "\n" * found[0].count("\n") + " ", text)
    return re.sub(r"\$([^$]+)\$", lambda found: found[1] if re.fullmatch(r"[-+\d.]+", found[1]) else " ", text)


def typed(text):
    """Sentences with a number that is of no allowed kind."""
    found = []
    for paragraph in re.split(r"\n\s*\n|\n(?=\s*(?:[-*]|\d+\.) |#)", bare(text)):
        if paragraph.lstrip().startswith("**What the paper says.**"):  # its claims and settings, quoted
            continue
        for sentence in re.split(r"(?<=[.:;?!])\s+(?=[A-Z*`])", " ".join(paragraph.split())):
            rest = sentence
            for pattern in ALLOWED.values():
                rest = re.sub(pattern, " ", rest)
            if re.search(rf"{A}\d", rest):
                found.append(sentence)
    return found


def of_notebook(path):
    return [s for cell in cells.read(path) if cell["cell_type"] == "markdown" for s in typed(cell["source"])]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_no_number_is_typed_into_a_page(path):
    assert typed(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("short", heads.table())
def test_no_number_is_typed_into_the_head_of_a_page(short):
    head = heads.table()[short]
    assert typed(head["claim"]) + typed(head["change"]) == []


def to_mend(path):
    return pytest.param(path, id=path.stem, marks=[pytest.mark.xfail] if path.stem[:2] in TO_MEND else [])


@pytest.mark.parametrize("path", [to_mend(path) for path in NOTEBOOKS])
def test_no_number_is_typed_into_the_prose_of_a_notebook(path):
    assert of_notebook(path) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The mean cosine falls by 0.18.",
        "It falls in 3 of 4 models.",
        "The loss is 2 % lower.",
        "A gain of +1.17 points.",
        "Weights have 4 bits.",
        "$\\mu$ falls from 0.6 to -0.3.",
        "$\\rho$ is $-0.07$.",
        "It is 20 times as fast.",
        "- first point\n- the second has 1.3",
    ],
)
def test_a_typed_result_is_found(sentence):
    assert len(typed(f"Before.\n\n{sentence}\n\nAfter.")) == 1


@pytest.mark.parametrize(
    "sentence",
    [
        "Qwen3-0.6B and -1.7B have the same depth (Fig. 2b, Tables 2, 3 and S1).",
        "It falls<!-- number fig7: weight 0.1 -->, at weight 0.1, in 95 % intervals near 1.",
        "$x = 0.3$ and `x = 0.3` on 512 tokens of wikitext-103 {cite:p}`a2020`.",
        "1. The first.\n2. The second, see [here](fig3.md).",
        "**What the paper says.** Its gain is 1.17 points.",
    ],
)
def test_what_is_no_result_passes(sentence):
    assert typed(sentence) == []
