"""What is packed beside token files: weights in bfloat16 that load again, and the benchmarks by their limits."""

import torch
from toys import tiny

from decondense import evaluate, models
from decondense.campaign import carried
from decondense.corpora import packed
from decondense.evaluate import packed as benchmarks
from decondense.evaluate import packing


def test_the_limits_are_of_the_nine_tasks_that_need_no_hub():
    assert len(carried.LIMITS) == 9
    assert set(evaluate.PAPER_TASKS) - set(carried.LIMITS) == {"anli_r2"}
    assert carried.LIMITS["mmlu"] * 57 == 513


def test_weights_and_benchmarks_lie_beside_the_tokens_and_load_again(tmp_path, monkeypatch, tiny_tokenizer):
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    model = tiny("gpt2")
    loaded = models.Loaded(model, tiny_tokenizer, {"source": "a mirror", "revision": None})
    monkeypatch.setattr(models, "load", lambda *_, **__: loaded)
    monkeypatch.setattr(packing, "pack", lambda *_, **__: b"requests")
    before = {name: value.clone() for name, value in model.state_dict().items()}
    beside, about = carried.beside("toy", ["local"])
    folder = tmp_path / "tokens" / "toy"
    header = packed.write(folder, tiny_tokenizer, ["w1 w2"], ["w3 w4"], about, beside=beside)
    assert {benchmarks.FILE, "config.json", "model.safetensors"} <= set(header["beside"])
    monkeypatch.undo()
    monkeypatch.setenv("DECONDENSE_DATA", str(tmp_path))
    again = models.load("packed/toy")
    assert again.provenance["source"] == "a mirror"
    for name, value in again.model.state_dict().items():
        assert value.dtype == torch.float32
        assert torch.equal(value, before[name].bfloat16().float())
