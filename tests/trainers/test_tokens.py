"""Which tokens of a pass take part, and of which document each is."""

import copy
import inspect

import pytest
import torch
import transformers
from toys import LAYERS, tiny

from decondense import hooks
from decondense.models import architectures
from decondense.trainers.tokens import tokens_of

IDS = torch.arange(24).reshape(2, 12)
MASK = torch.tensor([[1] * 12, [1] * 7 + [0] * 5])
PACKED = torch.cat([torch.arange(5), torch.arange(7)])


def seen(model=None, **given):
    model = tiny("gpt2") if model is None else model
    with hooks.trained_passes(model, [LAYERS]) as passes:
        model(**{"input_ids": IDS, "use_cache": False} | given)
    assert len(passes) == 1
    return passes[0]


def numbers(tensor):
    return None if tensor is None else tensor.tolist()


@pytest.mark.parametrize(
    ("given", "mask", "documents"),
    [
        ({}, None, None),
        ({"attention_mask": MASK}, MASK.bool().tolist(), None),
        ({"position_ids": torch.arange(12).expand(2, 12)}, None, None),
        ({"position_ids": PACKED.expand(2, 12)}, None, [[0] * 5 + [1] * 7] * 2),
        ({"position_ids": PACKED[None]}, None, [[0] * 5 + [1] * 7] * 2),
        # Padding has any position; it makes no document of what is before or behind it.
        (
            {"attention_mask": MASK, "position_ids": MASK.cumsum(1).sub(1).masked_fill(MASK == 0, 1)},
            MASK.bool().tolist(),
            None,
        ),
    ],
)
def test_mask_and_documents_are_what_the_model_was_given(given, mask, documents):
    found = tokens_of(seen(**given))
    assert numbers(found.mask) == mask
    assert numbers(found.document_ids) == documents


@pytest.mark.parametrize("counted", [True, False], ids=["holes counted", "holes not counted"])
def test_documents_with_hidden_tokens_between_them_are_two(counted):
    """Each document is padded to a multiple of four."""
    mask = torch.tensor([[1, 1, 1, 0, 1, 1, 1, 1], [1, 1, 1, 0, 1, 1, 1, 1]])
    again = [0, 1, 2, 3, 0, 1, 2, 3]
    onwards = [0, 1, 2, 3, 4, 5, 6, 7] if counted else [0, 1, 2, 2, 3, 4, 5, 6]
    found = tokens_of(seen(input_ids=IDS[:, :8], attention_mask=mask, position_ids=torch.tensor([again, onwards])))
    one, other = found.document_ids[mask.bool()].reshape(2, 7).tolist()
    assert one == [0, 0, 0, 1, 1, 1, 1]
    assert len(set(other)) == 1  # whatever its neighbour is


def test_a_mask_that_numbers_the_documents_is_read_so():
    mask = torch.tensor([[1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 0, 0], [1] * 12])
    found = tokens_of(hooks.Pass({1: torch.zeros(2, 12, 4)}, {"attention_mask": mask}))
    assert numbers(found.mask) == mask.bool().tolist()
    assert numbers(found.document_ids) == mask.tolist()


def test_left_padding_is_no_document():
    mask = MASK.flip(1)
    positions = mask.cumsum(1).sub(1).clamp(min=0)
    assert tokens_of(seen(attention_mask=mask, position_ids=positions)).document_ids is None


def test_the_ends_of_documents_come_before_positions():
    given = {"cu_seq_lens_q": torch.tensor([0, 3, 12]), "position_ids": PACKED[None]}
    found = tokens_of(hooks.Pass({1: torch.zeros(1, 12, 4)}, given))
    assert numbers(found.document_ids) == [[0] * 3 + [1] * 9]


@pytest.mark.parametrize(
    ("positions", "documents"),
    [
        ([0, 1, 2, 2, 2, 2, 5, 6, 0, 1, 2, 3], [0] * 8 + [1] * 4),  # time stays within an image
        (list(range(12)), None),
    ],
)
def test_positions_with_three_axes_restart_where_time_goes_down(positions, documents):
    given = {"position_ids": torch.tensor(positions).expand(3, 1, 12)}
    found = tokens_of(hooks.Pass({1: torch.zeros(1, 12, 4)}, given))
    assert numbers(found.document_ids) == (documents and [documents])


def test_positions_with_four_axes_are_read_in_the_first():
    given = {"position_ids": torch.stack([PACKED, *torch.zeros(3, 12, dtype=torch.long)])[:, None]}
    found = tokens_of(hooks.Pass({1: torch.zeros(1, 12, 4)}, given))
    assert numbers(found.document_ids) == [[0] * 5 + [1] * 7]


def test_numbers_of_a_row_with_virtual_tokens_before_it():
    given = {"inputs_embeds": torch.zeros(1, 14, 4)}
    found = tokens_of(hooks.Pass({1: torch.zeros(1, 14, 4)}, given), torch.tensor([[3] * 5 + [4] * 7]), virtual=2)
    assert numbers(found.document_ids) == [[0] * 2 + [3] * 5 + [4] * 7]
    assert numbers(found.mask) == [[False] * 2 + [True] * 12]


def test_numbers_given_come_first():
    ids = torch.tensor([[0] * 6 + [1] * 6, [2] * 12])
    assert torch.equal(tokens_of(seen(position_ids=PACKED.expand(2, 12)), ids).document_ids, ids)


