"""A selective state space, which forgets as fast as the text asks it to, in place of a softmax over all tokens."""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu, softplus
from transformers.models.llama.modeling_llama import LlamaRMSNorm

from .blocks import PreNorm
from .linear import EVERY

TAPS = 4  # of the short convolution
RATES = (1.0, 16.0)  # -A at first, uniform
STEPS = (0.001, 0.1)  # delta at first, where its input is 0, log-uniform


class StateSpace(nn.Module):
    """The mixer of Mamba-2 (Dao and Gu 2024, arXiv 2405.21060): per head, with a state h of N x P numbers,

        delta_t = softplus(w_t + bias),  a_t = exp(-delta_t exp(A_log))
        h_t = a_t h_{t-1} + delta_t B_t x_t',  y_t = h_t' C_t + D x_t

    and then the output projection of RMSNorm(y silu(z)). x, B and C have passed a causal convolution, each channel with
    its own `TAPS` weights, and SiLU; z and w have not. All heads share B and C (one group). Here, where texts are
    short, the recurrence is taken as one product (`scan`).

    It stands in the place of attention and has its sizes: P = N = head size, with as many heads as attention, so that y
    is as wide as the stream. Mamba-2 by itself, which has no MLP, makes y twice as wide. Projections are drawn as
    Llama's, the rest as in Mamba-2. Padding on the right changes no token before it.
    """

    def __init__(self, config):
        super().__init__()
        heads, self.head_dim = config.num_attention_heads, config.head_dim
        inner = heads * self.head_dim
        channels = inner + 2 * self.head_dim  # x, B, C
        self.parts = (inner, channels, heads)  # z; what is convolved; w
        self.in_proj = nn.Linear(config.hidden_size, sum(self.parts), bias=False)
        self.convolution = nn.Conv1d(channels, channels, TAPS, groups=channels, padding=TAPS - 1)
        self.delta_bias, self.A_log, self.D = (nn.Parameter(torch.empty(heads)) for _ in range(3))
        self.norm = LlamaRMSNorm(inner, eps=config.rms_norm_eps)
        self.out_proj = nn.Linear(inner, config.hidden_size, bias=False)

    def draw(self) -> None:
        """The first values of what Llama does not know."""
        self.convolution.reset_parameters()  # PyTorch's own, uniform
        nn.init.ones_(self.D)
        with torch.no_grad():
            nn.init.uniform_(self.A_log, *RATES).log_()
            delta = nn.init.uniform_(self.delta_bias, *map(math.log, STEPS)).exp_()
            delta.expm1_().log_()  # the inverse of softplus

    def forward(
        self, hidden_states: Float[Tensor, "batch tokens features"], **_
    ) -> tuple[Float[Tensor, "batch tokens features"], None]:
        z, xbc, w = self.in_proj(hidden_states).split(self.parts, -1)
        xbc = silu(self.convolution(xbc.mT)[..., : xbc.shape[1]]).mT
        x, b, c = xbc.split((z.shape[-1], self.head_dim, self.head_dim), -1)
        x = x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        delta = softplus(w + self.delta_bias).mT
        y = scan(delta[..., None] * x, -delta * self.A_log.exp()[:, None], b, c) + self.D[:, None, None] * x
        return self.out_proj(self.norm(y.transpose(1, 2).flatten(2) * silu(z))), None


def scan(
    x: Float[Tensor, "batch heads tokens values"],
    log_decays: Float[Tensor, "batch heads tokens"],
    b: Float[Tensor, "batch tokens state"],
    c: Float[Tensor, "batch tokens state"],
) -> Float[Tensor, "batch heads tokens values"]:
    """y_t = h_t' c_t of the recurrence h_t = a_t h_{t-1} + b_t x_t' from h = 0, as one product over all pairs:

        y_i = sum_{j <= i} a_{j+1} ... a_i (c_i . b_j) x_j

    Products of the a are the exponentials of sums of their logarithms, each at most 1 where decays are at most 1.
    """
    each = log_decays[..., None].expand(*log_decays.shape, log_decays.shape[-1])
    segments = each.tril(-1).cumsum(-2)  # log a_{j+1} + ... + log a_i
    return ((c @ b.mT)[:, None] * segments.exp()).tril() @ x


class StateSpaceHybrid(PreNorm):
    """Pre-norm with a selective state space; the last of every `EVERY` blocks keeps Llama's attention."""

    def __init__(self, config, number: int):
        super().__init__(config, number)
        if (number + 1) % EVERY:
            self.self_attn = StateSpace(config)
