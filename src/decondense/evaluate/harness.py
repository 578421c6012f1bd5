"""What `evaluate` needs of lm-eval: its tasks with data from any source, its model wrapper, and silence around both.

Imported only when something is evaluated: lm-eval takes seconds to import.
"""

import inspect
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

import datasets
import lm_eval.api.task
import lm_eval.evaluator
import lm_eval.tasks
import torch
from lm_eval.models.huggingface import HFLM
from tqdm import tqdm

from ..base import hub
from ..base.assets import SOURCES
from ..base.errors import unknown
from . import benchmarks, pocket_tasks
from .packed import answer

UNIT = 2.0**-20  # of the answers that are numbers: small and exact, so that lm-eval can score them as if they were any


class Loaded(NamedTuple):
    """The task objects of lm-eval for one name (57 for mmlu, else one), and where their data come from."""

    leaves: dict[str, lm_eval.api.task.Task]
    source: str
    sha256: str | None
    note: str


def load(name: str, shots: int | None, sources: Sequence[str]) -> Loaded:
    """A task by name with its data, from the first of `sources` that has it; `shots=None` leaves those of its own.

    Raises
        ValueError: lm-eval has no task of this name, or it does not score continuations by acc.
        FileNotFoundError: no source has the data.
    """
    if name in pocket_tasks.TASKS:
        data = pocket_tasks.data(name)
        return Loaded(_manager().load([data.overrides[name]])["tasks"], *data[1:])
    if name not in benchmarks.table() and name not in _manager("").task_index:
        near = get_close_matches(name, _manager("").all_tasks, n=3)
        raise unknown("task", name, dict.fromkeys([*benchmarks.table(), *pocket_tasks.TASKS, *near]))
    entry, tried, lost = benchmarks.table().get(name, {}), [], FileNotFoundError
    for source in (s for s in SOURCES if s in sources):
        try:
            loaded = _of_hub(name, shots) if source == "hub" else _READERS[source](name)
        except (OSError, ValueError) as error:
            if source == "pypi" and "wheel" in entry:
                raise  # the last source has it, but the network failed or the file is not the one pinned
            lost = ConnectionError if hub.may_pass(error) else lost
            tried.append(f"{source}: {str(error).splitlines()[0]}")
        else:
            return _checked(name, loaded, shots)
    folder = ["set DECONDENSE_DATA to a folder that holds them"] if "local" in entry else []
    cures = ", ".join(["Allow another source", "connect to the hub", *folder])
    raise lost(
        f"Could not get the data of {name!r}. Tried {'; '.join(tried) or 'nothing'}. {cures}, or leave the task out. "
        f"{' and '.join(pocket_tasks.TASKS)} need no data."
    )


@cache
def _of_hub(name: str, shots: int | None) -> Loaded:
    """Once a process, and for each number of shots, which is set on the tasks: for mmlu the hub is asked 228 times."""
    return _from_hub(name)


def _checked(name: str, loaded: Loaded, shots: int | None) -> Loaded:
    for task in loaded.leaves.values():
        if task.OUTPUT_TYPE not in ("multiple_choice", "loglikelihood") or "acc" not in task.aggregation():
            raise ValueError(f"The task {name!r} is not scored by acc on continuations. Take one that is.")
        if shots is not None:
            task.set_config("num_fewshot", shots)
    return loaded


def _from_hub(name: str) -> Loaded:
    entry = benchmarks.table().get(name, {})
    where = entry.get("hub", name)
    with hub.plainly(where, kind="datasets"), hub.whole(where, "datasets") as prepared:
        leaves = _manager(entry.get("folder", "")).load([name])["tasks"]
        tables = [table for task in leaves.values() for table in task.dataset.values()]
        prepared += [folder for table in tables for folder in hub.folders(table)]
    path = next(iter(leaves.values())).DATASET_PATH
    at = f" at {hub.commit_of_rows(tables[0], path)}" if entry else ""  # other tasks' data may be from elsewhere
    return Loaded(leaves, f"hub {path}{at}", None, "")


def _from_files(read, name: str) -> Loaded:
    if name not in benchmarks.table():
        raise FileNotFoundError("only the paper's tasks are known")
    data = read(name)
    # A group made here is lm-eval's way to give its tasks other keys.
    group = {"group": "here", "task": [{"task": leaf, **keys} for leaf, keys in data.overrides.items()]}
    return Loaded(_manager(benchmarks.table()[name]["folder"]).load([group])["tasks"], *data[1:])


