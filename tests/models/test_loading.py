"""Models made from their names: what is refused, weights and their heads, configurations that are none."""

import json
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from toys import WIDTH, tiny, unchecked

from decondense import models
from decondense.models import loading, memory, pocket, quantise

# --- what is refused ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"weights": "pretrain"}, "Unknown weights 'pretrain'. Did you mean 'pretrained'"),
        ({"dtype": "float64"}, "Unknown dtype 'float64'"),
        ({"sources": ["hub", "pip"]}, "Unknown source 'pip'. Did you mean 'pypi'"),
        ({"device": "cuda:99"}, "Device 'cuda:99' is not there"),
        ({"device": "gpu"}, "Device 'gpu' is not there"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_read(offline, how, message):
    with pytest.raises(ValueError, match=message):
        unchecked(models.load)("gpt2", **how)
    assert offline == []


def test_remote_code_is_refused_unless_allowed(toy_table, offline):
    with pytest.raises(
        PermissionError, match=r"remote runs code.*models\.load\(.*trust_remote_code=True\); the command line never"
    ):
        models.load("Lab/Remote")
    assert offline == []
    with pytest.raises(FileNotFoundError):
        models.load("Lab/Remote", trust_remote_code=True, sources=["hub"])
    assert offline == [("Lab/Remote", {"local_files_only": False, "revision": "0" * 40, "trust_remote_code": True})]


@pytest.mark.parametrize(("dtype", "needed"), [("float32", r"7\.0"), ("bfloat16", r"3\.5")])
@pytest.mark.parametrize("weights", ["random", "pretrained"])
def test_a_model_over_free_memory_is_refused_with_the_number(monkeypatch, offline, weights, dtype, needed):
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: SimpleNamespace(available=2**31))
    message = rf"gpt2-xl has 1\.56 billion parameters and needs about {needed} GiB in .*{dtype}; 2\.0 GiB are free"
    with pytest.raises(MemoryError, match=message):
        models.load("gpt2-xl", weights, dtype=dtype)
    assert offline == []


# --- random weights -------------------------------------------------------------------------------------------------


def weights_of(seed, **how):
    return models.load("toy-gpt", "random", seed=seed, device="cpu", **how).model.state_dict()


def test_random_weights_are_seeded(toy_table):
    first, same, other = weights_of(3), weights_of(3), weights_of(4)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["transformer.wte.weight"], other["transformer.wte.weight"])


def test_random_model_has_the_published_shape_and_no_tokenizer(toy_table):
    loaded = models.load("Lab/Toy-GPT", "random", dtype="bfloat16", device="cpu", seed=5)
    assert loaded.tokenizer is None
    assert loaded.model.config.n_embd == WIDTH
    assert loaded.model.dtype == torch.bfloat16
    assert not loaded.model.training
    assert loaded.provenance == {
        "model": "Lab/Toy-GPT", "weights": "random", "dtype": "bfloat16", "device": "cpu",
        "source": "random initialisation", "seed": 5, "revision": None,
    }  # fmt: skip


def test_random_weights_need_a_known_architecture(toy_table):
    with pytest.raises(ValueError, match=r"architecture of 'remote' is not in the table\. Known: toy-gpt\."):
        models.load("remote", "random")


def test_a_model_that_is_published_without_a_head_is_drawn_without_one():
    assert type(models.load("all-minilm-l6-v2", "random", device="cpu").model).__name__ == "BertModel"


# --- weights --------------------------------------------------------------------------------------------------------


def test_local_folder_is_loaded_with_its_tokenizer(folder, tiny_gpt2):
    loaded = models.load(folder, device="cpu")
    ids = torch.tensor([[1, 2, 3]])
    with torch.inference_mode():
        assert torch.equal(loaded.model(ids).logits, tiny_gpt2(ids).logits)
    assert loaded.tokenizer("w0 w5")["input_ids"] == [1, 6]
    assert loaded.provenance["source"] == "local folder"
    assert models.load_tokenizer(folder)("w7")["input_ids"] == [8]


