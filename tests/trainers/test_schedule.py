"""The rate over the steps, and the order of the rows."""

from itertools import islice

import pytest
import torch

from decondense.trainers.schedule import order, rate


@pytest.mark.parametrize(("step", "share"), [(0, 0.1), (5, 0.6), (9, 0.91), (50, 0.5), (99, 0.01)])
def test_the_rate_rises_and_falls_linearly(step, share):
    assert rate(step, 100, 0.1) == pytest.approx(share)


def test_without_a_warm_up_the_first_rate_is_the_whole():
    assert rate(0, 4, 0.0) == rate(0, 4, 0.02) == 1


def test_every_row_comes_once_in_a_pass():
    batches = list(islice(order(7, 3, 0), 4))
    assert [len(part) for part in batches] == [3, 3, 3, 3]
    assert len(torch.cat(batches[:2]).unique()) == len(torch.cat(batches[2:]).unique()) == 6
    assert torch.cat(batches[:2]).tolist() != torch.cat(batches[2:]).tolist()


def test_fewer_rows_than_a_batch_are_a_batch():
    assert sorted(next(order(2, 5, 0)).tolist()) == [0, 1]


def test_the_seed_gives_the_order():
    first, again, other = (torch.cat(list(islice(order(40, 8, seed), 3))) for seed in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
