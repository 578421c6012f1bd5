"""A toy table of models, an offline Transformers, and a model in a folder."""

import pytest
import transformers
from toys import TINY

from decondense.base import hub
from decondense.models import catalogue

COMMITS = {None: "0" * 40, "stage1-step0": "5" * 40}


@pytest.fixture(autouse=True)
def commits(monkeypatch):
    """Stands for the hub, which says what commit a revision means, and for its cache, which has every file."""
    monkeypatch.setattr(hub, "commit", lambda _, revision=None, local=False: COMMITS.get(revision, revision))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda _, file, revision: file)


@pytest.fixture
def toy_table(monkeypatch):
    """A table of one tiny GPT-2 that has a mirror, and one model with code on the hub."""
    entry = {"hub": "Lab/Toy-GPT", "family": "Toy", "architecture": "GPT2Config", "config": TINY["gpt2"][2]}
    remote = {"hub": "Lab/Remote", "family": "Toy", "remote_code": True}
    table = {"toy-gpt": entry | {"parameters": 42_000, "mirror": "toy"}, "remote": remote}
    monkeypatch.setattr(catalogue, "table", lambda: table)
    return table


@pytest.fixture
def offline(monkeypatch):
    """Stands for transformers: every attempt to read is listed, and fails."""
    asked = []

    def from_pretrained(where, **how):
        asked.append((where, how))
        raise OSError(f"cannot reach {where}\nmore lines")

    monkeypatch.setattr(transformers.PretrainedConfig, "get_config_dict", from_pretrained)  # before the weights
    monkeypatch.setattr(transformers.AutoTokenizer, "from_pretrained", from_pretrained)
    return asked


@pytest.fixture
def folder(tmp_path, tiny_gpt2, tiny_tokenizer):
    """A local folder in Hugging Face's layout."""
    tiny_gpt2.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return str(tmp_path / "model")