def changed(folder, change):
    """The weights in a folder, written again as `change` makes them."""
    file = Path(folder) / "model.safetensors"
    save_file(change(load_file(file)), file, metadata={"format": "pt"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda w: {name: value for name, value in w.items() if ".h.1." not in name}, r"lacks 12 weights .*\.h\.1\."),
        (lambda w: {name: value[..., :8].contiguous() for name, value in w.items()}, "in another shape"),
        (lambda w: {f"module.{name}": value for name, value in w.items()}, r"lacks 40 weights .*model\.module"),
    ],
    ids=["a block is not there", "narrower", "saved within a wrapper"],
)
def test_weights_that_lack_some_are_refused(folder, change, said):
    """Transformers would draw them at random."""
    changed(folder, change)
    with pytest.raises(ValueError, match=said):
        models.load(folder)


def test_a_head_that_was_not_saved_is_left_out(folder, tiny_gpt2):
    """At random it would be counted, warned of, and train in silence."""
    untied = deepcopy(tiny_gpt2)
    untied.config.tie_word_embeddings = False
    untied.base_model.save_pretrained(folder)
    loaded = models.load(folder)
    assert type(loaded.model) is transformers.GPT2Model
    weights = loaded.model.state_dict()
    assert all((weights[name] == value).all() for name, value in tiny_gpt2.base_model.state_dict().items())


def test_a_tied_head_needs_no_weights_of_its_own(folder, tiny_gpt2):
    tiny_gpt2.base_model.save_pretrained(folder)
    assert type(models.load(folder).model) is transformers.GPT2LMHeadModel


@pytest.mark.parametrize(
    ("kind", "loaded_as", "pooled"),
    [
        ("BertModel", "BertModel", True),  # a sentence encoder
        ("BertForMaskedLM", "BertLMHeadModel", False),
        ("BertForSequenceClassification", "BertModel", True),
        ("BertForTokenClassification", "BertModel", False),
    ],
)
def test_an_encoder_has_the_parameters_of_its_checkpoint(tmp_path, tiny_tokenizer, kind, loaded_as, pooled):
    config = tiny("bert").config
    torch.manual_seed(0)
    saved = getattr(transformers, kind)(config)
    saved.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    found = models.load(str(tmp_path)).model
    assert type(found) is getattr(transformers, loaded_as)
    trunk = saved.base_model
    weights = found.base_model.state_dict()
    assert weights.keys() == trunk.state_dict().keys()
    assert all((weights[name] == value).all() for name, value in trunk.state_dict().items())
    assert (getattr(found.base_model, "pooler", None) is not None) == pooled


def test_an_encoder_without_a_causal_head_is_loaded(tmp_path, tiny_tokenizer):
    config = transformers.DistilBertConfig(vocab_size=300, dim=16, n_layers=2, n_heads=2, hidden_dim=32)
    encoder = transformers.DistilBertForMaskedLM(config)
    encoder.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    loaded = models.load(str(tmp_path))
    assert type(loaded.model) is transformers.DistilBertModel
    weights = loaded.model.state_dict()
    assert all((weights[name] == value).all() for name, value in encoder.base_model.state_dict().items())


def test_a_revision_is_that_of_weights_and_tokenizer(folder, monkeypatch):
    monkeypatch.setattr(loading, "_plain_configuration", lambda *_, **__: None)
    read = {name: [] for name in ("AutoTokenizer", "AutoConfig", "AutoModelForCausalLM")}
    for name, calls in read.items():
        real = getattr(transformers, name).from_pretrained

        def from_pretrained(_where, _real=real, _calls=calls, **how):
            _calls.append(how.pop("revision", None))
            return _real(folder, **how)

        monkeypatch.setattr(getattr(transformers, name), "from_pretrained", from_pretrained)
    loaded = models.load("gpt2", revision="stage1-step0", sources=["hub"], device="cpu")
    asked = "5" * 40
    assert read["AutoTokenizer"] == [asked]
    assert asked in read["AutoConfig"]
    assert read["AutoModelForCausalLM"] == [asked]
    assert loaded.provenance["source"] == "hub openai-community/gpt2 at stage1-step0"
    assert loaded.provenance["revision"] == asked


