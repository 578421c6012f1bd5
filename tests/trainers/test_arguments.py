"""The loss and the weight that a trainer is asked for: what becomes of each form, and what is refused."""

import math

import pytest
import torch

from decondense import losses
from decondense.trainers import arguments

Z = torch.linspace(-1, 1, 2 * 16 * 4).sin().view(2, 16, 4)


@pytest.mark.parametrize(
    ("loss", "weight", "expected", "value"),
    [
        ("cosine", None, 0.1, lambda: losses.cosine(Z)),
        ("cosine", 2.0, 2.0, lambda: losses.cosine(Z)),
        ({"cosine": 0.5, "koleo": 0.1}, None, 1.0, lambda: 0.5 * losses.cosine(Z) + 0.1 * losses.koleo(Z)),
        (losses.get("uniformity", t=1.0), None, 0.1, lambda: losses.uniformity(Z, t=1.0)),
    ],
)
def test_each_form_is_a_function_and_a_weight(loss, weight, expected, value):
    made, found = arguments.checked(loss, weight, None)
    assert found == expected
    torch.testing.assert_close(made(Z), value())


def test_plain_training_has_no_loss():
    assert arguments.checked(None, None, 256)[0] is None


def test_options_that_the_trainer_names_reach_a_loss_by_name():
    made, _ = arguments.checked("dispersion", None, None, temperature=0.5, clamp=0.2, acute=True)
    assert made(Z) == losses.dispersion(Z, temperature=0.5, clamp=0.2, acute=True)


BAD = [
    (("cosine", 0.0), {}, r"^weight must be above 0, got 0\.0\. For plain training give loss=None\.$"),
    (("cosine", math.inf), {}, "^weight must be above 0, got inf"),
    (("cosine", "much"), {}, r"^weight and temperature are numbers, got 'much' and None\.$"),
    (("dispersion", None), {"temperature": -1.0}, r"^temperature must be above 0, got -1\.0\.$"),
    (("dispersion", None), {"centre": "mean"}, r"^centre is 'batch' or None\."),
    (({"cosine": 1.0}, None), {"clamp": 0.2}, r"^clamp: set it in the loss itself, losses\.get\(name, clamp=\.\.\.\)"),
    (("cosin", None), {}, r"^Unknown loss 'cosin'\. Did you mean 'cosine'"),
]


@pytest.mark.parametrize(("given", "how", "said"), BAD)
def test_what_cannot_be_meant_is_refused(given, how, said):
    with pytest.raises(ValueError, match=said):
        arguments.checked(*given, None, **how)