@pytest.mark.parametrize(
    ("mask", "said"), [(torch.ones(2, 1, 12, 12), r"of shape \(2, 1, 12, 12\)"), ({"full": None}, "that is a dict")]
)
def test_a_mask_that_does_not_say_which_tokens_are_there_is_refused(mask, said):
    with pytest.raises(ValueError, match=rf"an attention mask {said}.*Give a mask \(batch, tokens\)"):
        tokens_of(hooks.Pass({1: torch.zeros(2, 12, 4)}, {"attention_mask": mask}))


# --- PEFT's prompt learning -----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings(
    "ignore:`is_gradient_checkpointing` is deprecated", "ignore:`past_key_values` is deprecated"
)
@pytest.mark.parametrize(("kind", "in_the_stream"), [("PromptTuningConfig", 5), ("PrefixTuningConfig", 0)])
def test_virtual_tokens_take_no_part(kind, in_the_stream):
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    net = tiny("gpt2", bos_token_id=0, eos_token_id=1)
    model = peft.get_peft_model(net, getattr(peft, kind)(task_type="CAUSAL_LM", num_virtual_tokens=5))
    found = seen(model, attention_mask=MASK)
    assert next(iter(found.entries.values())).shape[1] == 12 + in_the_stream
    tokens = tokens_of(found, virtual=hooks.virtual_tokens(model))
    assert numbers(tokens.mask) == [[False] * in_the_stream + row for row in MASK.bool().tolist()]
    without = tokens_of(seen(model), virtual=hooks.virtual_tokens(model))
    if in_the_stream:
        assert numbers(without.mask) == [[False] * 5 + [True] * 12] * 2


@pytest.mark.filterwarnings("ignore")
def test_without_its_adapter_a_model_has_no_virtual_tokens():
    peft = pytest.importorskip("peft", reason="PEFT is not installed")
    config = peft.PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=5)
    model = peft.get_peft_model(tiny("gpt2", bos_token_id=0, eos_token_id=1), config)
    model.requires_grad_(True)
    with model.disable_adapter():
        found = seen(model, attention_mask=MASK)
    assert numbers(tokens_of(found, virtual=5).mask) == MASK.bool().tolist()


# --- which passes ---------------------------------------------------------------------------------------------------


def test_only_passes_with_a_gradient_are_kept():
    model = tiny("gpt2").train()
    with hooks.trained_passes(model, [1, LAYERS]) as passes:
        with torch.no_grad():
            model(IDS[:, :3])
        model(IDS[:, :4])
        model(IDS[:, :5])
        with torch.inference_mode():
            model(IDS)
    assert [found.entries[1].shape[1] for found in passes] == [4, 5]
    assert [sorted(found.entries) for found in passes] == [[1, LAYERS]] * 2


def test_one_entry_more_is_the_bare_output_of_the_last_block():
    model = tiny("gpt2").train()
    with hooks.trained_passes(model, [LAYERS, LAYERS + 1]) as passes:
        model(IDS)
    found = passes[0].entries
    assert torch.equal(model.transformer.ln_f(found[LAYERS + 1]), found[LAYERS])
    assert not torch.allclose(found[LAYERS + 1], found[LAYERS])


def test_a_model_whose_trunk_is_frozen_has_none():
    model = tiny("gpt2").requires_grad_(False)
    model.lm_head = torch.nn.Linear(32, 64)
    with hooks.trained_passes(model, [LAYERS]) as passes:
        assert model(IDS).logits.requires_grad
    assert passes == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("group", "name"), [("text part of a multimodal model", "gemma3"), ("state space and hybrids", "rwkv")]
)
def test_a_mask_that_the_head_does_not_hand_on_is_that_of_the_whole_model(group, name):
    model = architectures.build(group, name).train()
    found = seen(model, input_ids=IDS + 3, attention_mask=MASK)
    assert numbers(tokens_of(found).mask) == MASK.bool().tolist()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["bloom", "mpt"])
def test_positions_that_the_head_does_not_hand_on_are_those_of_the_whole_model(name):
    model = architectures.build("decoder", name).train()
    if "kwargs" not in inspect.signature(model.forward).parameters:
        pytest.skip("this release takes no other arguments")
    found = seen(model, input_ids=IDS + 3, position_ids=PACKED.expand(2, 12))
    assert numbers(tokens_of(found).document_ids) == [[0] * 5 + [1] * 7] * 2


def test_a_copy_made_inside_the_context_is_not_seen():
    model = tiny("gpt2").train()
    with hooks.trained_passes(model, [1, LAYERS]) as passes:
        model(IDS)
        other = copy.deepcopy(model)
        other(IDS[:, :3])
    assert len(passes) == 1
    other(IDS)
    other.generate(IDS, max_new_tokens=2, do_sample=False, pad_token_id=0, eos_token_id=None)
    assert len(passes) == 1


@pytest.mark.filterwarnings("ignore")
def test_what_a_model_adds_on_the_right_is_cut_off():
    model = architectures.build("encoder", "longformer").train()
    ids = IDS[:, :10] + 3
    with hooks.trained_passes(model, [1, 3]) as passes:
        model(ids)
    assert {state.shape[1] for state in passes[0].entries.values()} == {10}


def test_a_row_that_grows_is_refused():
    model = tiny("gpt2")
    model.transformer.drop.register_forward_hook(lambda _m, _a, out: torch.cat([out[:, :2], out], 1))
    with pytest.raises(ValueError, match="makes 14 states of a row of 12 tokens"), hooks.residual_stream(model):
        model(IDS, use_cache=False)


def test_an_encoder_is_seen_as_well():
    model = tiny("bert")
    assert isinstance(model, transformers.BertModel)
    found = tokens_of(seen(model, attention_mask=MASK))
    assert numbers(found.mask) == MASK.bool().tolist()
