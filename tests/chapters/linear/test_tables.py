"""Tables of the expansion: by hand, and against the rows that they are made of."""

import pandas as pd
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from decondense.chapters.linear import errors, tables
from decondense.losses import pairs
from decondense.stats import mean_and_interval


def test_by_temperature_has_at_1_what_errors_has():
    z = torch.randn(30, 6, generator=torch.Generator().manual_seed(0)) + 0.5
    table, row = tables.by_temperature(z, [0.2, 1.0]), errors.errors(z)
    assert list(table.index) == [0.2, 1.0]
    for name in table:
        assert table.loc[1.0, name] == pytest.approx(row[name])
    for name in errors.ORDERS:
        assert table.loc[0.2, f"gradient, {name}"] < table.loc[1.0, f"gradient, {name}"]


@pytest.mark.parametrize(
    ("spread", "held", "expected"),
    [
        ([0.3, 0.1, 0.2, 0.4], [False, True, True, True], 0.2),  # the first that does not hold ends it
        ([0.2, 0.1], [True, False], 0),
        ([0.2, 0.1], [True, True], 0.2),
    ],
)
def test_widest_stops_at_the_first_row_that_does_not_hold(spread, held, expected):
    rows = pd.DataFrame({"spread": spread})
    for name in errors.ORDERS:
        rows[f"error, {name}"] = [-0.5 if good else -1.5 for good in held]
        rows[f"gradient, {name}"] = 0.995
    found = tables.widest(rows, tables.Targets(1.0, 0.99, 20))
    assert found.loc["value"].tolist() == [expected] * 2
    assert found.loc["gradient"].tolist() == [max(spread)] * 2


def test_arrangements_are_as_they_are_called():
    found = tables.arrangements()
    assert all(z.shape == (400, 64) for z in found.values())
    rows = pd.DataFrame({name: errors.errors(z) for name, z in found.items()})
    assert rows.loc["mean", "narrow cone"] > 0.9 > rows.loc["mean", "wide cone"] > 0.3
    assert rows.loc["mean", ["all around", "two opposite clusters"]].abs().max() < 0.01
    assert rows.loc["spread", "two opposite clusters"] > 0.9  # order 1 sees no mean direction; order 2 has the value
    assert abs(rows.loc["error, order 1", "two opposite clusters"]) > 10
    assert abs(rows.loc["error, order 2", "two opposite clusters"]) < 1


class Products(TorchDispatchMode):
    """Counts the multiplications of matrix products that torch is asked for."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket.__name__ in ("mm", "bmm", "addmm", "baddbmm_"):
            self.count += out.numel() * args[-2].shape[-1]
        return out


@pytest.mark.parametrize(("n", "d"), [(1024, 16), (1024, 64), (256, 300)])
def test_multiplications_of_the_formula_are_those_that_the_code_asks_for(n, d):
    z, expected = torch.randn(1, n, d, generator=torch.Generator().manual_seed(0)), tables.multiplications(n, d)
    block = min(n, pairs.usual_block())
    of_products = {  # the formula less what is done feature by feature
        "all pairs": expected["all pairs"] + n * d * block / 2,
        "order 1": expected["order 1"] - 5 * n * d,
        "order 2": expected["order 2"] - 7 * n * d,
    }
    for name, count in of_products.items():
        with Products() as seen:
            errors.losses.dispersion(z.clone().requires_grad_(), **errors.VARIANTS[name]).backward()
        assert seen.count == count


def test_work_is_a_quarter_of_the_tokens_at_order_1():
    found = tables.work([(1024, 768), (4096, 768)])
    assert found["order 1"].tolist() == [256, 1024]
    assert found.loc["N = 4096, d = 768", "order 2"] == pytest.approx(1.5 * 4096 / (8 + 2 * 768))


def test_speed_takes_the_ratio_round_by_round():
    table = pd.DataFrame({"all pairs": [2.0, 4.0, 9.0], "order 1": [1.0, 1.0, 3.0]})
    found = tables.speed({(1024, 64): table})
    assert found.loc["N = 1024, d = 64"].to_dict() == {"seconds, all pairs": 4.0, "ratio, order 1": 3.0}


def test_changes_are_taken_seed_by_seed_after_the_last_step():
    levels = {"variant": ["no loss", "all pairs", "order 1"], "seed": [0, 1], "step": [0, 5], "entry": [1, 2]}
    index = pd.MultiIndex.from_product(levels.values(), names=levels)
    table = pd.DataFrame({"mu": 0.5, "validation_loss": 2.0}, index=index).sort_index()
    table.loc[("order 1", 0, 5, 1), "mu"] = 0.7  # one of two entries
    table.loc[("order 1", 1, 5, slice(None)), "validation_loss"] = 2.1
    table.loc[("order 1", 0, 0, slice(None)), "mu"] = 9.0  # before training
    found = tables.changes(table)
    assert list(found) == ["no loss", "order 1"]
    assert found["order 1"].mu.interval == pytest.approx(mean_and_interval([0.1, 0.0]).interval)
    assert found["order 1"].validation_loss.value == pytest.approx(2.5)
    assert found["no loss"].mu.value == 0


def test_together_leaves_out_where_rows_are_from():
    table = pd.DataFrame({"spread": [1.0]}, index=pd.Index([7], name="entry"))
    assert tables.together(table, table).index.tolist() == [0, 1]
