"""The cost of each loss: one case a loss, and the products that it cannot do without."""

import collapse
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from decondense.base import timing
from decondense.bench import family, page

pytestmark = pytest.mark.usefixtures("frozen")


@pytest.fixture(autouse=True)
def _one_thread_as_before(monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)


def test_every_loss_against_collapse_is_timed():
    assert set(family.OF) == {"dispersion", *collapse.NAMES}
    assert set(family.MULTIPLY) == set(family.OF.values()) - {""}


@pytest.mark.parametrize(
    ("kind", "multiplications"),
    [
        (family.NEAREST, 40**2 * 8), (family.GRAM, 2 * 40 * 8**2),
        (family.SPECTRUM, 2 * 40 * 8**2 + 8**3), (family.LINES, 2 * 40 * 8 * 256),
        (family.VIEWS, 4 * 40**2 * 8), (family.CROSS, 3 * 40 * 8**2),
    ],
)  # fmt: skip
def test_products_multiply_as_often_as_their_name_says(kind, multiplications):
    with FlopCounterMode(display=False) as counter:
        family.MULTIPLY[kind](torch.ones(1, 40, 8))
    assert counter.get_total_flops() == 2 * multiplications


def test_record_and_its_table():
    record = family.by_loss(32, 16, rounds=2).content
    table = timing.seconds(record["results"]["rows"])
    assert set(table) == set(family.OF) | {name + family.BARE for name, kind in family.OF.items() if kind}
    assert table.gt(0).all().all()
    lines = page.PARTS["family"]([record]).splitlines()
    assert [line.split(" | ")[0].strip("| ") for line in lines[2:]] == list(family.OF)
    assert page.PARTS["family"]([]) == page.NO_RECORD
