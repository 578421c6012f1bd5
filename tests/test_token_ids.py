"""Token ids of texts: strings, chats and lists of ids, cut and looked at before a model sees them."""

import copy

import numpy as np
import pytest
import torch
from toys import POSITIONS, VOCABULARY, tiny, unchecked

from decondense import measurement, token_ids

LENGTH = 32


def measure(model, tokenizer, texts, **how):
    return measurement.measure(model, tokenizer, texts, **{"max_length": LENGTH, "progress": False} | how)


@pytest.mark.parametrize(
    ("texts", "how", "message"),
    [
        ([], {}, r"No text given\..*sample_texts"),
        ("one string", {}, r"texts is one string; give a list of strings: \[text\]"),
        (["w1 w2", " \n"], {}, "Text 1 is empty"),
        (["w1"], {}, r"Text 0 has 1 token\(s\).*at least 2"),
        (
            ["w1 " * 100],
            {"max_length": POSITIONS + 1},
            "A text has 65 tokens, the model 64 positions. Give max_length=64",
        ),
        (["w1 w2"], {"histogram": None, "max_length": 1}, "max_length must be at least 2"),
        (["w1 w2"], {"bins": 0}, "bins at least 1"),
        (["w1 w2"], {"eps": 0.0}, "eps above 0"),
    ],
)
def test_bad_texts_are_refused(tiny_gpt2, tiny_tokenizer, texts, how, message):
    with pytest.raises(ValueError, match=message):
        measure(tiny_gpt2, tiny_tokenizer, texts, **how)


def test_a_tokenizer_larger_than_the_model_is_refused(tiny_tokenizer, texts):
    with pytest.raises(ValueError, match=r"tokenizer has 64 entries, the model embeds 40.*same name"):
        measure(tiny("gpt2", vocab_size=40), tiny_tokenizer, texts)


@pytest.mark.parametrize("wrong", [VOCABULARY, -1])
def test_ids_out_of_range_are_refused_by_name(tiny_gpt2, wrong):
    with pytest.raises(ValueError, match=rf"Text 1 has token id {wrong}, the model embeds ids 0 to 63"):
        measure(tiny_gpt2, None, [[1, 2, 3], [4, wrong, 5]], max_length=3)


@pytest.mark.parametrize(
    "wrong", [[1.5, 2.5, 3.5], [[1, 2, 3], [4, 5, 6]], [True, False, True], torch.ones(1, 3).long()]
)
def test_ids_that_are_no_list_of_whole_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match=r"Text 1 is a torch\..* of shape .*; give a sequence of token ids per text"):
        token_ids._ids_of_one(None, wrong, 1, max_length=3, rows=64)


TEMPLATE = "{% for m in messages %}w1 {{ m['role'] }} {{ m['content'] }} {% endfor %}"
CHAT = [{"role": "w2", "content": "w3 w4"}, {"role": "w5", "content": "w6 w7 w8"}]


@pytest.fixture
def chat_tokenizer(tiny_tokenizer):
    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.chat_template = TEMPLATE
    return tokenizer


def test_a_chat_goes_through_the_template(tiny_gpt2, chat_tokenizer):
    ids = [[2, 3, 4, 5, 2, 6, 7, 8, 9]]  # w1 role content, message by message
    found = measure(tiny_gpt2, chat_tokenizer, [CHAT], max_length=9)
    np.testing.assert_array_equal(found.mu_per_text, measure(tiny_gpt2, None, ids, max_length=9).mu_per_text)
    assert measure(tiny_gpt2, chat_tokenizer, [CHAT, "w1 w2 w3 w4"], max_length=4).tokens.tolist() == [4, 4]


def text_parts(*texts):
    return [{"type": "text", "text": text} for text in texts]


def test_parts_of_text_are_measured_as_one_text(chat_tokenizer):
    parts = [CHAT[0] | {"content": text_parts("w3 w4")}, CHAT[1] | {"content": text_parts("w6 ", "w7 w8")}]
    expected = [2, 3, 4, 5, 2, 6, 7, 8, 9]
    for chat in (CHAT, parts):
        assert token_ids._ids_of_one(chat_tokenizer, chat, 0, 20, rows=64).tolist() == expected


