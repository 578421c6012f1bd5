"""`measure(model, tokenizer, texts)`: the condensation of any Hugging Face causal LM or encoder."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import psutil
import torch
from jaxtyping import Float
from tqdm import tqdm

from . import metrics
from .backbones import PADDING_BLIND, backbone, is_opaque, n_entries, pretrained
from .condensation import Condensation
from .controls.gathering import HOW, Gathering, Passage
from .forward import device_of, forward_passes
from .hooks import residual_stream
from .token_ids import documents, token_ids

BATCH_TOKENS = 256  # short texts go together up to so many tokens; more are no faster on a CPU


def measure(
    model: torch.nn.Module,
    tokenizer,
    texts: Sequence[str | Sequence[int] | Sequence[Mapping]],
    *,
    document_ids: Sequence[Sequence[int]] | None = None,
    max_length: int = 512,
    histogram: Literal["pooled", "averaged"] | None = "pooled",
    bins: int = metrics.BINS,
    eps: float = metrics.PAPER_EPS,
    seed: int = 0,
    name: str | None = None,
    batch_tokens: int = BATCH_TOKENS,
    controls: bool | Literal["all"] = False,
    progress: bool = True,
) -> Condensation:
    """Measure how the token embeddings of each text crowd together from layer to layer.

    Each text is cut to `max_length` tokens and sent through the model without its head; hooks reduce every entry of
    the residual stream to a mean cosine and a histogram while the forward pass runs. Short texts of about the same
    length go together (`batch_tokens`), padded on the right under an attention mask, and what is padding is cut off
    before it is measured; the numbers are those of each text alone up to rounding.
    Memory beyond the forward pass does not grow with the number of texts or with depth ("averaged": one N x N
    matrix per entry).

    model
        Also inside a wrapper: PEFT (the active adapters take part), DDP, `torch.compile` (it runs uncompiled), any
        module around a model, whose own forward method is not run (a warning says so). Of a model that is sharded
        (FSDP, DeepSpeed) every process must make the same call.
    texts
        Strings; chats, each a list of messages {"role": ..., "content": ...}, which go through the tokenizer's chat
        template; or sequences of token ids when `tokenizer` is None.
    document_ids
        Of packed rows of token ids: for each the number of the document of each token. Every document is measured as
        a text of its own, which is what it is to a model that keeps packed documents apart.
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
    controls
        True: `Condensation.controls` says what of mu is shared by all texts, what by the tokens of one text, and what
        few dimensions or tokens make of it (`controls.QUANTITIES`, O(N d) each). The means that are removed are those
        of other texts: the first third of the texts (at least one) goes through the model a second time, when the
        rest gave its mean. "all": effective rank, participation ratio and intrinsic dimension, too, O(N^2 d).

    With `histogram="averaged"` and texts from `corpora.sample_texts` this is the paper's protocol.

    Raises
        ValueError: no text, an empty text, a text of one token, a tokenizer with more entries than the model's
            embedding, a text longer than the model's positions, texts of unequal length for "averaged"; a chat, and
            the tokenizer has no chat template or its template refuses it; a model with PEFT's prompt learning, whose
            virtual tokens are no tokens of a text; with `controls` two texts with the same tokens.
        MemoryError: a text so long that its forward pass cannot fit in memory.

    Source: Section 3 of the paper; protocol as in its released code.
    """
    if histogram not in ("pooled", "averaged", None):
        raise ValueError(f'histogram must be "pooled", "averaged" or None, got {histogram!r}.')
    if controls not in (False, True, "all"):
        raise ValueError(f'controls must be True, False or "all", got {controls!r}.')
    if not 2 <= max_length < 2**31 or bins < 1 or eps <= 0:
        raise ValueError(
            f"max_length must be at least 2 and below 2^31, bins at least 1, eps above 0; got {max_length}, {bins}, "
            f"{eps}."
        )
    name = name or type(pretrained(model)).__name__
    if is_opaque(model):
        warnings.warn(
            f"The {type(pretrained(model)).__name__} inside {type(model).__name__} is measured; what the forward "
            f"method of {type(model).__name__} does beside is not run.",
            stacklevel=2,
        )
    texts = texts if document_ids is None else documents(texts, document_ids)
    sequences = token_ids(model, tokenizer, texts, max_length)
    lengths = np.array([len(s) for s in sequences])
    if histogram == "averaged" and len(set(lengths)) > 1:
        raise ValueError(
            f'histogram="averaged" averages matrices position by position, so all texts need the same number of '
            f"tokens; they have {lengths.min()} to {lengths.max()}. Give longer texts, or a smaller max_length."
        )
    _refuse_too_long(model, int(lengths.max()), histogram)
    gathering = Gathering(sequences, eps, controls == "all") if controls else None
    passages = gathering.passages if gathering else [Passage(list(range(len(sequences))), None, True)]
    store: dict[int, torch.Tensor] = {}
    total = sum(len(passage.texts) for passage in passages)
    with tqdm(total=total, desc=f"measuring {name}", unit="text", disable=not progress, leave=False) as bar:
        numbers = _run(model, sequences, passages, reducer(store, histogram, bins, eps), batch_tokens, bar)
    settings = {"max_length": max_length, "histogram": histogram, "bins": bins, "eps": eps, "seed": seed}
    settings |= {"dtype": _dtype(model)} | ({"controls": HOW} if gathering else {})
    result = gathered(numbers, store, lengths, name, settings)
    return replace(result, controls=gathering.result(seed, name)) if gathering else result


def _run(
    model: torch.nn.Module, sequences, passages: Sequence[Passage], reduce, batch_tokens: int, bar
) -> Float[torch.Tensor, "texts entries 4"]:
    """Forward passes without the head; what `reduce` gives for every entry of each sequence, on the CPU.

    Where a passage has something else that sees the states, it also sees the output of the last block.
    """
    base, entries = backbone(model), n_entries(model)
    batch_tokens = 1 if base.config.model_type in PADDING_BLIND else batch_tokens
    numbers = torch.empty(len(sequences), entries, 4, dtype=torch.float64)
    batch: list[int] = []

    def each(entry: int, hidden: torch.Tensor) -> torch.Tensor | None:
        for i, z in zip(batch, hidden, strict=True) if passage.see else ():
            passage.see(entry, i, z[: len(sequences[i])])
        if not passage.first or entry == entries:
            return None
        return torch.stack([reduce(entry, z[: len(sequences[i])]) for i, z in zip(batch, hidden, strict=True)])

    last_block = passages[0].see is not None
    with forward_passes(model) as run, residual_stream(model, each, last_block=last_block) as per_entry:
        for passage in passages:
            for places in _batches([len(sequences[i]) for i in passage.texts], batch_tokens):
                batch = [passage.texts[place] for place in places]
                run(**_padded([sequences[i] for i in batch]))
                if passage.first:
                    numbers[batch] = torch.stack([per_entry[entry].cpu() for entry in range(entries)], 1).double()
                bar.update(len(batch))
    return numbers


def _dtype(model: torch.nn.Module) -> str:
    """What the numbers of the forward pass are rounded to: that of autocast where it is on, else of the weights."""
    base = backbone(model)
    kind = device_of(base).type
    on = kind != "meta" and torch.is_autocast_enabled(kind)
    found = torch.get_autocast_dtype(kind) if on else base.get_input_embeddings().weight.dtype
    return str(found).removeprefix("torch.")


def _batches(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """The numbers of the texts, those of about the same length together, at most so many `tokens` with the padding."""
    batches: list[list[int]] = []
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if batches and lengths[batches[-1][0]] * (len(batches[-1]) + 1) <= tokens:
            batches[-1].append(i)
        else:
            batches.append([i])
    return batches


def _padded(sequences: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """What a model takes for sequences of token ids: a mask only where something is padded."""
    ids = torch.nn.utils.rnn.pad_sequence(sequences, batch_first=True)
    lengths = torch.tensor([len(s) for s in sequences])
    mask = torch.arange(ids.shape[1]) < lengths[:, None]
    return {"input_ids": ids} | ({} if mask.all() else {"attention_mask": mask.long()})


def _refuse_too_long(model, tokens: int, histogram) -> None:
    """Refuse a text whose forward pass cannot fit in memory: a bound from below, of one block's input, output and inner
    states (6 vectors a token), and for "averaged" an N x N matrix an entry.

    Raises
        MemoryError: with the estimate.
    """
    base = backbone(model)
    needed = 6 * tokens * base.get_input_embeddings().embedding_dim * 4
    needed += n_entries(model) * tokens**2 * 4 if histogram == "averaged" else 0
    device = device_of(base)
    on_gpu = device.type == "cuda"
    free = torch.cuda.mem_get_info(device)[0] if on_gpu else psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"A text of {tokens:,} tokens takes at least {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free. "
            f"Give a smaller max_length (--max-length){', or another histogram' * (histogram == 'averaged')}."
        )


def reducer(store: dict[int, torch.Tensor], histogram: str | None, bins: int, eps: float):
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


def gathered(
    numbers: Float[torch.Tensor, "texts entries 4"],
    store: dict[int, torch.Tensor],
    lengths: np.ndarray,
    name: str,
    settings: dict,
) -> Condensation:
    """The result made of what a `reducer` returned for each text and entry, and of what it gathered in `store`.

    Warns of vectors that are zero or not finite.
    """
    mu, off_diagonal, zero, nonfinite = numbers.unbind(-1)
    broken = nonfinite.sum(0) > 0
    result = Condensation(
        name=name,
        mu_per_text=mu.numpy(),
        mu_off_diagonal_per_text=off_diagonal.numpy(),
        histogram=_density(store, settings["histogram"], settings["bins"], broken, len(numbers)),
        tokens=lengths,
        zero_vectors=zero.sum(0).long().numpy(),
        nonfinite_vectors=nonfinite.sum(0).long().numpy(),
        settings=settings,
    )
    _warn_of_bad_vectors(result)
    return result


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
            if what != "zero" and result.dtype in ("float16", "bfloat16"):
                effect += f". {result.dtype} may be too narrow: load the model in float32"
            where = ", ".join(f"entry {e}: {counts[e]}" for e in np.flatnonzero(counts)[:5])
            warnings.warn(f"{result.name}: {what} hidden vectors ({where}); {effect}.", stacklevel=4)
