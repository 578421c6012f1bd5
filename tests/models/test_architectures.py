"""The table of architectures is what the installed transformers gives, and the entries mean what it says."""

import re

import pytest
import torch
import transformers
from toys import LAYERS, tiny

from decondense import hooks, measure
from decondense.models import architectures

VERSION, COMMITTED = architectures.read()
NAMES = [(group, name) for group, members in architectures.known().items() for name in members]
IDS = torch.arange(3, 27).reshape(2, 12)
same_version = pytest.mark.skipif(
    transformers.__version__ != VERSION,
    reason=f"the table was made with transformers {VERSION}: python -m decondense.models.architectures makes it again",
)


@pytest.fixture(autouse=True)
def quiet_transformers():
    before = transformers.logging.get_verbosity()
    transformers.logging.set_verbosity_error()
    yield
    transformers.logging.set_verbosity(before)


def test_the_table_has_every_architecture_in_order():
    assert [(row.group, row.architecture) for row in COMMITTED] == NAMES


@same_version
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", COMMITTED, ids=lambda row: row.architecture)
def test_the_table_is_what_is_found_now(row):
    assert architectures.examine(row.group, row.architecture) == row


@same_version
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("row", [r for r in COMMITTED if r.group != "refused"], ids=lambda row: row.architecture)
def test_entries_are_the_same_with_the_head_and_end_as_hidden_states_do_on_both_settings(row):
    model = architectures.build(row.group, row.architecture)
    without = architectures.stream(model, IDS)
    with torch.inference_mode(), hooks.residual_stream(model, lambda _, hidden: hidden[:, : IDS.shape[1]]) as found:
        model(input_ids=IDS, attention_mask=torch.ones_like(IDS), use_cache=False)
    assert all(torch.equal(found[entry], state) for entry, state in enumerate(without))
    for tied in (True, False):
        hooks.backbone(model).config.tie_last_hidden_states = tied
        theirs = architectures.hidden_states(model, IDS)
        assert architectures.agreement(architectures.stream(model, IDS), theirs) == row.hidden_states


def test_what_is_measured_has_l_plus_1_entries_and_is_not_changed_by_padding():
    taken = [row for row in COMMITTED if row.group != "refused"]
    assert {row.measure for row in taken} == {"yes"}
    assert all(int(row.entries) == int(row.blocks) + 1 for row in taken)
    assert {row.padding for row in taken} == {"no"}
    assert {row.hidden_states for row in taken} == {architectures.SAME, architectures.SHIFTED}


def test_what_is_refused_says_why():
    for row in (row for row in COMMITTED if row.group == "refused"):
        assert row.measure.startswith("ValueError: ")
        assert row.model in row.measure


def found(name):
    row = next(row for row in COMMITTED if row.architecture == name)
    return row.first, row.inner, row.last, row.hidden_states


def test_known_architectures_are_described_as_they_are():
    assert found("gpt2") == ("tokens + positions", "no", "ln_f", "equal")
    assert found("llama") == ("tokens", "no", "norm", "equal")
    assert found("gemma2") == ("tokens × √d", "no", "norm", "equal")
    assert found("bloom") == ("norm(tokens)", "no", "ln_f", "equal")
    assert found("bert") == ("norm(tokens + positions)", "yes", "", "equal")
    assert found("mamba") == ("tokens", "no", "norm_f", "one block later")
    assert found("opt-350m")[2] == "project_out"


# --- how it is found out --------------------------------------------------------------------------------------------


def test_agreement_tells_equal_from_shifted_from_wrong():
    ours = [torch.full((1, 2, 3), float(i)) for i in range(4)]
    shifted = [ours[1], ours[2], torch.full((1, 2, 3), 9.0), ours[3]]
    assert architectures.agreement(ours, ours) == architectures.SAME
    assert architectures.agreement(ours, shifted) == architectures.SHIFTED
    assert architectures.agreement(ours, ours[::-1]) == "equal at []"
    assert architectures.agreement(ours, [ours[0], ours[2], ours[2], ours[3]]) == "equal at [0, 2, 3]"
    assert architectures.agreement(ours, ours[:2]) == "2 of them"
    nearly = [*ours[:3], torch.nextafter(ours[3], torch.tensor(9.0))]
    assert architectures.agreement(ours, nearly) == "equal at [0, 1, 2]"


