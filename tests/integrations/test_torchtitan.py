"""The regulariser in a trainer with the interface of torchtitan's has the loss and gradient of `DispersionTrainer`."""

from types import SimpleNamespace

import pytest
import torch
from tiny_training import LENGTH, make, model
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from toys import COMPILING, VOCABULARY

from decondense import losses
from decondense.integrations.torchtitan import add_regulariser

WEIGHT = 5.0
PACKED = torch.cat([torch.arange(10), torch.arange(LENGTH - 10)])


class Decoder(torch.nn.Module):
    """GPT-2 in the form of torchtitan's models: blocks in a `ModuleDict`, the final norm, the head."""

    def __init__(self, depth=4):
        super().__init__()
        net = model(depth).double()
        self.embedding, self.positions = net.transformer.wte, net.transformer.wpe
        self.layers = torch.nn.ModuleDict({str(i): block for i, block in enumerate(net.transformer.h)})
        self.norm, self.lm_head = net.transformer.ln_f, net.lm_head

    def forward(self, tokens):
        h = self.embedding(tokens) + self.positions(torch.arange(tokens.shape[1]))
        for layer in self.layers.values():
            h = layer(h)
        return self.lm_head(self.norm(h))


def cross_entropy(pred, labels, global_valid_tokens, **_):
    """The sum over this batch's labels, divided by those of the whole step."""
    total = torch.nn.functional.cross_entropy(pred.flatten(0, 1), labels.flatten(), reduction="sum")
    return total / global_valid_tokens, {"kept": 1}


def trainer(net, batches=1, **changes):
    dims = {"dp_replicate": 1, "dp_shard": 1, "tp": 1, "cp": 1, "pp": 1, "spmd_backend": "spmd_types"} | changes
    config = {"training": SimpleNamespace(disable_cuda_graphs=True), "debug": SimpleNamespace(spmd_typechecking=False)}
    return SimpleNamespace(
        model_parts=[net],
        loss_fn=cross_entropy,
        gradient_accumulation_steps=batches,
        parallel_dims=SimpleNamespace(**dims),
        config=SimpleNamespace(**config),
    )


def batch(count, seed=1):
    """Tokens, and behind each the next one as its label; the last has none."""
    ids = torch.randint(1, VOCABULARY, (count, LENGTH), generator=torch.Generator().manual_seed(seed))
    return ids, torch.nn.functional.pad(ids[:, 1:], (0, 1), value=-100)


def step(made, batches, **inputs):
    """Loss of a step and its gradient, as torchtitan's `_forward_backward_body` makes them."""
    tokens, total = sum((labels != -100).sum() for _, labels in batches), 0
    for ids, labels in batches:
        loss, _ = made.loss_fn(made.model_parts[0](ids), labels, tokens, **inputs)
        loss.backward()
        total += loss.item()
    return total, gradient(made.model_parts[0].layers)


def gradient(layers):
    return torch.cat([p.grad.flatten() for p in layers.parameters()])


def by_dispersion_trainer(folder, ids, positions=None, **how):
    """The same step by `DispersionTrainer`."""
    reference = make(folder, net=model().double(), weight=WEIGHT, subsample=None, **how)
    reference.model.train()
    inputs = {"input_ids": ids, "labels": ids}
    if positions is not None:  # for the regulariser alone: the model of these tests counts positions through
        inputs["document_ids"] = losses.document_ids(positions)
    items = torch.tensor(ids[:, 1:].numel())
    loss = reference.compute_loss(reference.model, inputs, num_items_in_batch=items)
    loss.backward()
    return loss.item(), gradient(reference.model.transformer.h)


def regularised(net=None, batches=1, **how):
    made = trainer(Decoder() if net is None else net, batches)
    add_regulariser(made, **{"weight": WEIGHT, "subsample": None} | how)
    return made


def assert_close(found, expected):
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-6)  # Hugging Face's own loss is in float32


HOWS = [
    {},
    {"layers": "last"},
    {"layers": "block_outputs"},
    {"layers": [1, 3]},
    {"loss": "decorrelation"},
    {"loss": "mean_direction"},
    {"temperature": 0.5, "clamp": 0.2, "acute": True},
]


