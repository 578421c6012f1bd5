"""A tokenizer that is not whole is refused; a hub that fails to send a part is in tests/standin/test_faults.py."""

import json

import pytest

from decondense.models import tokenizer


def test_a_folder_without_a_vocabulary(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "GPT2Tokenizer"}))
    with pytest.raises(FileNotFoundError, match="has no vocabulary for a tokenizer"):
        tokenizer.read(str(tmp_path), trust_remote_code=False)


def test_a_folder_with_one(tmp_path, tiny_tokenizer):
    tiny_tokenizer.save_pretrained(tmp_path)
    assert tokenizer.read(str(tmp_path), trust_remote_code=False)("w0 w5")["input_ids"] == [1, 6]


class Made:
    all_special_tokens = ("</s>",)

    def __len__(self):
        return 9


# What the hub's cache has, and whether a tokenizer is whole with it.
PARTS = [
    (["tokenizer.json"], True),
    (["vocab.json"], False),
    (["vocab.json", "merges.txt"], True),
    (["merges.txt", "tokenizer_config.json"], False),
]


@pytest.mark.parametrize(("files", "whole"), PARTS)
def test_what_is_enough_in_the_cache(monkeypatch, files, whole):
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _, f, revision: f if f in files else None)
    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", lambda *_, **__: Made())
    read = lambda: tokenizer.read("a/b", trust_remote_code=False, local_files_only=True, revision="c" * 40)
    if whole:
        assert isinstance(read(), Made)
    else:
        with pytest.raises(FileNotFoundError, match="of the tokenizer of a/b only a part is here"):
            read()