@pytest.mark.parametrize(
    ("part", "kind"),
    [({"type": "image_url", "image_url": {}}, "image_url"), ({"type": "text"}, "text"), ("w1", "str")],
)
def test_parts_of_another_kind_are_refused(chat_tokenizer, part, kind):
    chat = [{"role": "w2", "content": [*text_parts("w3"), part]}]
    said = f"^Text 4 has a message with a part '{kind}': only text is measured. Leave it out.$"
    with pytest.raises(ValueError, match=said):
        token_ids._ids_of_one(chat_tokenizer, chat, 4, 20, rows=64)


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "Text 0 is a chat, and the tokenizer has no chat template. Take the tokenizer of an instruct model"),
        ("{{ raise_exception('roles must alternate') }}", "chat template refuses text 0: roles must alternate. Mend"),
    ],
)
def test_a_chat_that_cannot_be_a_text(tiny_gpt2, chat_tokenizer, template, message):
    chat_tokenizer.chat_template = template
    with pytest.raises(ValueError, match=message):
        measure(tiny_gpt2, chat_tokenizer, [CHAT])
    with pytest.raises(ValueError, match="texts must be sequences of token ids, not chats"):
        measure(tiny_gpt2, None, [CHAT])


@pytest.mark.parametrize(
    "form", [lambda ids: [ids], lambda ids: torch.tensor([ids]), lambda ids: np.array([ids]), list]
)
def test_a_tokenizer_may_give_a_batch_of_one(form):
    tokenizer = lambda text, **how: {"input_ids": form([1, 2, 3, 4])}
    assert token_ids._ids_of_one(tokenizer, "a b c d", 0, 3, rows=64).tolist() == [1, 2, 3]


def test_a_tokenizer_that_gives_two_rows_is_refused():
    tokenizer = lambda text, **how: {"input_ids": [[1, 2], [3, 4]]}
    with pytest.raises(ValueError, match=r"Text 0 is a torch.int64 of shape \(2, 2\)"):
        token_ids._ids_of_one(tokenizer, "a b c d", 0, 3, rows=64)


def test_text_without_a_tokenizer_is_refused(tiny_gpt2):
    with pytest.raises(ValueError, match="tokenizer is None, so texts must be sequences of token ids"):
        measure(tiny_gpt2, None, ["w1 w2"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": torch.nn.Linear(2, 2)}, "model is a Linear; give a Hugging Face model"),
        ({"tokenizer": "gpt2"}, "tokenizer is 'gpt2'; give the tokenizer itself"),
        ({"texts": [None]}, "Text 0 is None; give a string"),
    ],
)
def test_things_of_another_kind_are_refused(tiny_gpt2, tiny_tokenizer, change, message):
    given = {"model": tiny_gpt2, "tokenizer": tiny_tokenizer, "texts": ["w1 w2"]} | change
    with pytest.raises(ValueError, match=message):
        unchecked(measurement.measure)(**given, progress=False)


# --- packed rows -----------------------------------------------------------------------------------------------------

SHORT, LONG = list(range(20)), list(range(7, 30))


@pytest.mark.filterwarnings("ignore:.*shorter than max_length")
def test_a_packed_row_is_measured_document_by_document():
    model = tiny("gpt2")
    row, numbers = SHORT + LONG, [4] * len(SHORT) + [9] * len(LONG)
    packed = measure(model, None, [row], document_ids=[numbers], progress=False)
    assert (packed.mu_per_text == measure(model, None, [SHORT, LONG], progress=False).mu_per_text).all()
    assert packed.tokens.tolist() == [20, 23]


def test_a_document_goes_on_behind_another_as_for_the_losses():
    found = token_ids.documents([[5, 6, 7, 8, 9]], [[1, 2, 1, 2, 2]])
    assert found == [[5, 7], [6, 8, 9]]


def test_document_numbers_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="Row 0 has not one document number for each token id"):
        measure(tiny("gpt2"), None, [SHORT], document_ids=[[0] * 5], progress=False)
