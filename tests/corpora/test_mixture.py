"""What the token files are made of: which texts are trained on, which are held out, and what the header says."""

from pathlib import Path

import pytest

from decondense import corpora
from decondense.corpora import mixture, packed, source_code
from decondense.corpora.source_code import Package

ARTICLES = [f" = Title {i} = \n \n w{i} w{i} .\n = = Part = = \n w{i} w1 .\n" for i in range(20)]


@pytest.fixture
def given(monkeypatch):
    """What is given to `packed.write`."""
    rows = "".join(ARTICLES).splitlines(keepends=True)
    prose = [f"Paragraph {i}.\n" for i in range(101)]
    load = lambda name, *_: corpora.Corpus(name, rows if name == "wikitext-2" else prose, "made here", "0")
    kept, apart = [Package("kept", "1.0", "MIT", ["a = 1"])], [Package("apart", "2.0", "BSD License", ["b = 2"])]
    monkeypatch.setattr(corpora, "load", load)
    monkeypatch.setattr(source_code, "packages", lambda: [*kept, *apart])
    monkeypatch.setattr(source_code, "split", lambda every: (kept, apart))
    calls = []
    monkeypatch.setattr(packed, "write", lambda *arguments, beside: calls.append(arguments) or {})
    return lambda: (mixture.pack(Path("folder"), "tokenizer", ("local",), 3), calls)[1][0]


def test_the_last_articles_and_whole_packages_are_held_out(given):
    folder, tokenizer, train, held_out, about, pieces = given()
    assert (folder, tokenizer, pieces) == (Path("folder"), "tokenizer", 3)
    assert train[:19] == ARTICLES[:19]
    assert [len(block.splitlines()) for block in train[19:-1]] == [50, 50, 1]
    assert train[-1] == "a = 1"
    assert held_out == [ARTICLES[19], "b = 2"]
    assert about["packages_held_out"] == ["apart"]
    assert about["licences"] == mixture.LICENCES | {"kept 1.0": "MIT", "apart 2.0": "BSD License"}
    assert about["characters_held_out"] == {"wikitext-2": len(ARTICLES[19]), "source": 5}


def test_the_documentation_is_not_held_out(given):
    _, _, _, held_out, *_ = given()
    assert not any(text.startswith("Paragraph") for text in held_out)
    assert "wikitext-2" in corpora.ORIGINS