@pytest.mark.parametrize(
    ("name", "weights"), [("toy-gpt", "random"), ("pocket-small", "pretrained"), (".", "pretrained")]
)
def test_what_is_not_on_the_hub_has_no_revision(toy_table, offline, name, weights):
    with pytest.raises(ValueError, match=r"revision='step0': only pretrained models of the hub have revisions"):
        models.load(name, weights, revision="step0")
    assert offline == []


def test_pocket_models_are_passed_on(monkeypatch):
    asked = []
    monkeypatch.setattr(
        pocket, "load", lambda *arguments: asked.append(arguments) or (tiny("gpt2"), "tokens", {"x": 1})
    )
    loaded = models.load("pocket-small", train_tokens=7, seed=3, dtype="bfloat16", device="cpu")
    models.load("pocket-small", "random", train_tokens=7, device="cpu")
    assert asked == [("pocket-small", 7, 3), ("pocket-small", 0, 0)]
    assert (loaded.tokenizer, loaded.model.dtype, loaded.provenance["x"]) == ("tokens", torch.bfloat16, 1)


# --- files that are not what they should be -------------------------------------------------------------------------

CONFIGURATIONS = {
    "n_layer": ("3", r"config\.json of .* has n_layer: '3', no size"),
    "n_head": (0, "cannot be read .ZeroDivisionError"),
    "activation_function": ("nosuch", "cannot be read .KeyError: 'nosuch'"),
    "model_type": (["gpt2"], "cannot be read .TypeError"),
    "quantization_config": ("x", "cannot be read .AttributeError"),
    "n_positions": ("64", "cannot be read .StrictDataclass.*expected int, got str"),
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_a_value_that_is_none_in_a_configuration(folder, name):
    value, said = CONFIGURATIONS[name]
    file = Path(folder) / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {name: value}))
    with pytest.raises(ValueError, match=rf"{said}.*Copy it there again\."):
        models.load(folder)


@pytest.mark.parametrize("content", ["[]", '"x"', "3"])
@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "generation_config.json"])
def test_json_of_another_kind(folder, name, content):
    (Path(folder) / name).write_text(content)
    with pytest.raises(ValueError, match=r"Copy it there again\."):
        models.load(folder)


# --- random weights of a folder -------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["gpt2", "bert", "bert-masked"])
def test_a_folder_at_initialisation(tmp_path, tiny_tokenizer, kind):
    saved = tiny(kind)
    saved.config.architectures = [type(saved).__name__]
    saved.config.save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    one, same, other = (models.load(str(tmp_path), "random", seed=seed, device="cpu") for seed in (3, 3, 4))
    assert type(one.model).__name__ == {"bert-masked": "BertLMHeadModel"}.get(kind, type(saved).__name__)
    assert one.model.config.hidden_size == saved.config.hidden_size
    weights = [loaded.model.get_input_embeddings().weight for loaded in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert one.tokenizer("w0 w5")["input_ids"] == [1, 6]
    assert one.provenance["source"] == "random initialisation"
    assert not one.model.training


def test_a_folder_at_initialisation_needs_no_tokenizer(tmp_path):
    tiny("gpt2").config.save_pretrained(tmp_path)
    assert models.load(str(tmp_path), "random", device="cpu").tokenizer is None


# --- rounded --------------------------------------------------------------------------------------------------------


def test_a_model_is_rounded_and_says_so():
    plain, rounded = (models.load("pocket-small", train_tokens=0, device="cpu", bits=bits) for bits in (None, 3))
    weights = [loaded.model.transformer.wte.weight for loaded in (plain, rounded)]
    assert torch.equal(weights[1], quantise.rounded(weights[0], 3))
    assert "rounded_to_bits" not in plain.provenance
    assert rounded.provenance["rounded_to_bits"] == 3


def test_bits_are_refused_before_anything_is_loaded(monkeypatch):
    monkeypatch.setattr(loading.pocket, "load", lambda *_: pytest.fail("loaded"))
    with pytest.raises(ValueError, match=r"^Weights are rounded to 2 to 8 bits, got 16\.$"):
        models.load("pocket-small", device="cpu", bits=16)
