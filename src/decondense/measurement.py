"""`measure(model, tokenizer, texts)`: the condensation of any Hugging Face causal LM or encoder."""

import warnings
from collections.abc import Sequence
from contextlib import contextmanager
from inspect import signature
from typing import Literal

import numpy as np
import psutil
import torch
from jaxtyping import Float
from tqdm import tqdm

from . import metrics
from .condensation import Condensation
from .hooks import PADDING_BLIND, backbone, blocks, n_entries, residual_stream

BATCH_TOKENS = 256  # short texts go together up to so many tokens; more are no faster on a CPU


def measure(
    model: torch.nn.Module,
    tokenizer,
    texts: Sequence[str | Sequence[int]],
    *,
    max_length: int = 512,
    histogram: Literal["pooled", "averaged"] | None = "pooled",
    bins: int = metrics.BINS,
    eps: float = metrics.PAPER_EPS,
    seed: int = 0,
    name: str | None = None,
    batch_tokens: int = BATCH_TOKENS,
    progress: bool = True,
) -> Condensation:
    """Measure how the token embeddings of each text crowd together from layer to layer.

    Each text is cut to `max_length` tokens and sent through the model without its head; hooks reduce every entry of
    the residual stream to a mean cosine and a histogram while the forward pass runs. Short texts of about the same
    length go together (`batch_tokens`), padded on the right under an attention mask, and what is padding is cut off
    before it is measured; the numbers are those of each text alone up to rounding.
    Memory beyond the forward pass does not grow with the number of texts or with depth ("averaged": one N x N
    matrix per entry).

    texts
        Strings, or sequences of token ids when `tokenizer` is None.
    histogram
        "pooled": one histogram over the pairs of all texts. "averaged": the matrices of cosines are first averaged
        position by position over the texts, and the histogram is taken of the average, as the official code does;
        all texts must then have the same number of tokens. `None`: no histogram, the only O(N^2) work.
    eps
        Vectors are divided by max(norm, eps).
    seed
        Of the bootstrap over the texts; the measurement itself has no randomness.
    batch_tokens
        Texts go together up to so many tokens, padding included; a longer text goes alone.

    With `histogram="averaged"` and texts from `corpora.sample_texts` this is the paper's protocol.

    Raises
        ValueError: no text, an empty text, a text of one token, a tokenizer with more entries than the model's
            embedding, a text longer than the model's positions, texts of unequal length for "averaged".
        MemoryError: a text so long that its forward pass cannot fit in memory.

    Source: Section 3 of the paper; protocol as in its released code.
    """
    if histogram not in ("pooled", "averaged", None):
        raise ValueError(f'histogram must be "pooled", "averaged" or None, got {histogram!r}.')
    if not 2 <= max_length < 2**31 or bins < 1 or eps <= 0:
        raise ValueError(
            f"max_length must be at least 2 and below 2^31, bins at least 1, eps above 0; got {max_length}, {bins}, "
            f"{eps}."
        )
    name = name or type(model).__name__
    sequences = _token_ids(model, tokenizer, texts, max_length)
    lengths = np.array([len(s) for s in sequences])
    if histogram == "averaged" and len(set(lengths)) > 1:
        raise ValueError(
            f'histogram="averaged" averages matrices position by position, so all texts need the same number of '
            f"tokens; they have {lengths.min()} to {lengths.max()}. Give longer texts, or a smaller max_length."
        )
    _refuse_too_long(model, int(lengths.max()), histogram)
    store: dict[int, torch.Tensor] = {}
    with tqdm(total=len(texts), desc=f"measuring {name}", unit="text", disable=not progress, leave=False) as bar:
        numbers = _run(model, sequences, _reducer(store, histogram, bins, eps), batch_tokens, bar)
    mu, off_diagonal, zero, nonfinite = numbers.unbind(-1)
    settings = {"max_length": max_length, "histogram": histogram, "bins": bins, "eps": eps, "seed": seed}
    settings |= {"dtype": _dtype(model)}
    result = Condensation(
        name=name,
        mu_per_text=mu.numpy(),
        mu_off_diagonal_per_text=off_diagonal.numpy(),
        histogram=_density(store, histogram, bins, nonfinite.sum(0) > 0, len(texts)),
        tokens=lengths,
        zero_vectors=zero.sum(0).long().numpy(),
        nonfinite_vectors=nonfinite.sum(0).long().numpy(),
        settings=settings,
    )
    _warn_of_bad_vectors(result)
    return result


