"""What Lightning's loggers are told equals a measurement at that step; the documented loss has the gradient by hand."""

import csv
import re
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import torch
from tiny_training import LENGTH, model, rows

from decondense import losses, measure
from decondense.base import errors
from decondense.trainers import watching

lightning = pytest.importorskip("lightning")
pytestmark = pytest.mark.filterwarnings("ignore")  # of Lightning, about loaders and devices

from lightning.pytorch.loggers import CSVLogger  # noqa: E402

from decondense.integrations.lightning import CondensationCallback, watched  # noqa: E402

PAGE = Path(__file__).parents[2] / "book" / "watch_training.md"
DROPOUT = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
IDS = [row["input_ids"].tolist() for row in rows(3)]
USUAL = {"accelerator": "cpu", "enable_progress_bar": False, "enable_model_summary": False, "log_every_n_steps": 3}


class Plain(lightning.LightningModule):
    def __init__(self, net, rate=1e-2):
        super().__init__()
        self.net, self.rate = net, rate

    def training_step(self, batch, _):
        loss = self.net(**batch).loss
        self.log("loss", loss)
        return loss

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.rate)


class Snapshots(lightning.Callback):
    """The model as it is after each step, and before the first."""

    def __init__(self):
        self.at = {}

    def on_train_start(self, trainer, pl_module):
        self.at[trainer.global_step] = deepcopy(pl_module.net)

    def on_train_batch_end(self, trainer, pl_module, *_):
        self.at[trainer.global_step] = deepcopy(pl_module.net)


def loader(count=16, padded=False):
    return torch.utils.data.DataLoader(rows(count, padded), batch_size=2)


def fit(folder, callbacks=(), module=None, resume=None, **how):
    torch.manual_seed(0)
    module = module or Plain(model(**DROPOUT).train())
    logger = CSVLogger(folder, name="logs", version=0)
    how = USUAL | {"max_steps": 5, "enable_checkpointing": False} | how
    trainer = lightning.Trainer(default_root_dir=folder, callbacks=list(callbacks), logger=logger, **how)
    trainer.fit(module, loader(), ckpt_path=resume)
    return trainer


def logged(folder, key="condensation/mu_last"):
    with open(folder / "logs" / "version_0" / "metrics.csv") as file:
        return {int(row["step"]): row for row in csv.DictReader(file) if row.get(key)}


def test_what_is_logged_is_measured_at_that_step(tmp_path):
    shots, callback = Snapshots(), CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = fit(tmp_path, [shots, callback])
    table = logged(tmp_path)
    assert list(table) == [row["step"] for row in callback.history] == [0, 2, 4, 5]
    for step, row in table.items():
        wanted = watching.summary(measure(shots.at[step], None, IDS, max_length=LENGTH, progress=False))
        assert {key: float(row[key]) for key in wanted} == pytest.approx(wanted, rel=1e-5)
    last = callback.history[-1]["condensation/effective_rank"]
    assert trainer.callback_metrics["condensation/effective_rank"].item() == pytest.approx(last)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_the_training_is_the_same_to_the_last_bit(tmp_path, accumulate):
    how = {"max_steps": 3, "accumulate_grad_batches": accumulate}
    plain = fit(tmp_path / "a", **how)
    callback = CondensationCallback(IDS, every=1, max_length=LENGTH)
    seen = fit(tmp_path / "b", [callback], **how)
    for a, b in zip(plain.model.parameters(), seen.model.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [row["step"] for row in callback.history] == [0, 1, 2, 3]
    losses = [{step: row["loss"] for step, row in logged(tmp_path / name, "loss").items()} for name in "ab"]
    assert losses[0] == losses[1]


def test_it_draws_and_writes_the_table_at_the_end(tmp_path):
    callback = CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = fit(tmp_path, [callback])
    folder = Path(trainer.log_dir)
    assert (folder / "condensation.png").read_bytes().startswith(b"\x89PNG")
    with open(folder / "condensation.csv") as file:
        assert [int(row["step"]) for row in csv.DictReader(file)] == [0, 2, 4, 5]
    assert list(callback.plot().axes[0].lines[0].get_xdata()) == [0, 2, 4, 5]


def test_a_resumed_run_goes_on_with_the_history(tmp_path):
    begun = CondensationCallback(IDS, every=2, max_length=LENGTH)
    trainer = fit(tmp_path, [begun], max_steps=4)
    trainer.save_checkpoint(tmp_path / "saved.ckpt")
    rest = CondensationCallback(IDS, every=2, max_length=LENGTH)
    fit(tmp_path, [rest], max_steps=6, resume=tmp_path / "saved.ckpt")
    assert rest.history[:3] == begun.history
    assert [row["step"] for row in rest.history] == [0, 2, 4, 6]


def test_strings_take_the_tokenizer(tmp_path, tiny_tokenizer, texts):
    callback = CondensationCallback(texts, tokenizer=tiny_tokenizer, max_length=16)
    fit(tmp_path, [callback], max_steps=1)
    wanted = measure(model(), tiny_tokenizer, texts, max_length=16, progress=False).mu[-1]
    assert callback.history[0]["condensation/mu_last"] == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(ValueError, match="are strings, and there is no tokenizer"):
        CondensationCallback(texts)


def test_without_lightning_the_error_names_the_extra():
    code = "import sys; sys.modules.update(lightning=None, pytorch_lightning=None); import decondense.integrations."
    code += "lightning"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        f"ImportError: lightning is not installed, part of the extra `lightning`: {errors.installs('lightning')}"
    )