_READERS = {"local": partial(_from_files, benchmarks.local), "pypi": partial(_from_files, benchmarks.pypi)}


@cache
def _manager(folder: str | None = None) -> lm_eval.tasks.TaskManager:
    """lm-eval's index of the tasks in one of its folders; of all ("") it takes ten seconds, of none (None) no time."""
    if folder is None:
        return lm_eval.tasks.TaskManager(include_defaults=False)
    where = Path(lm_eval.tasks.__file__).parent / folder
    return lm_eval.tasks.TaskManager(include_defaults=False, include_path=str(where))


class Scorer(HFLM):
    """lm-eval's model wrapper with one progress bar, counts of tokens and of cuts, and another order of work.

    Batches never mix tasks. On the CPU contexts are not batched: what one shares with the last, and what all choices of
    an item share, goes through the model once, and only the logits that count are computed. Up to rounding the numbers
    are lm-eval's. Logits become log-probabilities in float32 whatever the dtype of the model.
    """

    def __init__(self, model, tokenizer, batch_size: int, max_length: int | None, dtype: str | None, progress: bool):
        super().__init__(
            pretrained=model,
            tokenizer=tokenizer,
            batch_size=batch_size,
            max_length=max_length,
            mixed_precision_dtype=dtype,
            softmax_dtype="float32",
        )
        self.progress = progress
        self.owner: dict[str, str] = {}  # the name that each of lm-eval's tasks was loaded for
        self.tokens, self.truncated = Counter(), Counter()
        # lm-eval tells its cache of every answer: the one place where progress can be seen request by request.
        self.cache_hook = SimpleNamespace(add_partial=lambda *_: self.bar.update())

    def loglikelihood(self, requests, disable_tqdm=False):
        """(log-likelihood, whether greedy decoding gives it) of each request, in their order."""
        owners = [self.owner[request.task_name] for request in requests]
        answers = [None] * len(requests)
        with tqdm(total=len(requests), unit="request", disable=not self.progress, leave=False) as self.bar:
            for self.now in dict.fromkeys(owners):
                self.bar.set_description(f"evaluate {self.now}")
                places = [i for i, owner in enumerate(owners) if owner == self.now]
                found = super().loglikelihood([requests[i] for i in places], disable_tqdm=True)
                for place, answer in zip(places, found, strict=True):
                    answers[place] = answer
        return answers

    def _count(self, requests) -> None:
        longest = max(len(continuation) for _, _, continuation in requests)
        if longest > self.max_length:
            raise ValueError(
                f"{self.now} has a continuation of {longest} tokens, the model takes {self.max_length}. "
                "Leave the task out, or give a larger max_length if the model has the positions."
            )
        lengths = [len(context) + len(continuation) for _, context, continuation in requests]
        self.tokens[self.now] += sum(min(n, self.max_length + 1) for n in lengths)
        self.truncated[self.now] += sum(n > self.max_length + 1 for n in lengths)

    def _loglikelihood_tokens(self, requests, **_):
        self._count(requests)
        if self.device.type != "cpu" or "past_key_values" not in _parameters(self.model):
            return super()._loglikelihood_tokens(requests, disable_tqdm=True)
        places: dict[tuple, list[int]] = {}
        for place, (_, context, continuation) in enumerate(requests):
            room = self.max_length + 1 - len(continuation)  # the last token is never put in
            places.setdefault(tuple(context[-room:]), []).append(place)
        answers = {}
        reading = _Reading(self.model)
        # One autocast around all passes: it casts the weights once, and forgets them at its end.
        how = {"dtype": self.mixed_precision_dtype, "enabled": self.mixed_precision_dtype is not None}
        with torch.no_grad(), torch.autocast(self.device.type, **how):
            for context in sorted(places):  # neighbours begin alike
                found = _answers(reading, context, [requests[place][2] for place in places[context]])
                answers.update(zip(places[context], found, strict=True))
                self.bar.update(len(found))
        return [answers[place] for place in range(len(requests))]


class Request(NamedTuple):
    """Token ids, how many of them, the last, are the continuation, and whether the beginning was cut off."""

    ids: list[int]
    span: int
    cut: bool


