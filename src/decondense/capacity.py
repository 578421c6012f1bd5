"""How many bits a language model holds: what it takes off the code length of data in which nothing else can be learnt.

Source: Morris et al. 2025 (arXiv 2505.24832), who train on uniform random tokens and find about 3.6 bits per parameter.
"""

import math

import psutil
import torch
from jaxtyping import Float, Int
from torch import Tensor

BYTES = 8  # of a token id
AT_ONCE = 16_384  # tokens of one forward pass


def random_rows(rows: int, length: int, vocabulary: int, seed: int) -> Int[Tensor, "rows columns"]:
    """Token ids drawn uniformly from 0 .. vocabulary - 1; column 0 is the start token, whose id is `vocabulary`.

    Nothing can be predicted in them but by memory: what a model saves on them is what it holds.

    Raises
        ValueError: no row, no token, or a vocabulary of fewer than two.
        MemoryError: the rows do not fit into memory.
    """
    if rows < 1 or length < 1 or vocabulary < 2:
        raise ValueError(f"Random tokens need a row, a token and two ids at least, got {rows}, {length}, {vocabulary}.")
    refuse_too_large(rows, 1 + length)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randint(vocabulary, (rows, length), generator=generator)
    return torch.cat([torch.full((rows, 1), vocabulary), drawn], 1)


def refuse_too_large(rows: int, columns: int) -> None:
    """Refuse a data set that does not fit into memory.

    Raises
        MemoryError: the ids of all rows take more than what is free.
    """
    asked, free = rows * columns * BYTES, psutil.virtual_memory().available
    if asked > free:
        raise MemoryError(
            f"{rows} rows of {columns} token ids take {asked / 2**30:.3g} GiB, and {free / 2**30:.3g} GiB are free: "
            "ask for fewer rows."
        )


@torch.no_grad()
def surprisal(model: torch.nn.Module, rows: Int[Tensor, "rows columns"]) -> Float[Tensor, "rows tokens"]:
    """-log2 of the probability that a causal language model gives each token after those before it, in float32.

    In bits, 0 or more. The first token of a row, the start token, is read and not predicted.
    """
    device = next(model.parameters()).device
    found = []
    for part in rows.split(max(1, AT_ONCE // rows.shape[1])):
        logits = model(input_ids=part[:, :-1].to(device)).logits.float()
        nats = torch.nn.functional.cross_entropy(logits.mT, part[:, 1:].to(device), reduction="none")
        found.append(nats.cpu() / math.log(2))
    return torch.cat(found)


def memorised(surprisal: Float[Tensor, "rows tokens"], vocabulary: int) -> float:
    """Bits of uniform random tokens that a model holds: N log2(vocabulary) - sum of the surprisals of all N tokens.

    At most `memorisable`; 0 for a model that gives each id the same probability, and below it for one that is worse.
    """
    return surprisal.numel() * math.log2(vocabulary) - float(surprisal.double().sum())


def memorisable(rows: Int[Tensor, "rows columns"], vocabulary: int) -> float:
    """The most that any model can hold of these rows, in bits: N log2(vocabulary) - sum over rows of log2(R / copies).

    Each of the R rows begins with the same token, so a model that knows them all still has to guess which one comes:
    the order of the rows is not learnt. R log2(R) bits are lost where no two are alike.
    """
    copies = rows.unique(dim=0, return_counts=True)[1].double()
    guessed = float((copies * torch.log2(len(rows) / copies)).sum())
    return rows[:, 1:].numel() * math.log2(vocabulary) - guessed
