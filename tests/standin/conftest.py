"""A hub of one's own for each test: the libraries are told its address, and have empty caches."""

import datasets.config
import huggingface_hub.constants
import huggingface_hub.hf_api
import pytest
import transformers.utils.hub
from huggingface_hub.utils import close_session
from standin import data, models, server

from decondense.evaluate import harness
from decondense.models import loading


@pytest.fixture
def hub(monkeypatch, tmp_path):
    made = server.Hub(models.repositories(["stage1-step0"]) | data.repositories())
    with server.serving(made) as address:
        constants = huggingface_hub.constants
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", address)  # made when it was imported
        monkeypatch.setattr(transformers.utils.hub, "_hf_api", None)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", address)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
        monkeypatch.setattr(loading.memory, "refuse_if_too_large", lambda *_: None)  # it has the size of the real one
        yield made
        close_session()
    harness._manager.cache_clear()
    harness._of_hub.cache_clear()
