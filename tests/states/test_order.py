"""Which axis is which: what is told, what is said, and what is refused."""

import pytest
import torch

from decondense.states import files, order
from decondense.states.order import Shape

VLLM = ("tokens", "layers", "features")
HF = ("layers", "tokens", "features")


def shapes(*sizes, tokens=None, layered=False, rows=None):
    tokens = tokens or [None] * len(sizes)
    return [
        Shape(f"text{i}", s, "float32", layered, t, rows) for i, (s, t) in enumerate(zip(sizes, tokens, strict=True))
    ]


@pytest.mark.parametrize(
    ("given", "axes", "told_by"),
    [
        (shapes((40, 5, 64), (33, 5, 64)), VLLM, "inferred from the sizes"),
        (shapes((5, 40, 64), (5, 33, 64)), HF, "inferred from the sizes"),
        (shapes((40, 5, 64), tokens=[40]), VLLM, "inferred from the ids"),
        (shapes((40, 5, 64), (40, 5, 64), tokens=[40, 40]), VLLM, "inferred from the ids"),
        (shapes((5, 5, 64), (40, 5, 64), tokens=[5, 40]), VLLM, "inferred from the ids"),
        (shapes((64, 5, 64), tokens=[64]), VLLM, "inferred from the ids"),
        (shapes((3, 5, 64), tokens=[3]), VLLM, "inferred from the ids"),
        (shapes((5, 1, 40, 64), (5, 1, 33, 64)), ("layers", "batch", "tokens", "features"), "inferred from the sizes"),
        (shapes((1, 40, 5, 64), (1, 33, 5, 64)), ("batch", "tokens", "layers", "features"), "inferred from the sizes"),
        (shapes((5, 40, 64), layered=True), HF, "the layers are arrays of their own"),
        (shapes((5, 1, 40, 64), layered=True), ("layers", "batch", "tokens", "features"), "the layers are arrays"),
    ],
)
def test_axes_are_told(given, axes, told_by):
    found, how = order.settled(given, None)
    assert found == axes
    assert how.startswith(told_by)


@pytest.mark.parametrize(
    "given",
    [
        shapes((40, 5, 64)),  # one text without ids
        shapes((40, 5, 64), (40, 5, 64)),  # texts of one length
        shapes((5, 5, 64), tokens=[5]),  # as many layers as tokens
        shapes((40, 64, 5), (33, 64, 5)),  # the features come before the layers
        shapes((64, 5, 40), (64, 5, 33)),  # the tokens come last
        shapes((40, 64, 64), tokens=[40]),  # as many layers as features
        shapes((64, 5, 40), tokens=[40]),
        shapes((64, 13, 768), (64, 25, 768)),  # two models on texts of one length
        shapes((5, 4, 40, 64), (5, 4, 33, 64)),  # a batch
        shapes((1, 1, 40, 64), (1, 1, 33, 64)),  # one layer, or one text?
    ],
)
def test_axes_that_cannot_be_told_are_refused(given):
    with pytest.raises(ValueError, match=r"which axis is which is not clear\. Say what the axes are: --order"):
        order.settled(given, None)


@pytest.mark.parametrize(
    ("given", "said", "why"),
    [
        (shapes((40, 5, 64), (33, 6, 64)), None, "may differ in the number of tokens alone"),
        (shapes((40, 5, 64), (33, 5, 32)), None, "text0 is 40 x 5 x 64, text1 33 x 5 x 32"),
        (shapes((40, 5, 64), (33, 6, 64)), VLLM, "text1 has 6 layers, text0 5"),
        (shapes((40, 5, 64), (33, 5, 32)), VLLM, "text1 has 32 features, text0 64"),
        (shapes((40, 5, 64), (33, 5, 64)), HF, "text1 has 33 layers, text0 40"),
        (shapes((40, 5, 64), tokens=[40]), HF, "has 5 tokens as layers,tokens,features, but 40 ids"),
        (shapes((5, 40, 64), tokens=[39], layered=True), None, "has 40 tokens .* but 39 ids"),
        (shapes((40, 5, 64)), ("layers", "batch", "tokens", "features"), "which are not layers,batch,tokens,features"),
        (shapes((40, 64)), None, "has 2 axes"),
        (shapes((40, 5, 64), (1, 40, 5, 64)), None, "text1 has 4 axes, text0 3"),
        (shapes((1, 5, 64)), VLLM, r"a text of 1 token\(s\)"),
        (shapes((0, 5, 64)), VLLM, r"a text of 0 token\(s\)"),
        (shapes((40, 0, 64)), VLLM, "there is nothing in it"),
        (shapes((5, 4, 40, 64), layered=True), None, "4 texts in a batch and no attention_mask"),
        (shapes((5, 2, 40, 64), layered=True, rows=[40, 1]), None, r"a text of 1 token\(s\)"),
        (shapes((5, 2, 40, 64), layered=True, rows=[40, 3, 9]), None, "a batch of 2 and a mask of 3 rows"),
    ],
)
def test_what_does_not_fit_is_refused(given, said, why):
    with pytest.raises(ValueError, match=why):
        order.settled(given, said)


def test_parse():
    assert order.parse(" Tokens, layers ,features") == VLLM
    for text in ("tokens,layers", "tokens,layers,layers", "tokens,layers,depth", "", "tokens,layers,features,features"):
        with pytest.raises(ValueError, match=f"--order {text}: name layers, tokens and features once each"):
            order.parse(text)


@pytest.mark.parametrize("axes", [VLLM, HF, ("batch", *VLLM), ("features", "tokens", "batch", "layers")])
def test_texts_come_as_entries_tokens_features(axes):
    z = torch.arange(2 * 3 * 4).reshape(2, 3, 4).float()  # entries, tokens, features
    whole = z[None] if "batch" in axes else z
    own = ("batch", *HF) if "batch" in axes else HF
    saved = whole.permute([own.index(axis) for axis in axes])
    held = files.Held("x", [files.Array(tuple(saved.shape), "float32", lambda: saved)], False, None, None)
    (found,) = order.texts(held, axes)
    torch.testing.assert_close(found, z)
