"""Blocks of Llama with another place of the norms, in parallel, or with the embedding mixed in.

With f the attention or the MLP, N a norm, x the residual stream and x0 its first entry:

    pre-norm      x + f(N x)                     Llama (arXiv 2302.13971)
    post-norm     N(x + f x)                     the first Transformer (arXiv 1706.03762)
    sandwich      x + N' f(N x)                  Peri-LN (arXiv 2502.02732), whose embedding is normalised, too
    parallel      x + attention(N x) + MLP(N x)  GPT-J, PaLM (arXiv 2204.02311)
    mixed         pre-norm on a x + b x0         nanochat: learned scalars a = 1 and b = 0.1 a block, x0 normalised
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRMSNorm

Stream = Float[Tensor, "batch tokens features"]
MIXED = 0.1  # b at first


class PreNorm(LlamaDecoderLayer):
    """x + f(N x), as Llama has it. `first` is the stream's first entry, `how` what attention is told."""

    normalised_embedding = False
    final_norm = True

    def attend(self, hidden: Stream, **how) -> Stream:
        """What attention gives; the norm is left to the caller."""
        return self.self_attn(hidden_states=hidden, **how)[0]

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        x = hidden_states + self.attend(self.input_layernorm(hidden_states), **how)
        return x + self.mlp(self.post_attention_layernorm(x))


class EmbeddingNorm(PreNorm):
    """Pre-norm on a normalised embedding: what the sandwich and the mix have beside their own change."""

    normalised_embedding = True


class LayerNorms(PreNorm):
    """Pre-norm with LayerNorm in place of RMSNorm; the biases are a setting of Llama."""

    def __init__(self, config, number: int):
        super().__init__(config, number)
        self.input_layernorm = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.post_attention_layernorm = nn.LayerNorm(config.hidden_size, eps=config.rms_norm_eps)


class PostNorm(PreNorm):
    """N(x + f x). No norm follows the last block, which ends with one."""

    final_norm = False

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        x = self.input_layernorm(hidden_states + self.attend(hidden_states, **how))
        return self.post_attention_layernorm(x + self.mlp(x))


class Sandwich(PreNorm):
    """x + N' f(N x): what is added always has the size that N' gives it."""

    normalised_embedding = True

    def __init__(self, config, number: int):
        super().__init__(config, number)
        self.attention_output_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)
        self.mlp_output_norm = LlamaRMSNorm(config.hidden_size, eps=config.rms_norm_eps)

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        x = hidden_states + self.attention_output_norm(self.attend(self.input_layernorm(hidden_states), **how))
        return x + self.mlp_output_norm(self.mlp(self.post_attention_layernorm(x)))


class Parallel(PreNorm):
    """x + attention(N x) + MLP(N x), with one norm."""

    def __init__(self, config, number: int):
        super().__init__(config, number)
        del self.post_attention_layernorm

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        x = self.input_layernorm(hidden_states)
        return hidden_states + self.attend(x, **how) + self.mlp(x)


class Mixed(PreNorm):
    """Pre-norm on a x + b x0, with a and b learned."""

    normalised_embedding = True

    def __init__(self, config, number: int):
        super().__init__(config, number)
        self.kept = nn.Parameter(torch.ones(()))
        self.mixed = nn.Parameter(torch.full((), MIXED))

    def draw(self) -> None:
        """The first values of what is not a module of its own."""
        nn.init.ones_(self.kept)
        nn.init.constant_(self.mixed, MIXED)

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        return super().forward(self.kept * hidden_states + self.mixed * first, first, **how)
