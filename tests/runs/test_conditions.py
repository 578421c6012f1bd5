"""What a run may be asked: bad values are refused before a run begins, and equal numbers are written alike."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decondense.runs import conditions, midtraining, pretraining

GPT2 = {"architecture": "GPT2Config", "n_embd": 16, "n_layer": 2, "n_head": 2}
BAD = [
    ({"loss": "dispersal"}, "Unknown loss 'dispersal'. Did you mean 'dispersion'"),
    ({"loss": 3}, "Unknown loss 3"),
    ({"weight": 0}, "weight must be above 0, got 0. For plain training leave the loss out"),
    ({"weight": -0.1}, "weight must be above 0, got -0.1"),
    ({"weight": math.inf}, "weight must be above 0, got inf"),
    ({"weight": math.nan}, "weight must be above 0, got nan"),
    ({"weight": "0.1"}, "weight must be a number, got '0.1'"),
    ({"weight": True}, "weight must be a number, got True"),
    ({"learning_rate": "5e-5"}, "learning_rate must be a number, got '5e-5'. In YAML a number like 5e-5 needs a point"),
    ({"learning_rate": 0.0}, "learning_rate must be above 0"),
    ({"temperature": 0.0}, "temperature must be above 0"),
    ({"loss": "orthogonalization", "temperature": 1.0}, "Unknown option of"),
    ({"layers": "lates"}, "Unknown layers 'lates'. Did you mean 'last'"),
    ({"layers": []}, "layers must be one of all, last, early_half, late_half, or a list of entries"),
    ({"layers": [1, -1]}, "layers must be one of"),
    ({"layers": [1.5]}, "layers must be one of"),
    ({"subsample": 1}, "subsample must be above 1, got 1"),
    ({"steps": 2.5}, "steps must be a whole number, got 2.5"),
    ({"steps": -1}, "steps must be 0 or more, got -1"),
    ({"batch_size": "8"}, "batch_size must be a number, got '8'"),
    ({"stop_after": 0}, "stop_after must be above 0"),
    ({"tasks": {"pocket_close": 3}}, "Unknown benchmark 'pocket_close'"),
    ({"tasks": {"pocket_cloze": 0}}, "the limit of pocket_cloze must be above 0"),
    ({"tasks": ["piqa"]}, "tasks must be a table of names and limits such as {piqa: 100}, got ['piqa']"),
    ({"tasks": "piqa"}, "tasks must be a table"),
    ({"sources": "hub"}, "sources must be a list, got 'hub'"),
    ({"sources": 3}, "sources must be a list, got 3"),
    ({"sources": ["hubs"]}, "Unknown source 'hubs'. Did you mean 'hub'"),
]
OF_MIDTRAINING = [
    ({"noise_alpha": 0.0}, "noise_alpha must be above 0"),
    ({"forgetting": "yes"}, "forgetting must be true or false, got 'yes'"),
]
OF_PRETRAINING = [
    ({"precision": "float23"}, "Unknown precision 'float23'"),
    ({"schedule": "cosin"}, "Unknown schedule 'cosin'"),
    ({"warm_up": 1.0}, "warm_up is a share of the steps"),
    ({"processes": 0}, "processes must be above 0"),
    ({"distillation": {"teacher": "pocket-small", "share": 2}}, "share must lie between 0 and 1"),
    ({"distillation": {"teacher": "pocket-small", "share": "all"}}, "share must be a number"),
    ({"distillation": {"teacher": "pocket-small", "kind": "logit"}}, "Unknown kind of distillation 'logit'"),
    ({"distillation": "pocket-small"}, "distillation must be a table with a teacher, and maybe kind, share"),
    ({"distillation": {"share": 0.5}}, "distillation must be a table with a teacher"),
]


def mid(**changes):
    return midtraining.configuration(midtraining.setup("gpt2", "imdb", steps=9) | {"loss": "dispersion"} | changes, 0)


def scratch(**changes):
    shared = pretraining.setup("toy", GPT2, "imdb", steps=9)
    return pretraining.configuration(shared | {"loss": "dispersion"} | changes, 0)


@pytest.mark.parametrize(("change", "message"), BAD + OF_MIDTRAINING)
def test_midtraining_refuses_at_the_door(change, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        mid(**change)
    assert message in str(raised.value)


@pytest.mark.parametrize(("change", "message"), BAD + OF_PRETRAINING)
def test_pretraining_refuses_at_the_door(change, message):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        scratch(**change)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"layers": [0, 2]}, {"layers": "last"}, {"subsample": None}, {"temperature": 0.5}, {"weight": 1e-9}],
)
def test_what_a_run_can_do_is_allowed(change):
    for made in (mid, scratch):
        assert change.items() <= made(**change).items()


@pytest.mark.parametrize("name", ["weight", "temperature", "learning_rate"])
def test_one_is_written_alike(name):
    for made in (mid, scratch):
        assert json.dumps(made(**{name: 1})) == json.dumps(made(**{name: 1.0}))
    assert json.dumps(mid(steps=7)) == json.dumps(mid(steps=7.0))


def test_shares_of_a_distillation_are_written_alike():
    one, other = (scratch(distillation={"teacher": "pocket-small", "share": share}) for share in (1, 1.0))
    assert json.dumps(one) == json.dumps(other)


@given(
    weight=st.one_of(st.integers(1, 9), st.floats(1e-9, 1e9)),
    steps=st.integers(0, 10**6),
    layers=st.one_of(st.sampled_from(["all", "last"]), st.lists(st.integers(0, 50), min_size=1)),
)
def test_checking_twice_changes_nothing_and_no_value(weight, steps, layers):
    config = {"loss": "dispersion", "weight": weight, "steps": steps, "layers": layers, "sources": ["hub"], "other": []}
    once = conditions.checked(config)
    assert once == config
    assert json.dumps(conditions.checked(once)) == json.dumps(once)
    assert type(once["weight"]) is float
