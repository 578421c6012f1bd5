"""The model around the blocks: a Hugging Face causal language model that `hooks`, `measure` and `streaming` read."""

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, LlamaConfig
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.models.llama.modeling_llama import LlamaForCausalLM, LlamaModel, LlamaRMSNorm

from ...base.errors import unknown
from . import blocks, linear, sphere, state_space

BLOCKS = {
    "pre": blocks.PreNorm, "embedding_norm": blocks.EmbeddingNorm, "layer_norm": blocks.LayerNorms,
    "post": blocks.PostNorm, "sandwich": blocks.Sandwich, "parallel": blocks.Parallel, "mixed": blocks.Mixed,
    "hybrid": linear.Hybrid, "state_space": state_space.StateSpaceHybrid, "sphere": sphere.Sphere,
}  # fmt: skip
SPHERE = "sphere"


class VariantConfig(LlamaConfig):
    """Llama's configuration, and which of `BLOCKS` the model has."""

    model_type = "llama_variant"

    def __init__(self, block: str = "pre", **llama):
        self.block = block
        super().__init__(**llama)


class VariantModel(LlamaModel):
    """The backbone. It takes token ids, a mask for padding on the right, and no cache.

    Raises
        ValueError: an unknown block.
    """

    config_class = VariantConfig

    def __init__(self, config: VariantConfig):
        if config.block not in BLOCKS:
            raise unknown("block", config.block, BLOCKS)
        super().__init__(config)
        kind = BLOCKS[config.block]
        self.layers = nn.ModuleList([kind(config, number) for number in range(config.num_hidden_layers)])
        self.embedding_norm = _norm(config) if kind.normalised_embedding else nn.Identity()
        self.norm = _norm(config) if kind.final_norm else nn.Identity()
        if config.block == SPHERE:
            self.embed_tokens.unit_axis = 1
        self.post_init()
        sphere.unit(self)  # what Llama made and drew before it knew

    def _init_weights(self, module: nn.Module) -> None:
        _draw(super()._init_weights, module)

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None, position_ids=None, **_):
        x = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        first = x = self.embedding_norm(x)
        if position_ids is None:
            position_ids = torch.arange(x.shape[1], device=x.device)[None]
        mask = create_causal_mask(
            config=self.config, inputs_embeds=x, attention_mask=attention_mask, past_key_values=None,
            position_ids=position_ids,
        )  # fmt: skip
        how = {"attention_mask": mask, "position_embeddings": self.rotary_emb(x, position_ids=position_ids)}
        for block in self.layers:
            x = block(x, first=first, **how)
        return BaseModelOutputWithPast(last_hidden_state=self.norm(x))


class VariantForCausalLM(LlamaForCausalLM):
    """The backbone with its head."""

    config_class = VariantConfig

    def __init__(self, config: VariantConfig):
        super().__init__(config)
        self.model = VariantModel(config)
        if config.block == SPHERE:
            self.lm_head = sphere.Head(config.hidden_size, config.vocab_size)
        self.post_init()
        sphere.unit(self)  # what Llama made and drew before it knew

    def _init_weights(self, module: nn.Module) -> None:
        _draw(super()._init_weights, module)


def _norm(config: VariantConfig) -> nn.Module:
    if config.block == "layer_norm":
        return nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)
    return LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)


def _draw(by_llama, module: nn.Module) -> None:
    """First values: Llama's, those of parameters that it does not know, and length 1 where it is asked."""
    by_llama(module)
    if hasattr(module, "draw"):
        module.draw()
    if hasattr(module, "unit_axis"):
        sphere.unit(module)


AutoConfig.register(VariantConfig.model_type, VariantConfig)
AutoModel.register(VariantConfig, VariantModel)