def _run(model: torch.nn.Module, sequences, reduce, batch_tokens: int, bar) -> Float[torch.Tensor, "texts entries 4"]:
    """Forward passes without the head; what `reduce` gives for every entry of each sequence, on the CPU."""
    base, entries = backbone(model), n_entries(model)
    batch_tokens = 1 if base.config.model_type in PADDING_BLIND else batch_tokens
    how = {"use_cache": False} if "use_cache" in signature(base.forward).parameters else {}
    numbers = torch.empty(len(sequences), entries, 4, dtype=torch.float64)
    batch: list[int] = []

    def each(entry: int, hidden: torch.Tensor) -> torch.Tensor:
        return torch.stack([reduce(entry, z[: len(sequences[i])]) for i, z in zip(batch, hidden, strict=True)])

    with _evaluating(model), torch.inference_mode(), residual_stream(model, each) as per_entry:
        for batch in _batches([len(s) for s in sequences], batch_tokens):
            base(**_padded([sequences[i] for i in batch], model.device), **how)
            numbers[batch] = torch.stack([per_entry[entry].cpu() for entry in range(entries)], 1).double()
            bar.update(len(batch))
    return numbers


def _dtype(model: torch.nn.Module) -> str:
    """What the numbers of the forward pass are rounded to: that of autocast where it is on, else of the weights."""
    base = backbone(model)
    on = torch.is_autocast_enabled(base.device.type)
    return str(torch.get_autocast_dtype(base.device.type) if on else base.dtype).removeprefix("torch.")


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """The numbers of the texts, those of about the same length together, at most so many `tokens` with the padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _padded(sequences: list[torch.Tensor], device) -> dict[str, torch.Tensor]:
    """What a model takes for sequences of token ids: a mask only where something is padded."""
    ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    lengths = torch.tensor([len(s) for s in sequences])
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    return {"input_ids": ids.to(device)} | ({} if mask.all() else {"attention_mask": mask.long().to(device)})


@contextmanager
def _evaluating(model: torch.nn.Module):
    """Evaluation mode for a while; afterwards every submodule is back in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _token_ids(model, tokenizer, texts, max_length: int) -> list[torch.Tensor]:
    """The token ids of each text, cut to `max_length`, after every check that can be made before the forward pass."""
    if not hasattr(backbone(model), "config"):
        raise ValueError(f"model is a {type(model).__name__}; give a Hugging Face model (decondense.models.load).")
    blocks(model)  # raises for an architecture whose entries cannot be read
    if isinstance(texts, str):
        raise ValueError("texts is one string; give a list of strings: [text].")
    if tokenizer is not None and not callable(tokenizer):
        raise ValueError(f"tokenizer is {tokenizer!r}; give the tokenizer itself, or None with texts as token ids.")
    if texts is None or len(texts) == 0:
        raise ValueError("No text given. Give at least one, or take some with decondense.corpora.sample_texts.")
    rows = backbone(model).get_input_embeddings().num_embeddings
    if tokenizer is not None and len(tokenizer) > rows:
        raise ValueError(
            f"The tokenizer has {len(tokenizer)} entries, the model embeds {rows}: they do not belong together. "
            "Load both from the same name."
        )
    sequences = [_ids_of_one(tokenizer, text, i, max_length, rows) for i, text in enumerate(texts)]
    longest, positions = max(len(s) for s in sequences), _positions(model)
    if longest > positions:
        raise ValueError(
            f"A text has {longest} tokens, the model {positions} positions. Give max_length={positions} "
            f"(--max-length {positions})."
        )
    short = [len(s) for s in sequences if len(s) < max_length]
    if short:
        warnings.warn(
            f"{len(short)} of {len(texts)} texts are shorter than max_length={max_length} (the shortest has "
            f"{min(short)} tokens); they are measured as they are.",
            stacklevel=3,
        )
    return sequences


def _refuse_too_long(model, tokens: int, histogram) -> None:
    """Refuse a text whose forward pass cannot fit in memory: a bound from below, of one block's input, output and inner
    states (6 vectors a token), and for "averaged" an N x N matrix an entry.

    Raises
        MemoryError: with the estimate.
    """
    base = backbone(model)
    needed = 6 * tokens * base.get_input_embeddings().embedding_dim * 4
    needed += n_entries(model) * tokens**2 * 4 if histogram == "averaged" else 0
    on_gpu = base.device.type == "cuda"
    free = torch.cuda.mem_get_info(base.device)[0] if on_gpu else psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"A text of {tokens:,} tokens takes at least {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free. "
            f"Give a smaller max_length (--max-length){', or another histogram' * (histogram == 'averaged')}."
        )


