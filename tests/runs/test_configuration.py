"""What a run may be asked: bad values are refused before it begins, and equal runs are written alike."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from toy_runs import mid as mid_training
from toy_runs import scratch as from_scratch

from decondense import records
from decondense.runs import MidTraining, PreTraining, configuration, read


def mid(**changes):
    return mid_training(**{"model": "gpt2", "loss": "dispersion"} | changes)


def scratch(**changes):
    return from_scratch(**{"tokenizer": "pocket-small", "loss": "dispersion"} | changes)


OF_ALL = [
    ({"loss": "dispersal"}, "Unknown loss 'dispersal'. Did you mean 'dispersion'"),
    ({"loss": 3}, "Unknown loss 3"),
    ({"loss": {"dispersoin": 0.1}}, "Unknown loss 'dispersoin'. Did you mean 'dispersion'"),
    ({"loss": {"koleo": -0.1}}, "The weight of koleo must be above 0, got -0.1"),
    ({"loss": {}}, "No loss given"),
    ({"loss": {"koleo": 1.0}, "options": {"eps": 0.1}}, "eps: several losses have no options here. Give one loss"),
    ({"loss": {"koleo": 1.0}, "temperature": 0.5}, "temperature: several losses have no options here"),
    ({"loss": "sigreg", "options": {"slice": 3}}, "Unknown option of sigreg 'slice'. Did you mean 'slices'"),
    ({"loss": "sigreg", "options": {"slices": 0}}, "slices must be 1 or more, got 0"),
    ({"loss": "sigreg", "options": 3}, "options must be a table such as {slices = 512}, got 3"),
    ({"loss": "sigreg", "subsample": 2}, "tokens are too few"),
    ({"loss": "vicreg", "batch_size": 1}, "vicreg is of the tokens of a whole batch, and the batch has one text"),
    ({"loss": "vicreg", "options": {"covariance_weight": -1.0}}, "covariance_weight must lie between 0 and inf"),
    ({"weight": 0}, "weight must be above 0, got 0. For plain training leave the loss out"),
    ({"weight": -0.1}, "weight must be above 0, got -0.1"),
    ({"weight": math.inf}, "weight must be above 0, got inf"),
    ({"weight": math.nan}, "weight must be above 0, got nan"),
    ({"weight": "0.1"}, "weight must be a number, got '0.1'"),
    ({"weight": True}, "weight must be a number, got True"),
    ({"learning_rate": 0.0}, "learning_rate must be above 0, got 0.0."),
    ({"temperature": 0.0}, "temperature must be above 0"),
    ({"loss": "orthogonalization", "temperature": 1.0}, "Unknown option of"),
    ({"centre": "bach"}, "centre must be 'batch', or left out, got 'bach'"),
    ({"centre": True}, "centre must be 'batch', or left out, got True"),
    ({"centre": "batch", "batch_size": 1}, "the batch has 1 of two tokens or more"),
    ({"loss": "mean_direction", "batch_size": 1}, "the batch has 1 of two tokens or more"),
    ({"loss": "mean_direction", "centre": "batch"}, "Unknown option of mean_direction 'centre'"),
    ({"clamp": 0.0}, "clamp must be above 0, got 0.0."),
    ({"clamp": 1.0}, "clamp must lie between 1e-06 and 0.999, got 1.0."),
    ({"clamp": 0.5, "acute": True}, "clamp must be below 0.5, got 0.5"),
    ({"acute": "yes"}, "acute must be true or false, got 'yes'"),
    ({"loss": "l2_repel", "acute": True}, "Unknown option of l2_repel 'acute'"),
    ({"layers": "lates"}, "Unknown layers 'lates'. Did you mean 'last'"),
    ({"layers": []}, "layers must be one of all, last, early_half, late_half, block_outputs, or a list of entries"),
    ({"layers": [1, -1]}, "layers must be one of"),
    ({"layers": [1.5]}, "layers must be one of"),
    ({"steps": 2.5}, "steps must be a whole number, got 2.5"),
    ({"batch_size": "8"}, "batch_size must be a number, got '8'"),
    ({"checkpoints": 4}, "4 checkpoints in 3 steps"),
    ({"tasks": {"pocket_close": 3}}, "Unknown benchmark 'pocket_close'"),
    ({"tasks": {"pocket_cloze": 0}}, "the limit of pocket_cloze must be above 0"),
    ({"tasks": ["piqa"]}, "tasks must be a table of names and limits such as {piqa: 100}, got ['piqa']"),
    ({"sources": "hub"}, "sources must be a list, got 'hub'"),
    ({"sources": ["hubs"]}, "Unknown source 'hubs'. Did you mean 'hub'"),
    ({"elsewhere": "bible"}, "elsewhere must be a list of corpora, got 'bible'"),
    ({"elsewhere": ["bibel"]}, "Unknown corpus 'bibel'. Did you mean 'bible'"),
    ({"noise_alpha": 0.0}, "noise_alpha must be above 0"),
    ({"controls": "yes"}, "controls must be true, false or \"all\", got 'yes'"),
    ({"forgetting": "yes"}, "forgetting must be true or false, got 'yes'"),
]
OF_PRETRAINING = [
    ({"weight": 0}, "weight must be above 0"),
    ({"precision": "float23"}, "Unknown precision 'float23'"),
    ({"schedule": "cosin"}, "Unknown schedule 'cosin'"),
    ({"warm_up": 1.0}, "warm_up is a share of the steps, 0 up to 1, got 1.0"),
    ({"warm_up": "all"}, "warm_up must be a number, got 'all'"),
    ({"distillation": {"teacher": "pocket-small", "share": 2}}, "share must lie between 0 and 1"),
    ({"distillation": {"teacher": "pocket-small", "share": "all"}}, "share must be a number"),
    ({"distillation": {"teacher": "pocket-small", "temperature": "hot"}}, "temperature must be a number"),
    ({"distillation": {"teacher": "pocket-small", "kind": "logit"}}, "Unknown kind of distillation 'logit'"),
    (
        {"distillation": {"teacher": "pocket-small", "tau": 2.0}},
        "must be a table with a teacher, and maybe kind, share",
    ),
    ({"distillation": "pocket-small"}, "distillation must be a table with a teacher"),
    ({"distillation": {}}, "distillation must be a table with a teacher"),
    ({"shape": "gpt2"}, "shape must be a table such as {like = 'gpt2'}, got 'gpt2'"),
    ({"shape": {"n_embd": 16}}, "names no architecture"),
    ({"shape": {"architecture": "Linear"}}, "names no architecture"),
    ({"shape": {"architecture": "GPT2Model"}}, "names no architecture"),
    ({"shape": {"like": "gtp2"}}, "gtp2"),
]


@pytest.mark.parametrize(
    ("make", "change", "message"), [(mid, *row) for row in OF_ALL] + [(scratch, *row) for row in OF_PRETRAINING]
)
def test_bad_values_are_refused(make, change, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        make(**change)
    assert message in str(raised.value)


@pytest.mark.parametrize(("name", "least"), configuration.WHOLE.items())
def test_whole_numbers_have_a_least(name, least):
    make = scratch if name == "processes" else mid
    with pytest.raises(ValueError, match=rf"^{name} must be {f'above {least - 1}' if least else '0 or more'}, got"):
        make(**{name: least - 1})
    assert getattr(make(**{"checkpoints": 1, name: least}), name) == least


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [0, 2]},
        {"layers": "last"},
        {"subsample": None},
        {"tasks": {"pocket_cloze": None, "piqa": 1}},
        {"weight": 1e-9},
        {"steps": 0, "checkpoints": 5},
        {"steps": 2, "checkpoints": 5, "stop_after": 1},
    ],
)
def test_what_a_run_can_do_is_allowed(change):
    for make in (mid, scratch):
        assert change.items() <= make(**change).as_dict().items()


@pytest.mark.parametrize("make", [mid, scratch])
@pytest.mark.parametrize("name", ["weight", "temperature", "learning_rate", "steps"])
def test_equal_numbers_are_written_alike(make, name):
    one, other = (json.dumps(make(**{"checkpoints": 1, name: value}).as_dict()) for value in (1, 1.0))
    assert one == other


def test_equal_shares_are_written_alike():
    taught = ({"warm_up": w, "distillation": {"teacher": "pocket-small", "share": s}} for w, s in ((0, 1), (0.0, 1.0)))
    one, other = (json.dumps(scratch(**change).as_dict()) for change in taught)
    assert one == other


@given(
    weight=st.one_of(st.integers(1, 9), st.floats(1e-9, 1e9)),
    steps=st.integers(3, 10**6),
    layers=st.one_of(st.sampled_from(["all", "last"]), st.lists(st.integers(0, 50), min_size=1)),
    make=st.sampled_from([mid, scratch]),
)
def test_a_configuration_is_plain_json_and_read_back(weight, steps, layers, make):
    config = make(weight=weight, steps=steps, layers=layers)
    found = config.as_dict()
    assert (found["weight"], found["steps"], found["layers"]) == (weight, steps, layers)
    assert type(found["weight"]) is float
    again = read(json.loads(json.dumps(found)))
    assert type(again) is type(config)
    assert again.as_dict() == found


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (mid, {"weight": 3.0}),
        (mid, {"layers": "last"}),
        (mid, {"temperature": 0.5}),
        (scratch, {"subsample": 8}),
        (mid, {"centre": "batch"}),
        (scratch, {"clamp": 0.01}),
        (scratch, {"acute": True}),
    ],
)
def test_what_nothing_reads_is_no_part_of_the_configuration(make, change):
    assert make(loss=None, **change).as_dict() == make(loss=None).as_dict()
    assert make(**change).as_dict() != make().as_dict()


def test_the_usual_clamp_is_not_said():
    assert not {"clamp", "acute"} & set(scratch().as_dict())
    found = scratch(clamp=1e-4, acute=True).as_dict()
    assert (found["clamp"], found["acute"]) == (1e-4, True)
    assert read(found).as_dict() == found


def test_tokens_are_counted():
    config = scratch(steps=5, batch_size=2, accumulation=3, length=7, processes=4, texts=2, text_length=9, held_out=3)
    assert config.needs == (config.tokens, 3 * 7) == (5 * 2 * 3 * 7 * 4, 21)
    assert config.changed(texts=9).needs.held_out == 81
    assert mid(steps=5).tokens == 5 * 2 * 16


# --- changed, and read from a record --------------------------------------------------------------------------------


def test_a_change_leaves_the_rest_and_is_checked():
    config = mid()
    assert config.changed(seed=3, weight=2).as_dict() == config.as_dict() | {"seed": 3, "weight": 2.0}
    with pytest.raises(ValueError, match=r"No run knows 'wieght'\. Known: .*weight"):
        config.changed(wieght=1.0)
    with pytest.raises(ValueError, match="weight must be above 0"):
        config.changed(weight=0)


def test_every_committed_record_of_a_run_is_read():
    """Whatever became of keys and code since: the configuration alone decides. Page 33 rounds what it trains."""
    kept = [json.loads(path.read_text()) for path in sorted(records.committed_folder().glob("*-seed*.json"))]
    of_the_store = lambda config: {"steps", "accumulation"} <= set(config) and "rounding" not in config
    runs = [record for record in kept if of_the_store(record["config"])]
    assert len(runs) > 100
    for record in runs:
        config = read(record["config"])
        assert config.as_dict() == record["config"]
        assert config.name == record["experiment"]
    assert {type(read(record["config"])) for record in runs} == {MidTraining, PreTraining}


@pytest.mark.parametrize(
    ("config", "why"),
    [
        (mid().as_dict() | {"lambda": 1.0}, "No run knows 'lambda'"),
        (scratch().as_dict() | {"noise_alpha": 1.0}, "No run knows 'noise_alpha'"),
        (mid().as_dict() | {"loss": "dispersal"}, "Unknown loss 'dispersal'"),
        ({"model": "gpt2", "steps": 3}, "It has no 'corpus'"),
        ({"shape": {}, "steps": 3, "corpus": "imdb"}, "It has no 'experiment'"),
    ],
)
def test_what_no_run_can_be_is_an_error_that_names_its_file(config, why):
    with pytest.raises(ValueError, match=r"^old\.json is of no run that this version knows: ") as raised:
        read(config, "old.json")
    assert why in str(raised.value)


def test_a_run_that_is_measured_on_no_other_corpus_is_written_as_before_there_was_such_a_choice():
    assert "elsewhere" not in mid().as_dict()
    asked = mid(elsewhere=["bible"])
    assert asked.as_dict()["elsewhere"] == ["bible"]
    assert read(asked.as_dict()) == asked
