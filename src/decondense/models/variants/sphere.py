"""nGPT (arXiv 2410.01131): states and the rows of all weights have length 1, and a block turns the state by a little.

With Norm(v) = v / |v| and f the attention or the MLP, once each:

    h <- Norm(h + alpha (Norm(f h) - h))

alpha, a vector that is learned, begins at `ALPHA`. Queries and keys are normalised per head and scaled by s_qk, the
scores by sqrt(head size); of the MLP u = s_u (W_u h), v = s_v sqrt(d) (W_v h), and u silu(v) is projected. No other
norm. Logits are scaled by s_z per token of the vocabulary. After every step the rows are normalised again (`unit`).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import normalize, scaled_dot_product_attention, silu
from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

from .blocks import Stream

ALPHA = 0.05  # how far a state is moved at first


class Scaled(nn.Module):
    """A learned vector that begins at `start` and is kept as a parameter of size `scale`, so that it learns as fast
    as weights of that size do: its value is parameter * start / scale.
    """

    def __init__(self, size: int, start: float, scale: float):
        super().__init__()
        self.start, self.scale = start, scale
        self.weight = nn.Parameter(torch.full((size,), scale))

    def draw(self) -> None:
        """The first values."""
        nn.init.constant_(self.weight, self.scale)

    def forward(self) -> Float[Tensor, "size"]:
        return self.weight * (self.start / self.scale)


def linear(inputs: int, outputs: int, unit_axis: int) -> nn.Linear:
    """A projection without bias whose weight `unit` normalises along an axis: the one of the state's features."""
    made = nn.Linear(inputs, outputs, bias=False)
    made.unit_axis = unit_axis
    return made


@torch.no_grad()
def unit(model: nn.Module) -> None:
    """Give the rows of every weight that has a `unit_axis` the length 1, in place."""
    for module in model.modules():
        if hasattr(module, "unit_axis"):
            module.weight.copy_(normalize(module.weight, dim=module.unit_axis))


class Attention(nn.Module):
    """Causal attention whose queries and keys have length 1, times s_qk."""

    def __init__(self, config):
        super().__init__()
        d, self.head_dim = config.hidden_size, config.head_dim
        heads = config.num_attention_heads * self.head_dim
        self.q_proj, self.k_proj, self.v_proj = (linear(d, heads, 1) for _ in range(3))
        self.o_proj = linear(heads, d, 0)
        self.s_qk = Scaled(heads, 1.0, d**-0.5)

    def forward(self, x: Stream, position_embeddings, attention_mask=None, **_) -> Stream:
        heads = lambda x: x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        q, k, v = (heads(part(x)) for part in (self.q_proj, self.k_proj, self.v_proj))
        scale = self.s_qk().view(-1, 1, self.head_dim)
        q, k = (normalize(each, dim=-1) * scale for each in apply_rotary_pos_emb(q, k, *position_embeddings))
        how = {"attn_mask": attention_mask, "is_causal": attention_mask is None, "scale": self.head_dim**0.5}
        return self.o_proj(scaled_dot_product_attention(q, k, v, **how).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    """SwiGLU on inputs of length 1."""

    def __init__(self, config):
        super().__init__()
        d, f = config.hidden_size, config.intermediate_size
        self.up_proj, self.gate_proj, self.down_proj = linear(d, f, 1), linear(d, f, 1), linear(f, d, 0)
        self.s_u, self.s_v, self.root = Scaled(f, 1.0, 1.0), Scaled(f, 1.0, 1.0), d**0.5

    def forward(self, x: Stream) -> Stream:
        u, v = self.s_u() * self.up_proj(x), self.s_v() * self.root * self.gate_proj(x)
        return self.down_proj(u * silu(v))


class Sphere(nn.Module):
    """A block: two moves on the sphere."""

    normalised_embedding = False  # its rows have length 1 already
    final_norm = False

    def __init__(self, config, _number: int):
        super().__init__()
        d = config.hidden_size
        self.self_attn, self.mlp = Attention(config), Mlp(config)
        self.alpha_attention, self.alpha_mlp = (Scaled(d, ALPHA, d**-0.5) for _ in range(2))

    def forward(self, hidden_states: Stream, first: Stream, **how) -> Stream:
        x = self._moved(hidden_states, self.self_attn(hidden_states, **how), self.alpha_attention())
        return self._moved(x, self.mlp(x), self.alpha_mlp())

    @staticmethod
    def _moved(x: Stream, to: Stream, by: Float[Tensor, "features"]) -> Stream:
        return normalize(x + by * (normalize(to, dim=-1) - x), dim=-1)


class Head(nn.Linear):
    """The output layer, its logits, which are cosines, scaled by s_z."""

    def __init__(self, features: int, vocabulary: int):
        super().__init__(features, vocabulary, bias=False)
        self.unit_axis = 1  # as the embedding, whose weight it has
        self.s_z = Scaled(vocabulary, 1.0, features**-0.5)

    def forward(self, x: Float[Tensor, "*batch features"]) -> Float[Tensor, "*batch vocabulary"]:
        return super().forward(x) * self.s_z()
