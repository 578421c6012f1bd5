"""Linear attention: a state that is added to from token to token, in place of a softmax over all of them."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import elu

from .blocks import PreNorm

EVERY = 3  # of so many blocks the last keeps softmax attention: a hybrid


class LinearAttention(nn.Module):
    """Causal attention with a kernel for a softmax (arXiv 2006.16236), per head, with phi(u) = elu(u) + 1:

        y_i = sum_{j <= i} phi(q_i).phi(k_j) v_j / sum_{j <= i} phi(q_i).phi(k_j)

    The sums over j are a state of fixed size, S_i = S_{i-1} + phi(k_i) v_i'; here, where texts are short, they are
    taken as one product. It knows no positions. Padding on the right changes no token before it.
    """

    def __init__(self, config, number: int):
        super().__init__()
        self.head_dim = config.head_dim
        heads = config.num_attention_heads * config.head_dim
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(config.hidden_size, heads, bias=False) for _ in range(3))
        self.o_proj = nn.Linear(heads, config.hidden_size, bias=False)

    def forward(
        self, hidden_states: Float[Tensor, "batch tokens features"], **_
    ) -> tuple[Float[Tensor, "batch tokens features"], None]:
        heads = lambda x: x.unflatten(-1, (-1, self.head_dim)).transpose(1, 2)
        q, k, v = (heads(part(hidden_states)) for part in (self.q_proj, self.k_proj, self.v_proj))
        weights = ((elu(q) + 1) @ (elu(k) + 1).mT).tril()
        mixed = weights @ v / weights.sum(-1, keepdim=True)
        return self.o_proj(mixed.transpose(1, 2).flatten(2)), None


class Hybrid(PreNorm):
    """Pre-norm with linear attention; the last of every `EVERY` blocks keeps Llama's."""

    def __init__(self, config, number: int):
        super().__init__(config, number)
        if (number + 1) % EVERY:
            self.self_attn = LinearAttention(config, number)