@pytest.mark.parametrize(
    ("scale", "positions", "said"),
    [
        (1.0, 0.0, "tokens"),
        (1.0, 1.0, "tokens + positions"),
        (4.0, 0.0, "tokens × √d"),
        (0.5, 1.0, "tokens × 0.5 + positions"),
    ],
)
def test_first_entry_of_scaled_embeddings_with_positions(scale, positions, said):
    generator = torch.Generator().manual_seed(0)
    weight, place = torch.randn(9, 16, generator=generator), positions * torch.randn(4, 16, generator=generator)
    one, other, repeated = torch.tensor([[0, 1, 2, 3]]), torch.tensor([[4, 5, 6, 7]]), torch.full((1, 4), 8)
    entries = [scale * weight[ids] + place for ids in (one, other, repeated)]
    assert architectures.first_entry(*entries, weight[one], weight[other]) == said
    normed = [torch.nn.functional.layer_norm(entry, (16,)) for entry in entries]
    added = " + positions" if positions else ""
    assert architectures.first_entry(*normed, weight[one], weight[other]) == f"norm(tokens{added})"


def test_ends_names_the_final_norm_or_the_block():
    for name, last, inner in (("gpt2", "ln_f", False), ("bert", "", True)):
        model = tiny(name)
        assert architectures.ends(model, IDS, architectures.stream(model, IDS)[1]) == (last, inner)


def test_mamba_hidden_states_lack_the_embeddings():
    model = architectures.build("state space and hybrids", "mamba")
    ours, theirs = architectures.stream(model, IDS), architectures.hidden_states(model, IDS)
    embedded = hooks.backbone(model).get_input_embeddings()(IDS)
    assert torch.equal(ours[0], embedded)
    assert not any(torch.equal(entry, embedded) for entry in theirs)


# --- at the door ----------------------------------------------------------------------------------------------------


def test_a_multimodal_model_is_read_in_its_language_model():
    model = architectures.build("text part of a multimodal model", "gemma3")
    assert hooks.backbone(model) is model.model.language_model
    assert hooks.n_entries(model) == LAYERS + 1
    with torch.inference_mode(), hooks.residual_stream(model, lambda _, hidden: hidden.shape) as shapes:
        model(IDS)
    assert set(shapes.values()) == {(2, 12, 32)}


def test_several_streams_are_refused_while_they_pass():
    model = architectures.build("refused", "gemma3n_text")
    with (
        torch.inference_mode(),
        pytest.raises(ValueError, match=r"a block takes \(4, 2, 12, 32\).*Several streams"),
        hooks.residual_stream(model, lambda *_: None),
    ):
        hooks.backbone(model)(IDS)


@pytest.mark.parametrize("name", hooks.PADDING_BLIND)
@pytest.mark.filterwarnings("ignore:.*shorter than max_length")
def test_models_that_mix_padding_in_are_given_one_text_at_a_time(name, monkeypatch):
    model = architectures.build("encoder", name)
    texts = [list(range(3, 40)), list(range(10, 17))]
    alone = [measure(model, None, [text], progress=False).mu_per_text[0] for text in texts]
    together = measure(model, None, texts, progress=False).mu_per_text
    assert abs(together - alone).max() < 1e-6
    monkeypatch.setattr("decondense.measurement.PADDING_BLIND", ())
    assert abs(measure(model, None, texts, progress=False).mu_per_text - alone).max() > 1e-4


# --- the page -------------------------------------------------------------------------------------------------------


def test_parts_have_every_architecture_once_in_its_table():
    parts = architectures.parts()
    for row in COMMITTED:
        assert f"| `{row.architecture}` |" in (parts["all"] if row.measure == "yes" else parts["refused"])
    assert parts["count"] == str(len([row for row in COMMITTED if row.measure == "yes"]))
    assert "`mamba`" in parts["unlike"]
    assert "`gpt2`" not in parts["unlike"]
    assert sorted(re.findall(r"`([\w-]+)`(?=,|$)", parts["kinds"].replace("\n", ",\n"))) == sorted(
        row.architecture for row in COMMITTED if row.measure == "yes"
    )