@pytest.mark.parametrize("how", HOWS, ids=str)
def test_a_step_is_that_of_the_dispersion_trainer(tmp_path, how):
    ids, labels = batch(4)
    assert_close(step(regularised(**how), [(ids, labels)]), by_dispersion_trainer(tmp_path, ids, **how))


def test_packed_documents_are_sequences_of_their_own(tmp_path):
    ids, labels = batch(4)
    positions = PACKED.expand(4, -1)
    found = step(regularised(), [(ids, labels)], positions=positions)
    assert_close(found, by_dispersion_trainer(tmp_path, ids, positions))
    assert found[0] != pytest.approx(step(regularised(), [(ids, labels)])[0], rel=1e-3)


def test_a_document_without_a_label_takes_no_part():
    ids, labels = batch(4)
    labels[:, 10:] = -100
    positions = PACKED.expand(4, -1)
    made = regularised(layers=[2])
    pred = made.model_parts[0](ids)
    value = made.loss_fn(pred, labels, 36, positions=positions)[1]["regulariser/mean"]
    state = Decoder().layers["1"](
        Decoder().layers["0"](made.model_parts[0].embedding(ids) + made.model_parts[0].positions.weight[:LENGTH])
    )
    assert value.item() == pytest.approx(losses.dispersion(state[:, :10]).item(), rel=1e-6)


@pytest.mark.parametrize("counts", [(2, 2, 2, 2), (4, 4)], ids=str)
def test_accumulated_batches_are_one_large_batch(counts):
    ids, labels = batch(8)
    parts = list(zip(ids.split(counts), labels.split(counts), strict=True))
    torch.testing.assert_close(step(regularised(batches=len(counts)), parts), step(regularised(), [(ids, labels)]))


def test_ranks_whose_gradients_are_summed_add_up_to_one_large_batch():
    ids, labels = batch(8)
    whole, tokens = step(regularised(), [(ids, labels)]), (labels != -100).sum()
    made = trainer(Decoder(), dp_replicate=2, dp_shard=2)
    add_regulariser(made, weight=WEIGHT, subsample=None)
    parts = zip(ids.split(2), labels.split(2), strict=True)  # those of four ranks, here one behind the other
    ranks = [made.loss_fn(made.model_parts[0](some), wanted, tokens)[0] for some, wanted in parts]
    torch.testing.assert_close(sum(ranks).item(), whole[0])


def inner_backward(net):
    """A loss that goes backward through the head itself, in chunks, as torchtitan's `ChunkedLossWrapper`."""

    class Given(torch.autograd.Function):
        @staticmethod
        def forward(ctx, hidden, grad, loss):
            ctx.save_for_backward(grad)
            return loss.clone()

        @staticmethod
        def backward(ctx, _):
            return ctx.saved_tensors[0], None, None

    def loss_fn(hidden, labels, tokens, **_):
        leaf = hidden.detach().requires_grad_()
        loss, metrics = cross_entropy(head(leaf), labels, tokens)
        loss.backward()
        return Given.apply(hidden, leaf.grad, loss.detach()), metrics

    head, net.lm_head = net.lm_head, torch.nn.Identity()
    return loss_fn


def test_a_loss_that_goes_backward_in_chunks_itself():
    ids, labels = batch(4)
    made = trainer(Decoder())
    made.loss_fn = inner_backward(made.model_parts[0])
    add_regulariser(made, weight=WEIGHT, subsample=None)
    torch.testing.assert_close(step(made, [(ids, labels)]), step(regularised(), [(ids, labels)]))


def checkpointed(net):
    for name, block in net.layers.items():
        net.layers[name] = checkpoint_wrapper(block)
    return net


def compiled(net):
    for block in net.layers.values():
        block.compile(backend="aot_eager", fullgraph=True)
    return net


