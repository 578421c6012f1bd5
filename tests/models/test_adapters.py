"""Folders with a PEFT adapter: measured as the adapter on its base model, or refused in one line."""

import copy
import json

import pytest
import torch
from toys import tiny

from decondense import measure, models
from decondense.models import adapters, catalogue
from decondense.runs import runfile

peft = pytest.importorskip("peft", reason="PEFT is not installed")
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")
TEXTS = [list(range(20)), list(range(7, 27))]


@pytest.fixture
def base(tmp_path, tiny_tokenizer):
    folder = tmp_path / "base"
    tiny("gpt2", bos_token_id=0, eos_token_id=1).save_pretrained(folder)
    tiny_tokenizer.save_pretrained(folder)
    return folder


def adapted(base, **changes):
    model = models.load(str(base), device="cpu").model
    config = peft.LoraConfig(
        **{"r": 4, "target_modules": ["c_attn"], "init_lora_weights": False, "fan_in_fan_out": True} | changes
    )
    torch.manual_seed(5)
    return peft.get_peft_model(model, config)


@pytest.fixture
def folder(tmp_path, base):
    adapted(base).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


def change(folder, **values):
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_a_folder_with_an_adapter_is_the_adapter_on_its_base(folder, base, tiny_tokenizer):
    loaded = models.load(str(folder), device="cpu")
    found, expected = (
        measure(model, None, TEXTS, max_length=20, progress=False) for model in (loaded.model, adapted(base))
    )
    assert (found.mu_per_text == expected.mu_per_text).all()
    plain = measure(models.load(str(base), device="cpu").model, None, TEXTS, max_length=20, progress=False)
    assert abs(found.mu - plain.mu).max() > 1e-3
    assert loaded.provenance["model"] == str(folder)
    assert loaded.provenance["base"] == str(base)
    assert loaded.provenance["adapter"] == "LORA"
    assert loaded.tokenizer("w1 w2")["input_ids"] == tiny_tokenizer("w1 w2")["input_ids"]
    assert models.positions(str(folder)) == models.positions(str(base))


def refused(folder, message):
    models.check_names([str(folder)])
    with pytest.raises(ValueError, match=message) as caught:
        models.load(str(folder), device="cpu")
    assert "\n" not in str(caught.value)


def test_an_adapter_without_its_base_model_is_refused_at_the_door(folder, tmp_path):
    change(folder, base_model_name_or_path=str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError, match=r"is of a base model that is not here: There is no folder .*gone"):
        models.check_names([str(folder)])
    change(folder, base_model_name_or_path="./gone")
    one_cure = r"no folder ./gone\. Write its hub id, or its folder as seen from the current one, into \S+ \(\w+\)\.$"
    with pytest.raises(FileNotFoundError, match=one_cure):
        models.check_names([str(folder)])
    change(folder, base_model_name_or_path="gpt-two")
    with pytest.raises(ValueError, match=r"is of a base model that is not here: Unknown model 'gpt-two'\. Write"):
        models.check_names([str(folder)])
    change(folder, base_model_name_or_path=None)
    with pytest.raises(ValueError, match="names no base model"):
        models.check_names([str(folder)])


def test_an_adapter_on_an_adapter_is_refused_and_so_is_one_on_itself(folder, tmp_path):
    for base in (folder, tmp_path / "second"):
        if base is not folder:
            base.mkdir()
            (base / "adapter_config.json").write_text("{}")
        change(folder, base_model_name_or_path=str(base))
        with pytest.raises(ValueError, match="has another adapter as its base"):
            models.check_names([str(folder)])


def test_a_tokenizer_of_its_own_comes_first(folder, tiny_tokenizer):
    own = copy.deepcopy(tiny_tokenizer)
    own.chat_template = "{{ messages[0]['content'] }}"
    own.save_pretrained(folder)
    assert models.load(str(folder), device="cpu").tokenizer.chat_template == own.chat_template
    assert models.load_tokenizer(str(folder)).chat_template == own.chat_template


def test_an_adapter_is_not_trained_on(folder):
    asked = {
        "model": str(folder),
        "corpus": "documentation",
        "steps": 2,
        "seeds": [0],
        "changes": {"a": {"loss": None}},
    }
    with pytest.raises(ValueError, match="is an adapter, and a run trains whole models"):
        runfile.asked(asked, "runs.toml")


@pytest.mark.parametrize("shape", [{"n_embd": 16}, {"n_layer": 2}, {"n_layer": 5}])
def test_an_adapter_of_another_model_is_refused(folder, tmp_path, tiny_tokenizer, shape):
    other = tmp_path / "other"
    tiny("gpt2", bos_token_id=0, eos_token_id=1, **shape).save_pretrained(other)
    tiny_tokenizer.save_pretrained(other)
    change(folder, base_model_name_or_path=str(other))
    refused(folder, r"The adapter in .*adapter is not one of .*other \(.*\)\. Give the model that it was trained on")


def test_an_adapter_of_another_architecture_is_refused(folder, tmp_path, tiny_tokenizer):
    other = tmp_path / "other"
    tiny("llama", bos_token_id=0, eos_token_id=1).save_pretrained(other)
    tiny_tokenizer.save_pretrained(other)
    change(folder, base_model_name_or_path=str(other))
    refused(folder, r"The adapter in .*adapter is not one of .*other \(.*\)\. Give the model that it was trained on")


@pytest.mark.parametrize(
    ("error", "said"), [(KeyError(), "KeyError"), (ValueError(" \n"), "ValueError"), (RuntimeError("a\nb "), "b")]
)
def test_whatever_peft_says_is_one_line(folder, monkeypatch, error, said):
    def fails(*_, **__):
        raise error

    monkeypatch.setattr(peft.PeftModel, "from_pretrained", fails)
    refused(folder, rf"is not one of .*base \({said}\)\. Give the model that it was trained on")


def test_a_pickle_is_no_adapter(folder):
    (folder / adapters.WEIGHTS).rename(folder / "adapter_model.bin")
    refused(folder, "has no adapter_model.safetensors; only safetensors are loaded")


def test_an_adapter_has_no_random_weights(folder):
    with pytest.raises(ValueError, match="is an adapter, and has no architecture of its own: give its base model"):
        models.load(str(folder), "random", device="cpu")


def test_a_whole_model_beside_an_adapters_configuration_is_a_model(folder, base):
    assert catalogue.is_adapter(str(folder))
    (base / "adapter_config.json").write_text("{}")
    assert not catalogue.is_adapter(str(base))
