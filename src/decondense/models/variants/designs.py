"""The designs by name, from Transformers where it has one that differs in one thing, each with as many parameters."""

from collections.abc import Mapping
from fractions import Fraction

import torch
import transformers

from ...base.errors import unknown
from .model import VariantConfig, VariantForCausalLM

REFERENCE = "pre-norm"
EXPERTS = "experts"
OWN = {
    "LayerNorm and biases": {"block": "layer_norm", "attention_bias": True, "mlp_bias": True},
    "post-norm": {"block": "post"},
    "sandwich norm": {"block": "sandwich"},
    "embedding norm": {"block": "embedding_norm"},
    "embedding mix": {"block": "mixed"},
    "parallel": {"block": "parallel"},
    "linear hybrid": {"block": "hybrid"},
    "state-space hybrid": {"block": "state_space"},
    "hyperspherical": {"block": "sphere"},
}
DEEPER = {"deep and narrow": (2, Fraction(3, 4)), "shallow and wide": (Fraction(1, 2), Fraction(5, 4))}  # blocks, heads
NAMES = (REFERENCE, *OWN, "QK-norm", "scaled residual", "untied head", *DEEPER)


def config(name: str, shape: Mapping, vocabulary: int) -> transformers.PretrainedConfig:
    """The configuration of a design, for a reference shape.

    shape
        `width` (a multiple of `heads`), `blocks`, `heads`, `mlp` (width of the MLP) and `initializer` of the reference:
        Llama with tied weights, without biases, with as many keys and values as queries.

    All designs of `NAMES` have as many parameters as the reference, to one row of an MLP per block: the width of their
    MLP is chosen so. `EXPERTS` (OLMoE: eight experts, two a token, each half as wide as the MLP) has more.

    Raises
        ValueError: an unknown design; a design that would need an MLP without a neuron.
    """
    if name == REFERENCE:
        return _made(name, shape, vocabulary)
    if name == EXPERTS:
        return _made(name, dict(shape, mlp=max(1, shape["mlp"] // 2)), vocabulary)
    if name not in NAMES:
        raise unknown("design", name, (*NAMES, EXPERTS))
    shape = _deeper(name, shape)
    wanted = parameters(_made(REFERENCE, shape["of"], vocabulary))
    none, one = (parameters(_made(name, dict(shape, mlp=mlp), vocabulary)) for mlp in (1, 2))
    mlp = 1 + round((wanted - none) / (one - none))
    if mlp < 1:
        raise ValueError(f"{name!r} has more parameters than the reference without an MLP: give a wider shape.")
    return _made(name, dict(shape, mlp=mlp), vocabulary)


def _deeper(name: str, shape: Mapping) -> dict:
    """The shape of the design, with the reference's under `of`."""
    if name not in DEEPER:
        return dict(shape, of=shape)
    blocks, heads = DEEPER[name]
    heads = max(1, round(shape["heads"] * heads))
    width = heads * (shape["width"] // shape["heads"])
    return dict(shape, of=shape, blocks=max(1, round(shape["blocks"] * blocks)), heads=heads, width=width)


def _made(name: str, shape: Mapping, vocabulary: int) -> transformers.PretrainedConfig:
    head = shape["width"] // shape["heads"]
    own = {
        "hidden_size": shape["width"], "num_hidden_layers": shape["blocks"], "num_attention_heads": shape["heads"],
        "num_key_value_heads": shape["heads"], "intermediate_size": shape["mlp"], "vocab_size": vocabulary,
        "initializer_range": shape["initializer"], "tie_word_embeddings": name != "untied head", "use_cache": False,
        "bos_token_id": None, "eos_token_id": None, "pad_token_id": None,
    }  # fmt: skip
    if name in OWN:
        return VariantConfig(**own, head_dim=head, **OWN[name])
    if name == "QK-norm":
        return transformers.Qwen3Config(**own, head_dim=head)
    if name == "scaled residual":
        scales = {"residual_multiplier": shape["blocks"] ** -0.5, "attention_multiplier": head**-0.5}
        return transformers.GraniteConfig(**own, **scales)
    if name == EXPERTS:
        experts = {"num_experts": 8, "num_experts_per_tok": 2, "output_router_logits": True}
        return transformers.OlmoeConfig(**own, **experts)
    return transformers.LlamaConfig(**own, head_dim=head)


def model(name: str, shape: Mapping, vocabulary: int, seed: int) -> transformers.PreTrainedModel:
    """A causal language model of the design with first weights; arguments and errors as for `config`."""
    of = config(name, shape, vocabulary)
    torch.manual_seed(seed)
    return _causal(of)


def _causal(of: transformers.PretrainedConfig) -> transformers.PreTrainedModel:
    made = (
        VariantForCausalLM(of) if isinstance(of, VariantConfig) else transformers.AutoModelForCausalLM.from_config(of)
    )
    made.loss_type = "ForCausalLM"  # what it takes anyway, and would warn of
    return made


def parameters(of: transformers.PretrainedConfig) -> int:
    """How many a model of this configuration has; tied weights count once."""
    with torch.device("meta"):
        made = _causal(of)
    made.tie_weights()
    return sum(p.numel() for p in made.parameters())
