"""The mixin under TRL's trainers, with and without LoRA: what is trained is what a loop by hand would train."""

import copy

import pytest
import torch
from tiny_training import model
from toys import VOCABULARY
from transformers import GPT2ForSequenceClassification, PreTrainedTokenizerFast, set_seed

from decondense import losses
from decondense.trainers import DispersionMixin, DispersionTrainer

trl = pytest.importorskip("trl", reason="TRL is not installed")
peft = pytest.importorskip("peft", reason="PEFT is not installed")
datasets = pytest.importorskip("datasets", reason="datasets is not installed")
pytestmark = pytest.mark.filterwarnings("ignore")  # of TRL and PEFT, about themselves

RATE = 0.1
COMMON = {
    "max_steps": 1, "per_device_train_batch_size": 4, "optim": "sgd", "learning_rate": RATE, "max_grad_norm": 0.0,
    "lr_scheduler_type": "constant", "report_to": "none", "use_cpu": True, "bf16": False, "logging_steps": 1,
    "save_strategy": "no", "disable_tqdm": True, "gradient_checkpointing": False,
}  # fmt: skip


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()
    yield
    datasets.enable_progress_bars()


def tokenizer():
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = ["<pad>", "<eos>", *(f"w{i}" for i in range(VOCABULARY - 2))]
    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="<eos>")


def text(start, words):
    return " ".join(f"w{(start * 7 + i * i) % 60}" for i in range(words))


def built(trainer, config, rows, net, adapters, folder, base=DispersionMixin, config_options=(), **options):
    kind = type("Regularised", (base, trainer), {})
    config = config(str(folder), **COMMON | dict(config_options))
    data = datasets.Dataset.from_list(rows)
    lora = peft.LoraConfig(r=4, target_modules=["c_attn"], init_lora_weights=False) if adapters else None
    set_seed(0)
    how = {"processing_class": tokenizer(), "peft_config": lora, "subsample": None} | options
    return kind(model=net, args=config, train_dataset=data, **how)


def sft(*place, **options):
    rows = [{"text": text(k, 5 + 2 * k)} for k in range(4)]
    return built(trl.SFTTrainer, trl.SFTConfig, rows, model(), *place, **options)


def dpo(adapters, folder, **options):
    rows = [{"prompt": text(k, 4), "chosen": " " + text(k + 1, 8), "rejected": " " + text(k + 2, 5)} for k in range(4)]
    how = {} if adapters else {"ref_model": model()}  # else it is the model without its adapters
    return built(trl.DPOTrainer, trl.DPOConfig, rows, model(), adapters, folder, **how | options)


def reward(*place, **options):
    config = model().config
    config.num_labels, config.pad_token_id = 1, 0
    torch.manual_seed(0)
    rows = [{"chosen": text(k + 1, 8), "rejected": text(k + 2, 5)} for k in range(4)]
    return built(trl.RewardTrainer, trl.RewardConfig, rows, GPT2ForSequenceClassification(config), *place, **options)


def grpo(adapters, folder, **options):
    net = model()
    net.generation_config.pad_token_id, net.generation_config.eos_token_id = 0, 1
    length = lambda completions, **_: [float(len(completion)) for completion in completions]
    # The reference is the model without its adapters; without any it would be loaded by name.
    made = {"max_completion_length": 8, "num_generations": 4, "beta": 0.1 if adapters else 0.0}
    rows = [{"prompt": text(k, 4)} for k in range(4)]
    how = {"config_options": made, "reward_funcs": length} | options
    return built(trl.GRPOTrainer, trl.GRPOConfig, rows, net, adapters, folder, **how)


def trained(net):
    return torch.cat([p.detach().flatten() for p in net.parameters() if p.requires_grad])


def step(make, adapters, folder, weight):
    """The change of the trained weights in one step, the model before it, and its passes that had a gradient."""
    trainer = make(adapters, folder, weight=weight)
    before, rows = copy.deepcopy(trainer.model), []
    keep = lambda _m, args, kwargs: rows.append((args, kwargs)) if torch.is_grad_enabled() else None
    trunk = next(m for m in trainer.model.modules() if type(m).__name__ == "GPT2Model")
    trunk.register_forward_pre_hook(keep, with_kwargs=True)
    trainer.train()
    return trained(trainer.model) - trained(before), before, rows, trainer.state.log_history[0]


