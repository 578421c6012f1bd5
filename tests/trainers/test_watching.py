"""What is watched in training equals a measurement of the weights at that step, and leaves the training alone."""

import csv
import random
from copy import deepcopy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from made_condensations import made
from tiny_training import LENGTH, Watch, arguments, make, model, rows, run
from toys import tiny
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerState

from decondense import measure, metrics
from decondense.hooks import backbone
from decondense.trainers import CondensationCallback, DispersionTrainer, history, watching

pytestmark = pytest.mark.usefixtures("frozen")
DROPOUT = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
IDS = [row["input_ids"].tolist() for row in rows(3)]
UNEQUAL = [IDS[0], IDS[1][:9], IDS[2][:5]]


def expected(net, ids=IDS):
    """Each number by itself: mu by `measure`, one text at a time; the effective rank from the states."""
    results = [measure(net, None, [text], max_length=len(text), progress=False) for text in ids]
    mu = np.mean([result.mu for result in results], 0)
    base = backbone(net).eval()  # the copy of a prepared model calls the original by its own forward
    states = [base(torch.tensor([text])).last_hidden_state[0] for text in ids]
    last = len(mu) - 1
    return {
        **{f"condensation/mu_layer_{entry:02d}": value for entry, value in enumerate(mu)},
        "condensation/mu_first": mu[0],
        "condensation/mu_middle": mu[last // 2],
        "condensation/mu_last": mu[last],
        "condensation/mu_late_half": mu[last // 2 + 1 :].mean(),
        "condensation/rho": float(metrics.spearman(mu)),
        "condensation/effective_rank": np.mean([metrics.effective_rank(z) for z in states]),
    }


def snapshots(at):
    """The model as it is after each step, and before the first."""
    keep = lambda state, net, _optimizer: at.__setitem__(state.global_step, deepcopy(net))
    return [Watch("on_train_begin", keep), Watch("on_step_end", keep)]


class Reporter(TrainerCallback):
    """An integration, which sees what is logged and when."""

    def __init__(self):
        self.seen = []

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.seen.append((state.global_step, dict(logs)))

    def looks(self):
        return {step: logs for step, logs in self.seen if "condensation/mu_last" in logs}

    def losses(self):
        return {step: logs["loss"] for step, logs in self.seen if "loss" in logs}


# --- one look -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "bert"])
@pytest.mark.parametrize("ids", [IDS, UNEQUAL], ids=["equal", "unequal"])
def test_a_look_is_the_measurement(name, ids):
    net = tiny(name)
    assert watching.look(net, None, ids, max_length=LENGTH) == pytest.approx(expected(net, ids), rel=1e-5)


def test_strings_are_tokenized_and_cut(tiny_tokenizer, texts):
    net = tiny("gpt2")
    ids = [tiny_tokenizer(text)["input_ids"][:16] for text in texts]
    assert watching.look(net, tiny_tokenizer, texts, max_length=16) == pytest.approx(expected(net, ids), rel=1e-5)


class Batches:
    """A tokenizer that returns a batch of one, and takes chats."""

    chat_template = "each message, one after the other"

    def __init__(self, tokenizer):
        self.inner = tokenizer

    def __len__(self):
        return len(self.inner)

    def __call__(self, text, **how):
        return {"input_ids": [self.inner(text, **how)["input_ids"]]}

    def apply_chat_template(self, messages, *, return_dict, **how):
        return self(" ".join(message["content"] for message in messages), **how)


@pytest.mark.parametrize("chats", [False, True], ids=["strings", "chats"])
def test_a_tokenizer_that_returns_a_batch_of_one_and_chats_are_watched_as_they_are_measured(
    tiny_tokenizer, texts, tmp_path, chats
):
    net, given = tiny("gpt2"), [[{"role": "user", "content": t}] for t in texts] if chats else texts
    wanted = expected(net, [tiny_tokenizer(text)["input_ids"][:16] for text in texts])
    assert watching.look(net, Batches(tiny_tokenizer), given, max_length=16) == pytest.approx(wanted, rel=1e-5)
    callback = CondensationCallback(given, tokenizer=Batches(tiny_tokenizer), max_length=16)
    make(tmp_path, kind=Trainer, callbacks=[callback], args={"steps": 1}).train()
    assert len(callback.history) == 2


def test_of_short_texts_no_warning_is_given(recwarn):
    watching.look(tiny("gpt2"), None, UNEQUAL, max_length=64)
    assert not recwarn.list


def test_summary_of_a_known_course():
    numbers = watching.summary(made([[0.1, 0.2, 0.6, 0.4, 0.5]]))
    assert numbers == pytest.approx(
        {
            "condensation/mu_layer_00": 0.1,
            "condensation/mu_layer_01": 0.2,
            "condensation/mu_layer_02": 0.6,
            "condensation/mu_layer_03": 0.4,
            "condensation/mu_layer_04": 0.5,
            "condensation/mu_first": 0.1,
            "condensation/mu_middle": 0.6,
            "condensation/mu_last": 0.5,
            "condensation/mu_late_half": 0.45,
            "condensation/rho": 0.7,
        }
    )


def test_a_look_leaves_modes_and_draws_alone():
    net = model(**DROPOUT).train()
    net.transformer.h[1].eval()
    modes = [module.training for module in net.modules()]
    net.transformer.h[0].register_forward_hook(lambda *_: draw() and None)
    draw = lambda: (torch.rand(1).item(), random.random(), np.random.rand())  # noqa: NPY002

    def seeded():
        torch.manual_seed(3), random.seed(3), np.random.seed(3)  # noqa: NPY002

    seeded()
    alone = draw()
    seeded()
    watching.look(net, None, IDS, max_length=LENGTH)
    assert draw() == alone
    assert [module.training for module in net.modules()] == modes


# --- in a Trainer ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Trainer, DispersionTrainer])
def test_what_is_logged_is_measured_at_that_step(tmp_path, kind):
    at, before, after = {}, Reporter(), Reporter()
    callback = CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = make(
        tmp_path,
        kind=kind,
        net=model(**DROPOUT),
        args={"steps": 5},
        callbacks=[before, *snapshots(at), callback, after],
    )
    trainer.train()
    log = {row["step"]: row for row in trainer.state.log_history if "condensation/mu_last" in row}
    assert list(log) == [0, 2, 4, 5]
    assert [row["step"] for row in callback.history] == [0, 2, 4, 5]
    for step in log:
        wanted = expected(at[step])
        assert {k: v for k, v in log[step].items() if k not in ("step", "epoch")} == pytest.approx(wanted, rel=1e-5)
        assert before.looks()[step] == after.looks()[step] == {k: v for k, v in log[step].items() if k != "step"}
    assert list(before.losses()) == list(after.losses()) == [1, 2, 3, 4, 5]  # the rows of the loss stay


def test_integrations_added_last_and_the_progress_bar_are_told_too(tmp_path, capsys):
    trainer = make(
        tmp_path, kind=Trainer, args={"disable_tqdm": False}, callbacks=[CondensationCallback(IDS, max_length=LENGTH)]
    )
    late = Reporter()
    trainer.add_callback(late)
    trainer.train()
    assert list(late.looks()) == [0, 4]
    assert "condensation/mu_last" in capsys.readouterr().out


@pytest.mark.parametrize("accumulation", [1, 2])
def test_the_training_is_the_same_to_the_last_bit(tmp_path, accumulation):
    how = {"kind": Trainer, "args": {"steps": 4, "gradient_accumulation_steps": accumulation}}
    plain = run(tmp_path, net=model(**DROPOUT), **how)
    watched = run(tmp_path, net=model(**DROPOUT), callbacks=[CondensationCallback(IDS, 1, max_length=LENGTH)], **how)
    for (name, a), b in zip(plain.model.named_parameters(), watched.model.parameters(), strict=True):
        assert torch.equal(a, b), name
    losses = [[row["loss"] for row in t.state.log_history if "loss" in row] for t in (plain, watched)]
    assert losses[0] == losses[1]


def test_it_draws_and_writes_the_table_at_the_end(tmp_path):
    callback = CondensationCallback(IDS, every=2, max_length=LENGTH)
    run(tmp_path, kind=Trainer, callbacks=[callback])
    assert (tmp_path / "condensation.png").read_bytes().startswith(b"\x89PNG")
    with open(tmp_path / "condensation.csv") as file:
        table = list(csv.DictReader(file))
    assert [float(row["mu_last"]) for row in table] == [row["condensation/mu_last"] for row in callback.history]
    assert [int(row["step"]) for row in table] == [0, 2, 4]
    first = callback.plot().axes[0].lines[0].get_xdata()
    assert list(first) == [0, 2, 4]


def test_a_resumed_run_goes_on_with_the_history(tmp_path):
    look = lambda: CondensationCallback(IDS, every=2, max_length=LENGTH)
    args = {"steps": 6, "save_strategy": "steps", "save_steps": 3}
    whole, rest = look(), look()
    run(tmp_path / "a", kind=Trainer, args=args, net=model(**DROPOUT), callbacks=[whole])
    trainer = make(tmp_path / "a", kind=Trainer, args=args, net=model(**DROPOUT), callbacks=[rest])
    trainer.train(resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-3"))
    assert [row["step"] for row in rest.history] == [0, 2, 4, 6]
    assert rest.history == whole.history
    assert history.rows(trainer.state.log_history) == rest.history


def test_a_checkpoint_without_a_history_begins_one(tmp_path):
    args = {"steps": 6, "save_strategy": "steps", "save_steps": 3}
    run(tmp_path, kind=Trainer, args=args)
    callback = CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = make(tmp_path, kind=Trainer, args=args, callbacks=[callback])
    trainer.train(resume_from_checkpoint=str(tmp_path / "checkpoint-3"))
    assert [row["step"] for row in callback.history] == [3, 4, 6]


def test_a_second_training_begins_a_new_history(tmp_path):
    callback = CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = run(tmp_path, kind=Trainer, callbacks=[callback])
    after = callback.history[-1]["condensation/mu_last"]
    trainer.train()
    assert [row["step"] for row in callback.history] == [0, 2, 4]
    assert callback.history[0]["condensation/mu_last"] == after


def test_a_run_that_stops_early_is_measured_before_the_best_weights_return(tmp_path):
    at, callback = {}, CondensationCallback(IDS, every=100, max_length=LENGTH)
    best = {"eval_strategy": "steps", "eval_steps": 1, "save_strategy": "steps", "save_steps": 1, "learning_rate": 1.0}
    best |= {
        "load_best_model_at_end": True,
        "metric_for_best_model": "loss",
        "steps": 9,
        "lr_scheduler_type": "constant",
    }
    trainer = make(tmp_path, kind=Trainer, args=best, callbacks=[*snapshots(at), callback, EarlyStoppingCallback(1)])
    trainer.train()
    last = trainer.state.global_step
    assert last < 9
    assert [row["step"] for row in callback.history] == [0, last]
    assert callback.history[-1]["condensation/mu_last"] == pytest.approx(expected(at[last])["condensation/mu_last"])


@pytest.mark.parametrize("where", ["callback", "trainer", "processor"])
def test_strings_take_the_tokenizer_of_the_callback_or_the_trainer(tmp_path, where, tiny_tokenizer, texts):
    own = {"tokenizer": tiny_tokenizer} if where == "callback" else {}
    callback = CondensationCallback(texts, max_length=16, **own)
    state = TrainerState(max_steps=1)
    given = {"callback": None, "trainer": tiny_tokenizer, "processor": SimpleNamespace(tokenizer=tiny_tokenizer)}[where]
    trainer = make(tmp_path, kind=Trainer, callbacks=[callback])
    trainer.callback_handler.processing_class = given
    trainer.callback_handler.on_train_begin(trainer.args, state, trainer.control)
    ids = [tiny_tokenizer(text)["input_ids"][:16] for text in texts]
    wanted = expected(trainer.model, ids)["condensation/mu_last"]
    assert callback.history[0]["condensation/mu_last"] == pytest.approx(wanted, rel=1e-5)


# --- in TRL ---------------------------------------------------------------------------------------------------------


def supervised(folder, tokenizer, callbacks, **others):
    """A run of TRL's SFTTrainer, whose `log` gathers and empties metrics of its own."""
    trl, datasets = pytest.importorskip("trl"), pytest.importorskip("datasets")
    usual = {"max_steps": 4, "learning_rate": 1e-2, "logging_steps": 2, "save_strategy": "no", "report_to": "none"}
    here = {"use_cpu": True, "bf16": False, "disable_tqdm": True, "per_device_train_batch_size": 2, "max_length": 32}
    args = trl.SFTConfig(str(folder), **usual | here | {"dataloader_pin_memory": False} | others)
    trainer = trl.SFTTrainer(
        model=model(**DROPOUT),
        args=args,
        train_dataset=datasets.Dataset.from_list([{"input_ids": ids} for ids in IDS * 8]),
        processing_class=tokenizer,
        callbacks=callbacks,
    )
    trainer.train()
    return trainer


@pytest.fixture
def tokenizer(tiny_tokenizer):
    copy = deepcopy(tiny_tokenizer)
    copy.add_special_tokens({"eos_token": "[UNK]", "pad_token": "[UNK]"})
    return copy


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("packing", [False, True])
def test_in_trl_the_numbers_are_those_of_the_step_and_its_own_logs_stay(tmp_path, tokenizer, texts, packing):
    at, reporter = {}, Reporter()
    callback = CondensationCallback(texts, every=2, max_length=LENGTH)
    watched = supervised(tmp_path, tokenizer, [reporter, *snapshots(at), callback], packing=packing)
    plain = supervised(tmp_path, tokenizer, [], packing=packing)
    ids = [tokenizer(text)["input_ids"][:LENGTH] for text in texts]
    assert list(reporter.looks()) == [0, 2, 4]
    for step, logged in reporter.looks().items():
        wanted = expected(at[step], ids)
        assert {key: logged[key] for key in wanted} == pytest.approx(wanted, rel=1e-5)
    timeless = lambda row: {key: value for key, value in row.items() if "runtime" not in key and "second" not in key}
    others = lambda t: [timeless(row) for row in t.state.log_history if "condensation/mu_last" not in row]
    assert others(watched) == others(plain)
    assert "mean_token_accuracy" in others(plain)[0]
    for a, b in zip(watched.model.parameters(), plain.model.parameters(), strict=True):
        assert torch.equal(a, b)


# --- who measures ---------------------------------------------------------------------------------------------------


def test_the_first_process_measures_alone_unless_weights_are_sharded():
    net = torch.nn.Linear(2, 2)
    assert watching.takes_part(net, True)
    assert not watching.takes_part(net, False)
    net.weight.ds_id = 7
    with pytest.raises(ValueError, match="DeepSpeed ZeRO 3 cannot be watched"):
        watching.takes_part(net, True)


def test_fsdp_1_is_refused():
    wrapper = type("FullyShardedDataParallel", (torch.nn.Sequential,), {})
    with pytest.raises(ValueError, match="FSDP 1 cannot be watched"):
        watching.takes_part(wrapper(torch.nn.Linear(2, 2)), True)


def test_other_processes_neither_measure_nor_log_nor_write(tmp_path):
    callback = CondensationCallback(IDS, max_length=LENGTH)
    trainer = make(tmp_path, kind=Trainer, callbacks=[callback])
    state = TrainerState(max_steps=1, is_world_process_zero=False)
    trainer.callback_handler.on_train_begin(trainer.args, state, trainer.control)
    trainer.callback_handler.on_train_end(trainer.args, state, trainer.control)
    assert callback.history == state.log_history == []
    assert not (tmp_path / "condensation.csv").exists()


# --- refused --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "every", "said"),
    [
        ("one text", 100, "texts is one string; give a list of strings"),
        ([], 100, "No text given to watch"),
        (IDS, 0, "every must be at least 1 step, got 0"),
        (IDS, -5, "every must be at least 1 step, got -5"),
    ],
)
def test_what_cannot_be_watched_is_refused_at_once(texts, every, said):
    with pytest.raises(ValueError, match=said):
        CondensationCallback(texts, every)


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a string"], "are strings, and there is no tokenizer. Give the callback tokenizer="),
        ([[1]], "cosines between tokens need at least 2"),
        ([[1, 2, 1000]], "token id 1000, the model embeds"),
        ([list(range(60)) * 2], "A text has 120 tokens, the model 64 positions. Give max_length=64"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*shorter than max_length")
def test_bad_texts_end_the_run_before_its_first_step(tmp_path, texts, said):
    trainer = make(tmp_path, kind=Trainer, callbacks=[CondensationCallback(texts)])
    with pytest.raises(ValueError, match=said):
        trainer.train()
    assert trainer.state.global_step == 0


def test_outside_of_a_trainer_it_names_the_function_for_loops(tmp_path):
    callback = CondensationCallback(IDS, max_length=LENGTH)
    state = TrainerState()
    with pytest.raises(RuntimeError, match="in a loop take `look`"):
        callback.on_train_begin(arguments(tmp_path), state, None, model=backbone(model()))
