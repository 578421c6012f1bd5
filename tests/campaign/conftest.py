"""Token files of toy texts, for runs that take no second."""

import pytest

from decondense.corpora import packed


@pytest.fixture
def tokens(tmp_path, monkeypatch, tiny_tokenizer):
    """`packed/pocket-small`, of words that the tiny tokenizer knows."""
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path / "data"))
    text = lambda k: " ".join(f"w{(7 * i * k + i) % 60}" for i in range(60))
    folder = tmp_path / "data" / "tokens" / "pocket-small"
    packed.write(folder, tiny_tokenizer, map(text, range(40)), map(text, range(40, 48)), {"licences": {}})
    return folder
