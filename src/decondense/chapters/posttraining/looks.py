"""A look at a model between two steps: how far its predictions are from the start, and the geometry of its states."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ... import hooks, metrics
from ...base import machine
from .arithmetic import Sum


@dataclass(frozen=True)
class Fixed:
    """What every look of every run reads: neutral texts, their openings, and held-out sums.

    texts
        Token ids, as many of each.
    opening, new_tokens
        The model's own texts begin with so many tokens of the first `own_texts` texts, and go on with so many of its
        own.
    answered, asked
        Rows of a held-out prompt with the start's own answer, and how many tokens of each are the prompt.
    right
        The same with the right answers.
    numbers
        Whether a right answer is its number alone.
    """

    texts: Int[Tensor, "texts tokens"]
    own_texts: int
    opening: int
    new_tokens: int
    answered: Sequence[list[int]]
    right: Sequence[list[int]]
    asked: Sequence[int]
    numbers: bool


@dataclass(frozen=True)
class Predictions:
    """Log-probabilities of the start for every next token, at each place where the divergence from it is taken."""

    texts: Float[Tensor, "places vocabulary"]
    answers: Float[Tensor, "answered vocabulary"]


def divergence(now: Float[Tensor, "places vocabulary"], start: Float[Tensor, "places vocabulary"]) -> float:
    """Mean over places of KL(now || start) = sum_v p_now(v) (ln p_now(v) - ln p_start(v)), in nats a token, 0 or more.

    Both are log-probabilities. The places are fixed, so that no sampling noise is in it.
    """
    return float((now.exp() * (now - start)).sum(-1).double().mean())


def cosines(z: Float[Tensor, "texts tokens features"]) -> tuple[float, float]:
    """Mean cosine of two different tokens of one text, mean over texts, and of two tokens of different texts.

    As `within` and `between` of `measure(..., controls=True)`, here for texts of the same length in one pass.
    """
    u = z.double() / z.double().norm(dim=-1, keepdim=True).clamp_min(metrics.PAPER_EPS)
    of_text, squares = u.sum(1), u.pow(2).sum((1, 2))
    texts, tokens = u.shape[:2]
    within = (of_text.pow(2).sum(-1) - squares) / (tokens * (tokens - 1))
    mean = of_text / tokens
    between = (mean.sum(0).pow(2).sum() - mean.pow(2).sum()) / (texts * (texts - 1))
    return float(within.mean()), float(between)


def mu(within: Float[np.ndarray, "*shape"], tokens: int) -> Float[np.ndarray, "*shape"]:
    """The paper's mean cosine, which has each token's cosine with itself: (1 + (N - 1) within) / N."""
    return (1 + (tokens - 1) * within) / tokens


def seen(model: torch.nn.Module, rows: Int[Tensor, "texts tokens"], after: int = 0):
    """(logits, cosines of each entry over the tokens from `after` on, state of the last token at entry L)."""
    last = {}

    def reduce(entry: int, hidden: Tensor) -> tuple[float, float]:
        last["state"] = hidden[:, -1]
        return cosines(hidden[:, after:])

    with hooks.residual_stream(model, reduce) as found:
        logits = model(input_ids=rows).logits.float()
    return logits, np.array([found[entry] for entry in sorted(found)]).T, last["state"]


@torch.no_grad()
def look(model: torch.nn.Module, fixed: Fixed, start: Predictions | None, seed: int = 0):
    """(numbers, arrays, predictions) of a model in evaluation mode.

    Numbers: `kl_text` and `kl_answers`, the divergence from the start on the neutral texts and on its own answers to
    the held-out prompts; `right`, log-probability of the right answers with their end of text, nats an answer;
    `chance`, probability that an answer begins with the digits of the right number, mean over the prompts (`None`
    where right answers have more than a number; 24 begins with those of 2); `rank`, effective rank of the last tokens'
    final states over the neutral texts, and `rank_prompts` over the held-out prompts (the last tokens of Li et al.,
    arXiv 2509.23024; the spectrum is that of unit vectors, `metrics.effective_rank`).
    Arrays: `text` and `own`, within and between at each entry.

    start
        Its predictions; without, these are the start's, and the divergence is 0.
    """
    logits, text, last = seen(model, fixed.texts)
    texts = logits[:, :-1].log_softmax(-1).flatten(0, 1)
    own = seen(model, continued(model, fixed, seed), fixed.opening)[1]
    answers, _, prompts = answered(model, fixed.answered, fixed.asked)
    _, likely, _ = answered(model, fixed.right, fixed.asked)
    now = Predictions(texts, answers)
    start = start or now
    numbers = {
        "kl_text": divergence(now.texts, start.texts), "kl_answers": divergence(now.answers, start.answers),
        "right": float(np.mean([each.sum() for each in likely])),
        "chance": float(np.mean([np.exp(each[:-1].sum()) for each in likely])) if fixed.numbers else None,
        "rank": metrics.effective_rank(last), "rank_prompts": metrics.effective_rank(prompts),
    }  # fmt: skip
    return numbers, {"text": text, "own": own}, now


def answered(model: torch.nn.Module, rows: Sequence[list[int]], asked: Sequence[int]):
    """(log-probabilities at the places of the answers; of each row those of its answer's tokens; final state of the
    last token of each prompt); rows are padded on the right, which a causal model does not see.
    """
    ids = torch.nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True).to(model.device)
    mask = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row)) for row in rows], batch_first=True).to(model.device)
    with hooks.residual_stream(model, lambda _, hidden: hidden.detach()) as found:
        logits = model(input_ids=ids, attention_mask=mask.long()).logits.float().log_softmax(-1)
    each = [logits[k, n - 1 : len(row) - 1] for k, (row, n) in enumerate(zip(rows, asked, strict=True))]
    likely = [
        one.gather(1, torch.tensor(row[n:], device=one.device)[:, None]).flatten().double().cpu().numpy()
        for one, row, n in zip(each, rows, asked, strict=True)
    ]
    last = found[max(found)][torch.arange(len(rows)), torch.tensor(asked) - 1]
    return torch.cat(each), likely, last


def continued(model: torch.nn.Module, fixed: Fixed, seed: int) -> Int[Tensor, "own_texts tokens"]:
    """The model's own texts: openings of the neutral ones, continued by sampling at temperature 1 without an end."""
    opening = fixed.texts[: fixed.own_texts, : fixed.opening]
    return sampled(model, opening, torch.ones_like(opening), fixed.new_tokens, seed, to_the_end=True)


