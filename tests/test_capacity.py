"""Bits that a model holds of random tokens: closed cases, models that know all or nothing, and what is refused."""

import math
from types import SimpleNamespace

import psutil
import pytest
import torch
from torch import nn

from decondense import capacity

V = 8


class Fixed(nn.Module):
    """A model whose logits are those of a table, whatever it reads: for each position, or for each row and position."""

    def __init__(self, logits):
        super().__init__()
        self.logits, self.weight = logits, nn.Parameter(torch.zeros(1))

    def forward(self, input_ids):
        return SimpleNamespace(logits=self.logits.expand(*input_ids.shape, -1))


class Prefixes(nn.Module):
    """The best model of some rows: after each prefix the frequencies of what follows it there."""

    def __init__(self, rows):
        super().__init__()
        self.rows, self.weight = rows, nn.Parameter(torch.zeros(1))

    def forward(self, input_ids):
        logits = torch.full((*input_ids.shape, V + 1), -torch.inf)
        for row, position in torch.cartesian_prod(*map(torch.arange, input_ids.shape)).tolist():
            same = (self.rows[:, : position + 1] == input_ids[row, : position + 1]).all(1)
            counts = self.rows[same, position + 1].bincount(minlength=V + 1)
            logits[row, position] = counts.log()
        return SimpleNamespace(logits=logits)


def uniform():
    return Fixed(torch.tensor([0.0] * V + [-torch.inf]))


def test_rows_begin_with_the_start_token_and_are_uniform_and_repeatable():
    rows = capacity.random_rows(500, 40, V, seed=3)
    assert rows.shape == (500, 41)
    assert (rows[:, 0] == V).all()
    counts = rows[:, 1:].flatten().bincount()
    assert len(counts) == V
    assert ((counts / 20_000 - 1 / V).abs() < 0.01).all()
    assert (rows == capacity.random_rows(500, 40, V, seed=3)).all()
    assert (rows != capacity.random_rows(500, 40, V, seed=4)).any()


def test_a_model_that_guesses_holds_nothing():
    rows = capacity.random_rows(50, 12, V, seed=0)
    found = capacity.surprisal(uniform(), rows)
    torch.testing.assert_close(found, torch.full((50, 12), 3.0))
    assert capacity.memorised(found, V) == pytest.approx(0, abs=1e-3)


def test_the_best_model_holds_what_can_be_held():
    rows = capacity.random_rows(16, 6, V, seed=0)
    rows[5] = rows[9]
    found = capacity.memorised(capacity.surprisal(Prefixes(rows), rows), V)
    by_hand = 16 * 6 * 3 - (14 * math.log2(16) + 2 * math.log2(8))
    assert capacity.memorisable(rows, V) == pytest.approx(by_hand)
    assert found == pytest.approx(by_hand, abs=1e-3)


def test_one_row_can_be_held_whole():
    rows = capacity.random_rows(1, 20, V, seed=0)
    assert capacity.memorisable(rows, V) == 60


def test_surprisal_is_that_of_the_token_that_comes_and_in_parts_as_at_once(monkeypatch):
    rows = capacity.random_rows(7, 5, V, seed=1)
    logits = torch.randn(V + 1, generator=torch.Generator().manual_seed(0))
    whole = capacity.surprisal(Fixed(logits), rows)
    torch.testing.assert_close(whole, -logits.log_softmax(-1)[rows[:, 1:]] / math.log(2))
    monkeypatch.setattr(capacity, "AT_ONCE", 12)
    torch.testing.assert_close(capacity.surprisal(Fixed(logits), rows), whole)


def test_a_model_worse_than_a_guess_holds_less_than_nothing():
    rows = capacity.random_rows(20, 5, V, seed=1)
    assert capacity.memorised(capacity.surprisal(uniform(), rows) + 1, V) == pytest.approx(-100, abs=1e-3)


@pytest.mark.parametrize(("rows", "length", "vocabulary"), [(0, 5, 8), (5, 0, 8), (5, 5, 1)])
def test_no_data_is_refused(rows, length, vocabulary):
    with pytest.raises(ValueError, match="Random tokens need a row"):
        capacity.random_rows(rows, length, vocabulary, 0)


def test_more_rows_than_memory_are_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=2**20))
    with pytest.raises(MemoryError, match=r"10000 rows of 17 token ids take .* ask for fewer rows") as error:
        capacity.random_rows(10_000, 16, V, 0)
    assert "\n" not in str(error.value)