# --- which model ----------------------------------------------------------------------------------------------------


class Pair(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.student, self.teacher = model(2), torch.nn.ModuleDict({"inner": model(3)})


def test_the_model_of_hugging_face_is_found_however_deep():
    module = Pair()
    del module.student
    assert watched(module) is module.teacher["inner"]


def test_of_several_the_named_one_is_watched():
    module = Pair()
    assert watched(module, "student") is module.student
    with pytest.raises(ValueError, match=r"holds 2 models \(student, teacher.inner\): give one of them. Name .*model="):
        watched(module)


def test_a_model_under_two_names_is_one():
    module = Pair()
    del module.teacher
    module.again = module.student
    assert watched(module) is module.student


def test_a_module_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match=r"Linear has no module 'net'\. It has none"):
        watched(torch.nn.Linear(2, 2), "net")
    with pytest.raises(ValueError, match=r"Pair has no module 'net'\. It has student, teacher\."):
        watched(Pair(), "net")


def test_without_a_model_of_hugging_face_the_run_ends_before_its_first_step(tmp_path):
    module = Plain(torch.nn.Linear(2, 2))
    with pytest.raises(ValueError, match="model is a Plain; give a Hugging Face model"):
        fit(tmp_path, [CondensationCallback(IDS, max_length=LENGTH)], module)


# --- the loss -------------------------------------------------------------------------------------------------------


def documented():
    """The LightningModule of the book's page."""
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"))
    code = next(block for block in blocks if "LightningModule" in block).partition("\nwatch = ")[0]
    exec(compile(code, PAGE.name, "exec"), names := {})  # noqa: S102, the page of this repository
    return names["Dispersed"]


@pytest.mark.parametrize("checkpointing", [None, True, False], ids=["plain", "reentrant", "not reentrant"])
def test_the_documented_module_has_the_gradient_of_a_loop_by_hand(tmp_path, checkpointing):
    weight, rate = 5.0, 0.5
    net = model().train()  # without dropout: the two draw nothing
    byhand, batch = deepcopy(net), next(iter(loader(padded=True)))
    states = byhand(**batch, output_hidden_states=True)
    terms = [losses.dispersion(h, mask=batch["attention_mask"]) for h in states.hidden_states[1:]]
    (states.loss + weight * sum(terms) / len(terms)).backward()
    wanted = [p.detach() - rate * p.grad for p in byhand.parameters()]

    class WithSGD(documented()):
        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=rate)

    if checkpointing is not None:
        net.gradient_checkpointing_enable({"use_reentrant": checkpointing})
        assert net.is_gradient_checkpointing
    module = WithSGD(net, weight)
    trainer = lightning.Trainer(
        default_root_dir=tmp_path, max_steps=1, logger=False, enable_checkpointing=False, **USUAL
    )
    trainer.fit(module, loader(padded=True))
    for (name, p), q in zip(net.named_parameters(), wanted, strict=True):
        torch.testing.assert_close(p.detach(), q, rtol=1e-4, atol=1e-6, msg=name)
    moved = [(p - q).abs().max() for p, q in zip(net.parameters(), model().parameters(), strict=True)]
    assert min(moved) > 0