def sampled(
    model: torch.nn.Module, ids: Int[Tensor, "rows tokens"], mask: Int[Tensor, "rows tokens"], new_tokens: int,
    seed: int, to_the_end: bool = False,
) -> Int[Tensor, "rows longer"]:  # fmt: skip
    """`ids` continued by sampling at temperature 1, seeded; the random state of the training is left as it was."""
    devices = [model.device] if model.device.type == "cuda" else []
    least = {"min_new_tokens": new_tokens} if to_the_end else {}
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        return model.generate(
            input_ids=ids, attention_mask=mask, max_new_tokens=new_tokens, do_sample=True, temperature=1.0, top_k=0,
            top_p=1.0, **least,
        )  # fmt: skip


@torch.no_grad()
def fixed_of(model, tokenizer, texts: Sequence[str], held_out: Sequence[Sum], how: dict, new_tokens: int) -> Fixed:
    """What the looks read, made with the start: neutral texts cut to `how["length"]` tokens, its answers to held-out
    prompts of at most `new_tokens` tokens, seeded.

    Raises
        ValueError: a neutral text is shorter than that.
    """
    ids = [tokenizer(text)["input_ids"][: how["length"]] for text in texts]
    if short := [len(row) for row in ids if len(row) < how["length"]]:
        raise ValueError(f"{len(short)} texts have fewer than {how['length']} tokens: ask for a smaller length.")
    prompts = [tokenizer(each.prompt)["input_ids"] for each in held_out]
    answers = _answers(model, tokenizer, prompts, new_tokens)
    right = [tokenizer(each.prompt + each.chosen)["input_ids"] + [tokenizer.eos_token_id] for each in held_out]
    return Fixed(
        torch.tensor(ids, device=machine.device()), how["own_texts"], how["opening"], how["new_tokens"],
        [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)], right, [len(p) for p in prompts],
        all(each.chosen.strip() == str(each.answer) for each in held_out),
    )  # fmt: skip


def _answers(model, tokenizer, prompts: Sequence[list[int]], new_tokens: int) -> list[list[int]]:
    """Sampled answers, each up to its first end of text; the prompts are padded on the left."""
    width, end = max(map(len, prompts)), tokenizer.eos_token_id
    ids = torch.tensor([[end] * (width - len(p)) + p for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    found = sampled(model, ids, mask, new_tokens, 0)[:, width:].tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in found]