def by_hand(net, passes):
    """The regulariser of the rows of some passes, each row alone and cut to its tokens, with its gradient."""
    trunk = next(m for m in net.modules() if type(m).__name__ == "GPT2Model")
    values = []
    for args, given in passes:
        ids, mask = (args[0] if args else given["input_ids"]), given["attention_mask"].bool()
        for row, visible in zip(ids, mask, strict=True):
            states = trunk(row[visible][None], output_hidden_states=True).hidden_states[1:]
            values.append(torch.stack([losses.dispersion(state) for state in states]).mean())
    value = torch.stack(values).mean()
    wanted = [p for p in net.parameters() if p.requires_grad]
    found = torch.autograd.grad(value, wanted, allow_unused=True)
    gradient = [torch.zeros_like(p) if g is None else g for p, g in zip(wanted, found, strict=True)]
    return value.item(), torch.cat([g.flatten() for g in gradient])


@pytest.mark.parametrize("adapters", [False, True], ids=["whole", "lora"])
@pytest.mark.parametrize("make", [sft, dpo, reward, grpo])
def test_the_weights_move_by_the_gradient_of_the_regulariser_times_its_weight(make, adapters, tmp_path):
    moved = {}
    for weight in (1e-9, 5.0, 500.0):
        moved[weight], before, passes, logged = step(make, adapters, tmp_path, weight)
    value, gradient = by_hand(before, passes)
    assert gradient.norm() > 1e-3
    assert logged["loss_regulariser"] == pytest.approx(value, abs=1e-5)
    for weight in (5.0, 500.0):
        expected = -RATE * weight * gradient
        torch.testing.assert_close(moved[weight] - moved[1e-9], expected, rtol=2e-3, atol=2e-6 * weight)


@pytest.mark.parametrize("make", [sft, dpo, reward, grpo])
def test_a_step_of_several_batches_weighs_the_regulariser_as_one_large_batch(make, tmp_path):
    if make is grpo:  # what it draws depends on the batch
        pytest.skip("GRPO draws other completions for other batches")
    moved = []
    for batch, batches in ((4, 1), (1, 4)):
        options = {"per_device_train_batch_size": batch, "gradient_accumulation_steps": batches}
        trainer = make(False, tmp_path, weight=500.0, config_options=options)
        before = trained(trainer.model)
        trainer.train()
        moved.append(trained(trainer.model) - before)
        assert trainer.state.log_history[0]["loss_regulariser"] < -0.1
    torch.testing.assert_close(moved[1], moved[0], rtol=2e-3, atol=2e-4)


@pytest.mark.parametrize(
    "how", [{"packing": True, "packing_strategy": "bfd"}, {"padding_free": True, "max_length": None}]
)
def test_a_packed_row_is_its_documents(how, tmp_path):
    logged = {}
    for name, options in (("alone", {}), ("packed", how)):
        trainer = sft(False, tmp_path, weight=1e-9, config_options={"max_length": 64, **options})
        seen = []
        trainer.model.transformer.register_forward_pre_hook(
            lambda _m, _a, k, seen=seen: seen.append(k), with_kwargs=True
        )
        trainer.train()
        logged[name] = trainer.state.log_history[0]["loss_regulariser"]
    assert seen[0].get("attention_mask") is None  # the documents are told by the positions alone
    assert (seen[0]["position_ids"] == 0).sum() == 4
    assert logged["packed"] == pytest.approx(logged["alone"], abs=1e-5)


def test_the_trainer_itself_can_be_mixed_in(tmp_path):
    trainer = sft(False, tmp_path, base=DispersionTrainer, weight=0.5)
    trainer.train()
    logged = trainer.state.log_history[0]
    assert logged["loss"] == pytest.approx(logged["loss_language"] + 0.5 * logged["loss_regulariser"], abs=1e-4)


@pytest.mark.parametrize("base", [DispersionMixin, DispersionTrainer])
def test_the_wrong_order_is_refused(base):
    with pytest.raises(TypeError, match=rf"Write class Mine\({base.__name__}, SFTTrainer\)"):
        type("Mine", (trl.SFTTrainer, base), {})


def test_evaluation_is_the_trainers_own(tmp_path):
    plain, regularised = (sft(False, tmp_path, loss=loss) for loss in (None, "dispersion"))
    data = plain.train_dataset
    assert regularised.evaluate(data)["eval_loss"] == plain.evaluate(data)["eval_loss"]
