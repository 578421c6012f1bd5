"""The cosine of each token to the mean direction of its text, against what Hugging Face's hidden states give."""

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from toys import LAYERS, VOCABULARY, tiny

from decondense import measure, per_token
from decondense.per_token import TokenCosines, pooled, token_cosines


def by_hand(model, ids, entry):
    with torch.no_grad():
        z = model(torch.tensor([ids]), output_hidden_states=True).hidden_states[entry][0].double()
    unit = z / z.norm(dim=1, keepdim=True)
    return (unit @ unit.mean(0) / unit.mean(0).norm()).numpy()


@pytest.mark.parametrize("name", ["gpt2", "qwen3", "bert"])
def test_cosines_are_those_of_the_hidden_states(name, tiny_tokenizer, texts):
    model = tiny(name)
    found = token_cosines(model, tiny_tokenizer, texts, max_length=20)
    result = measure(model, tiny_tokenizer, texts, max_length=20, progress=False)
    for number, (text, words) in enumerate(zip(found, texts, strict=True)):
        assert text.tokens == words.split()[:20]
        assert text.entries == (0, LAYERS // 2, LAYERS)
        for entry, cosines in zip(text.entries, text.cosines, strict=True):
            np.testing.assert_allclose(cosines, by_hand(model, text.ids.tolist(), entry), atol=1e-5)
            assert cosines.mean() ** 2 == pytest.approx(result.mu_per_text[number, entry], abs=1e-5)


def test_entries_are_chosen_also_from_the_end(tiny_gpt2):
    ids = list(range(10))
    (found,) = token_cosines(tiny_gpt2, None, [ids], entries=(-1, 1), max_length=10)
    assert found.entries == (LAYERS, 1)
    assert found.tokens == [str(i) for i in ids]
    assert not found.special.any()
    np.testing.assert_allclose(found.cosines[1], by_hand(tiny_gpt2, ids, 1), atol=1e-5)
    with pytest.raises(ValueError, match=f"entries 0 to {LAYERS}, not {LAYERS + 1}"):
        token_cosines(tiny_gpt2, None, [ids], entries=(0, LAYERS + 1), max_length=10)


def test_special_tokens_are_marked(tiny_gpt2):
    words = {"<s>": 0, "[UNK]": 1} | {f"w{i}": i + 2 for i in range(VOCABULARY - 2)}
    backend = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    backend.post_processor = processors.TemplateProcessing("<s> $A", special_tokens=[("<s>", 0)])
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", unk_token="[UNK]")
    (found,) = token_cosines(tiny_gpt2, tokenizer, ["w1 w2 w3"], max_length=4)
    assert found.tokens == ["<s>", "w1", "w2", "w3"]
    assert found.special.tolist() == [True, False, False, False]


def test_the_model_is_left_as_it_was(tiny_tokenizer, texts):
    model = tiny("gpt2").train()
    first, second = (token_cosines(model, tiny_tokenizer, texts, max_length=20) for _ in range(2))
    assert model.training
    np.testing.assert_array_equal(first[0].cosines, second[0].cosines)  # without dropout


@pytest.mark.parametrize(
    ("texts", "said"), [([], "No text given"), (["w1"], r"has 1 token\(s\)"), (["  "], "is empty")]
)
def test_bad_texts_are_refused_as_by_measure(texts, said, tiny_gpt2, tiny_tokenizer):
    with pytest.raises(ValueError, match=said):
        token_cosines(tiny_gpt2, tiny_tokenizer, texts)


def test_pooled_over_the_texts():
    text = lambda tokens, last, special=False: TokenCosines(
        tokens, np.arange(len(tokens)), np.array([special] * len(tokens)), (0, 3), np.stack([np.zeros(len(last)), last])
    )
    found = pooled([text(["a", "b", "a"], np.array([0.5, 0.25, 1.0])), text(["<s>", "b"], np.array([-1.0, 0.5]), True)])
    assert found == [
        per_token.Pooled("<s>", 1, -1.0, True),
        per_token.Pooled("b", 2, 0.375, True),
        per_token.Pooled("a", 2, 0.75, False),
    ]