def _positions(model) -> int | float:
    """The longest text that the model can take; infinite where positions are relative."""
    base = backbone(model)
    positions = getattr(base.config, "max_position_embeddings", None)
    # RoBERTa and its kin count positions from padding_idx + 1.
    table = getattr(getattr(base, "embeddings", None), "position_embeddings", None)
    offset = getattr(table, "padding_idx", None)
    return float("inf") if positions is None else positions - (0 if offset is None else offset + 1)


def _ids_of_one(tokenizer, text, number: int, max_length: int, rows: int) -> torch.Tensor:
    if isinstance(text, str) and not text.strip():
        raise ValueError(f"Text {number} is empty. Leave it out.")
    if tokenizer is None and isinstance(text, str):
        raise ValueError("tokenizer is None, so texts must be sequences of token ids, not strings.")
    if not isinstance(text, str | Sequence | torch.Tensor | np.ndarray):
        raise ValueError(f"Text {number} is {text!r}; give a string, or a sequence of token ids.")
    if isinstance(text, str):
        text = tokenizer(text, truncation=True, max_length=max_length)["input_ids"]
    ids = torch.as_tensor(text)
    whole = not (ids.is_floating_point() or ids.is_complex() or ids.dtype == torch.bool)
    if ids.ndim != 1 or (len(ids) and not whole):  # an empty list is one of floats
        raise ValueError(
            f"Text {number} is a {ids.dtype} of shape {tuple(ids.shape)}; give a sequence of token ids per text."
        )
    ids = ids[:max_length].long()
    if len(ids) < 2:
        raise ValueError(
            f"Text {number} has {len(ids)} token(s); cosines between tokens need at least 2. Give a longer text."
        )
    outside = ids[(ids < 0) | (ids >= rows)]
    if len(outside):
        raise ValueError(f"Text {number} has token id {int(outside[0])}, the model embeds ids 0 to {rows - 1}.")
    return ids


def _reducer(store: dict[int, torch.Tensor], histogram, bins: int, eps: float):
    """The function that turns one entry of one text into (mu, mu off the diagonal, zero, non-finite vectors).

    The histogram is gathered in `store`, on the device where the entry is: counts, or for "averaged" the sum of the
    N x N matrices (their upper triangle).
    """

    def reduce(entry: int, z: torch.Tensor) -> torch.Tensor:
        z = z.float()
        norms = torch.linalg.vector_norm(z, dim=-1)
        broken = ~norms.isfinite()
        all_pairs, off_diagonal = (m.where(~broken.any(), torch.nan) for m in metrics.mean_cosine(z, eps))
        if histogram == "pooled":
            # A non-finite entry loses its histogram at the end; here it must only not crash.
            finite = z.nan_to_num(0, 0, 0) if broken.any() else z
            store[entry] = store.get(entry, 0) + metrics.cosine_histogram(finite, bins, eps)
        elif histogram == "averaged":
            if entry not in store:
                store[entry] = z.new_zeros(len(z), len(z))
            metrics.add_cosines(store[entry], z, eps)
        return torch.stack([all_pairs, off_diagonal, (norms == 0).sum(), broken.sum()])

    return reduce


def _density(store: dict[int, torch.Tensor], histogram, bins: int, broken, texts: int) -> np.ndarray | None:
    if histogram is None:
        return None
    if histogram == "averaged":
        whole = lambda upper: (upper.triu() + upper.triu(1).T).div_(texts).nan_to_num_(0)
        store = {entry: metrics.matrix_histogram(whole(upper), bins) for entry, upper in store.items()}
    counts = torch.stack([store[entry].cpu() for entry in sorted(store)]).double().numpy()
    counts[broken.numpy()] = np.nan
    return counts / counts.sum(1, keepdims=True) * bins / 2


def _warn_of_bad_vectors(result: Condensation) -> None:
    for what, counts, effect in (
        ("NaN or infinite", result.nonfinite_vectors, "mu is NaN there, and so are rho and tau"),
        ("zero", result.zero_vectors, "their cosine is taken as 0"),
    ):
        if counts.any():
            where = ", ".join(f"entry {e}: {counts[e]}" for e in np.flatnonzero(counts)[:5])
            warnings.warn(f"{result.name}: {what} hidden vectors ({where}); {effect}.", stacklevel=3)