class Recorder(Scorer):
    """Keeps the token ids of the requests, and does not run the model: an answer is the number of its request."""

    def __init__(self, model, tokenizer):
        super().__init__(model, tokenizer, batch_size=1, max_length=None, dtype=None, progress=False)
        self.seen: list[Request] = []

    def _loglikelihood_tokens(self, requests, **_):
        self._count(requests)
        first, room = len(self.seen), self.max_length + 1  # the last token is never put in
        for _, context, continuation in requests:
            ids = [*context, *continuation]
            self.seen.append(Request(ids[-room:], len(continuation), len(ids) > room))
        return [(-number * UNIT, False) for number in range(first, len(self.seen))]


def number_of(answer: tuple[float, bool]) -> int:
    """Of the request in `Recorder.seen` that this is the answer to."""
    return round(-answer[0] / UNIT)


class _Reading:
    """A causal LM that keeps the keys and values of the last text, and computes a new one from where it differs."""

    def __init__(self, model: torch.nn.Module):
        self.model = model
        self.ids, self.past = (), None

    def forward(self, rows: list, last: int, past) -> tuple[torch.Tensor, object]:
        """Logits (rows, last, vocabulary) of the last positions, given what is in `past`; and all keys and values."""
        how = {"logits_to_keep": last} if "logits_to_keep" in _parameters(self.model) else {}
        out = self.model(torch.tensor(rows), past_key_values=past, use_cache=True, **how)
        return out.logits[:, -last:], out.past_key_values

    def logits(self, ids: tuple, last: int) -> torch.Tensor:
        """Logits (1, last, vocabulary) of the last positions of a text."""
        past, shared = self._shared(ids, len(ids) - last)
        logits, self.past = self.forward([ids[shared:]], last, past)
        self.ids = ids
        return logits

    def _shared(self, ids: tuple, most: int) -> tuple:
        """The keys and values of the tokens that the text begins with like the last one, and how many they are."""
        most = min(most, len(self.ids))
        shared = next((i for i in range(most) if ids[i] != self.ids[i]), most)
        past, self.past = self.past, None
        if not shared:
            return None, 0
        try:
            if shared < len(self.ids):
                past.crop(shared - len(self.ids))  # negative: so many are removed
        except (RuntimeError, ValueError):  # a sliding window that has moved on
            return None, 0
        return past, shared


def _parameters(model: torch.nn.Module) -> Mapping:
    return inspect.signature(model.forward).parameters


def _answers(reading: _Reading, context: tuple, continuations: list) -> list[tuple[float, bool]]:
    """The answers of all continuations of one context, which is computed once."""
    if len(continuations) == 1:
        (tokens,) = continuations
        return [answer(reading.logits((*context, *tokens[:-1]), len(tokens))[0], torch.tensor(tokens))]
    n, width = len(continuations), max(map(len, continuations)) - 1
    logits = reading.logits(context, 1).expand(n, -1, -1)
    if width:
        past = deepcopy(reading.past)
        past.batch_repeat_interleave(n)
        rows = [[*tokens[:-1], *[0] * (width + 1 - len(tokens))] for tokens in continuations]
        logits = torch.cat([logits, reading.forward(rows, width, past)[0]], 1)
    pairs = zip(logits, continuations, strict=True)
    return [answer(of_one[: len(tokens)], torch.tensor(tokens)) for of_one, tokens in pairs]


def run(scorer: Scorer, loaded: dict[str, Loaded], limit: int | None, seed: int) -> dict[str, list[dict]]:
    """lm-eval's logged samples of each of its tasks, in the order of the documents."""
    scorer.owner = {leaf: name for name, of_one in loaded.items() for leaf in of_one.leaves}
    tasks = {leaf: task for of_one in loaded.values() for leaf, task in of_one.leaves.items()}
    for task in tasks.values():
        task.set_fewshot_seed(seed)
    samples = lm_eval.evaluator.evaluate(scorer, {"tasks": tasks}, limit=limit, bootstrap_iters=0)["samples"]
    for task in tasks.values():
        task._instances = None  # all prompts, of a task that may be kept
    return samples


@contextmanager
def quiet():
    """No messages and no progress bars of lm-eval and datasets for a while; warnings of Python still come through."""
    logger, task_module = logging.getLogger("lm_eval"), lm_eval.api.task
    level, bar, bars = logger.level, task_module.tqdm, datasets.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    task_module.tqdm = lambda iterable, **_: iterable
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        logger.setLevel(level)
        task_module.tqdm = bar
        if bars:
            datasets.enable_progress_bars()