@pytest.mark.filterwarnings(*COMPILING)
@pytest.mark.parametrize("wrap", [checkpointed, lambda net: compiled(checkpointed(net))], ids=["eager", "compiled"])
def test_checkpointed_and_compiled_blocks_give_the_same(wrap):
    depth = 10  # more than the eight versions of a block that torch.compile makes
    expected = step(regularised(Decoder(depth)), [batch(4)])
    torch._dynamo.reset()
    made = regularised(wrap(Decoder(depth)))
    for _ in range(2):  # the second step runs what the first has compiled
        made.model_parts[0].zero_grad()
        torch.testing.assert_close(step(made, [batch(4)]), expected)


def test_validation_and_batches_without_pairs_have_the_plain_loss():
    made, (ids, labels) = regularised(), batch(4)
    with torch.no_grad():
        pred = made.model_parts[0](ids)
        assert made.loss_fn(pred, labels, 92) == cross_entropy(pred, labels, 92)
    pred, alone = made.model_parts[0](ids), torch.zeros_like(ids)
    assert made.loss_fn(pred, labels, 92, positions=alone)[0].item() == cross_entropy(pred, labels, 92)[0].item()


def test_the_metrics_of_the_loss_are_kept_and_its_share_is_among_them():
    (ids, labels), metrics = batch(4), []
    for batches in (1, 2):
        made = regularised(batches=batches)
        metrics.append(made.loss_fn(made.model_parts[0](ids), labels, 92)[1])
    assert [m["kept"] for m in metrics] == [1, 1]
    assert metrics[0]["regulariser/mean"] == 2 * metrics[1]["regulariser/mean"]


UNFIT = [
    ({"pp": 2}, "pipeline"),
    ({"tp": 2}, "tensor"),
    ({"cp": 2}, "context"),
    ({"spmd_backend": "full_dtensor"}, "spmd_backend"),
]


@pytest.mark.parametrize(("changes", "said"), UNFIT, ids=lambda value: str(value))
def test_what_cuts_the_states_of_a_text_is_refused(changes, said):
    with pytest.raises(ValueError, match=f"cannot be added under .*{said}"):
        add_regulariser(trainer(Decoder(), **changes))


@pytest.mark.parametrize(
    ("part", "name", "value"), [("training", "disable_cuda_graphs", False), ("debug", "spmd_typechecking", True)]
)
def test_cuda_graphs_and_type_checking_are_refused(part, name, value):
    made = trainer(Decoder())
    setattr(getattr(made.config, part), name, value)
    with pytest.raises(ValueError, match=f"{part}.{name}"):
        add_regulariser(made)


WRONG = [
    ({"loss": "dispersoin"}, "Did you mean 'dispersion'"),
    ({"temprature": 2.0}, "Did you mean 'temperature'"),
    ({"weight": 0.0}, "above 0"),
    ({"layers": [5]}, "entries 0 to 4"),
    ({"subsample": 1}, "subsample"),
]


@pytest.mark.parametrize(("how", "said"), WRONG, ids=str)
def test_wrong_options_are_refused_before_the_first_step(how, said):
    with pytest.raises(ValueError, match=said):
        add_regulariser(trainer(Decoder()), **how)


def test_a_model_that_is_no_decoder_is_refused():
    with pytest.raises(ValueError, match="Linear has no `layers` and `norm`"):
        add_regulariser(trainer(torch.nn.Linear(2, 2)))


def test_a_loss_without_metrics_and_a_block_that_did_not_run_are_refused():
    made, (ids, labels) = trainer(Decoder()), batch(2)
    made.loss_fn = lambda *given: cross_entropy(*given)[0]
    add_regulariser(made)
    with pytest.raises(RuntimeError, match=r"0\.3 or later"):
        made.loss_fn(made.model_parts[0](ids), labels, 46)
    made = regularised()
    with pytest.raises(RuntimeError, match="0 of 5 states"):
        made.loss_fn(torch.zeros(2, LENGTH, VOCABULARY), labels, 46)


def test_a_loss_of_two_views_is_refused():
    with pytest.raises(ValueError, match=r"^info_nce needs two views of each batch, and torchtitan makes one pass"):
        add_regulariser(trainer(Decoder()), loss="info_nce")
