"""Tiny models with random weights, and what tests need to make things of their own."""

import os
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
import transformers

REAL_DATA = os.environ.get("DECONDENSE_DATA")  # the user's own, before any test sees the environment
# What torch.compile says of the graphs that it breaks, where warnings are errors.
COMPILING = (
    "ignore:The .grad attribute of a Tensor",
    "ignore:Converting a tensor with requires_grad",
    "ignore:.*should not be instantiated:DeprecationWarning",
)
RELEASE = int(transformers.__version__.split(".")[0])
LAYERS, WIDTH, VOCABULARY, POSITIONS = 3, 32, 64, 64
_GPT2 = {"n_embd": WIDTH, "n_layer": LAYERS, "n_head": 4, "vocab_size": VOCABULARY, "n_positions": POSITIONS}
_SHAPE = {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": 4, "vocab_size": VOCABULARY}
_LONG = _SHAPE | {"intermediate_size": 48, "max_position_embeddings": POSITIONS}
_GROUPED = _LONG | {"num_key_value_heads": 2}
TINY = {  # class and configuration, the model's own name on the left
    "gpt2": ("GPT2LMHeadModel", "GPT2Config", _GPT2),
    "qwen3": ("Qwen3ForCausalLM", "Qwen3Config", _GROUPED | {"head_dim": 8}),
    "qwen2": ("Qwen2ForCausalLM", "Qwen2Config", _GROUPED),
    "llama": ("LlamaForCausalLM", "LlamaConfig", _GROUPED),
    "bloom": ("BloomForCausalLM", "BloomConfig", _SHAPE),
    "gpt-neox": ("GPTNeoXForCausalLM", "GPTNeoXConfig", _LONG),
    "olmo-3": ("Olmo3ForCausalLM", "Olmo3Config", _GROUPED | {"pad_token_id": 0}),
    "gemma-3": ("Gemma3ForCausalLM", "Gemma3TextConfig", _GROUPED | {"head_dim": 8}),
    "bert": ("BertModel", "BertConfig", _LONG),
    "bert-masked": ("BertForMaskedLM", "BertConfig", _LONG),
}


def tiny(name, **changes):
    """A tiny model of the architecture `name` with seeded random weights, in evaluation mode."""
    model, config, arguments = TINY[name]
    torch.manual_seed(0)
    return getattr(transformers, model)(getattr(transformers, config)(**arguments | changes)).eval()


def unchecked(function):
    """The function without the type checker of these tests, as a user has it."""
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return function


def module_beside(file: str, name: str):
    """The module `name`.py in the folder of a conftest, which no path leads to: two folders have one of that name."""
    path = Path(file).with_name(f"{name}.py")
    spec = spec_from_file_location(f"{path.parent.name}_{name}", path)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
