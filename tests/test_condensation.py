"""`Condensation`: trends, intervals, table, and the file it is saved in."""

import json
from dataclasses import fields, replace
from types import SimpleNamespace

import numpy as np
import pytest
from made_controls import gathered
from matplotlib.figure import Figure
from scipy import stats

from decondense.condensation import Condensation, from_arrays, to_arrays
from decondense.records import committed_folder


def with_mu(condensation, mu):
    tokens = np.full(len(mu), 32)
    return replace(condensation, mu_per_text=mu, mu_off_diagonal_per_text=mu - 0.05, tokens=tokens)


@pytest.fixture
def noisy(condensation):
    """A trend with so much noise that its intervals are wide."""
    return with_mu(condensation, np.random.default_rng(3).uniform(0, 1, (8, 5)) + 0.1 * np.arange(5))


def test_means_and_trends_are_those_of_the_texts(noisy):
    mu = noisy.mu_per_text.mean(0)
    np.testing.assert_array_equal(noisy.mu, mu)
    np.testing.assert_array_equal(noisy.mu_off_diagonal, noisy.mu_off_diagonal_per_text.mean(0))
    assert noisy.layer_fraction.tolist() == [0, 0.25, 0.5, 0.75, 1]
    assert noisy.rho == pytest.approx(stats.spearmanr(mu, range(5)).statistic)
    assert noisy.tau == pytest.approx(stats.kendalltau(mu, range(5)).statistic)


def test_intervals_contain_the_value_and_are_ordered(noisy):
    mean, span = noisy.mean_of_last(2)
    for value, interval in ((noisy.rho, noisy.rho_interval), (noisy.tau, noisy.tau_interval), (mean, span)):
        assert interval.low <= value <= interval.high
        assert interval.low < interval.high


def test_interval_of_a_mean_is_about_the_normal_one(noisy):
    rng = np.random.default_rng(0)
    many = with_mu(noisy, rng.normal(0.5, 0.1, (400, 5)))
    mean, interval = many.mean_of_last(1)
    reach = 1.96 * 0.1 / np.sqrt(400)
    assert interval.high - mean == pytest.approx(reach, rel=0.2)
    assert mean - interval.low == pytest.approx(reach, rel=0.2)


def test_intervals_are_seeded(noisy):
    same = replace(noisy)
    other = replace(noisy, settings=noisy.settings | {"seed": 1})
    assert noisy.mean_of_last(3) == same.mean_of_last(3)
    assert noisy.mean_of_last(3)[1] != other.mean_of_last(3)[1]


def test_intervals_of_one_text_are_nan(noisy):
    one = with_mu(noisy, noisy.mu_per_text[:1])
    assert np.isnan([*one.rho_interval, *one.tau_interval, *one.mean_of_last(2)[1]]).all()
    assert np.isfinite([one.rho, one.tau, one.mean_of_last(2)[0]]).all()


def test_mean_of_last_takes_the_last_entries(noisy):
    assert noisy.mean_of_last(2)[0] == pytest.approx(noisy.mu[3:].mean())
    assert noisy.mean_of_last(5)[0] == pytest.approx(noisy.mu.mean())


def test_table_has_a_row_an_entry(noisy):
    frame = noisy.to_frame()
    assert frame.columns.tolist() == [
        "layer", "layer_fraction", "mu", "mu_off_diagonal", "std_over_texts", "zero_vectors", "nonfinite_vectors",
    ]  # fmt: skip
    assert frame.layer.tolist() == [0, 1, 2, 3, 4]
    assert frame.nonfinite_vectors.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(frame.std_over_texts, noisy.mu_per_text.std(0, ddof=1))
    np.testing.assert_array_equal(frame.mu, noisy.mu)


def test_table_of_one_text_has_no_spread(noisy):
    assert with_mu(noisy, noisy.mu_per_text[:1]).to_frame().std_over_texts.isna().all()


def test_plot_is_a_figure(noisy):
    assert isinstance(noisy.plot(), Figure)


# --- file -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_histogram", [True, False])
def test_what_is_saved_is_loaded(condensation, tmp_path, with_histogram):
    saved = condensation if with_histogram else replace(condensation, histogram=None)
    loaded = Condensation.load(saved.save(str(tmp_path / "new" / "a.npz")))
    for field in fields(Condensation):
        np.testing.assert_equal(getattr(loaded, field.name), getattr(saved, field.name))
    assert loaded.rho_interval == saved.rho_interval


@pytest.fixture
def with_controls(condensation):
    rng = np.random.default_rng(0)
    return replace(condensation, controls=gathered([rng.normal(size=(6, 8, 5)) for _ in range(6)]))


def assert_same_controls(found, given):
    assert (found.names, found.views, found.seed) == (given.names, given.views, given.seed)
    for name, array in given.arrays().items():
        np.testing.assert_array_equal(found.arrays()[name], array)


def test_controls_are_saved_and_loaded_with_the_seed_of_the_result(with_controls, tmp_path):
    loaded = Condensation.load(with_controls.save(tmp_path / "a.npz"))
    assert_same_controls(loaded.controls, with_controls.controls)
    np.testing.assert_array_equal(loaded.mu_per_text, with_controls.mu_per_text)


def test_controls_of_several_results_are_kept(with_controls, condensation):
    first = with_controls
    second = replace(first, controls=replace(first.controls, per_text=first.controls.per_text / 2))
    for found, given in zip(from_arrays(to_arrays([first, second])), (first, second), strict=True):
        assert_same_controls(found.controls, given.controls)
    assert [found.controls for found in from_arrays(to_arrays([first, condensation]))] == [None, None]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("pairs", lambda array: array[:, :, 1:], "pairs of its controls is float64 of shape"),
        ("per_text", lambda array: array + 2, "a mean cosine of its controls"),
        ("names", lambda array: array[1:], "the names of its controls are not those of this release"),
        ("views", lambda array: None, "it has no views of its controls"),
    ],
)
def test_crafted_controls_are_refused_with_the_reason(with_controls, tmp_path, name, change, said):
    path = tmp_path / "a.npz"
    crafted(with_controls, path, **{f"controls_{name}": change(with_controls.controls.arrays()[name])})
    with pytest.raises(ValueError, match=said):
        Condensation.load(path)


def test_same_result_gives_the_same_bytes(condensation):
    assert condensation.to_bytes() == replace(condensation).to_bytes()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        Condensation.load(tmp_path / "none.npz")


def cut(data):
    return data[: len(data) // 2]


def flip(data):
    middle = len(data) // 3
    return data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [cut, flip, lambda _: b"", lambda _: b"not an archive"])
def test_damaged_file_is_refused(condensation, tmp_path, damage):
    path = condensation.save(tmp_path / "a.npz")
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ValueError, match=r"a\.npz is not a saved Condensation, or it is damaged .*Measure again"):
        Condensation.load(path)


def test_arrays_of_somebody_else_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(ValueError, match="not a saved Condensation"):
        Condensation.load(tmp_path / "other.npz")


def crafted(condensation, path, header=None, **arrays):
    """A file like that of a result, with other arrays or another header; `None` leaves an array out."""
    with np.load(condensation.save(path)) as file:
        found = dict(file)
    content = json.loads(str(found.pop("header")))
    content = {**content, **(header or {})} if header is None or isinstance(header, dict) else header
    found = {name: array for name, array in (found | arrays).items() if array is not None}
    np.savez_compressed(path, header=json.dumps(content), **found)
    return path


SETTINGS = {"max_length": 32, "eps": 1e-3, "seed": 0}
TEXTS, ENTRIES = 6, 5


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"mu_per_text": np.ones(5)}, r"mu_per_text has the shape \(5,\), not \(texts, entries\)"),
        ({"mu_per_text": np.ones((0, 5))}, "mu_per_text has the shape"),
        ({"mu_per_text": np.ones((6, 1))}, "mu_per_text has the shape"),
        ({"mu_per_text": np.array([["a"] * 5] * 6)}, "mu_per_text is <U1"),
        ({"mu_per_text": np.ones((6, 5), complex)}, "mu_per_text is complex128"),
        ({"mu_per_text": np.full((6, 5), 7.0)}, "a mean cosine is not within"),
        ({"mu_per_text": np.full((6, 5), np.inf)}, "a mean cosine is not within"),
        ({"mu_per_text": np.ones((7, 5))}, r"mu_off_diagonal_per_text is float64 of shape \(6, 5\)"),
        ({"mu_off_diagonal_per_text": None}, "it has no mu_off_diagonal_per_text"),
        ({"histogram": np.ones((4, 16))}, "histogram is float64 of shape"),
        ({"histogram": np.ones(5)}, "histogram is float64 of shape"),
        ({"histogram": np.ones((5, 0))}, "histogram is float64 of shape"),
        ({"tokens": np.ones(6)}, "tokens is float64"),
        ({"tokens": np.ones(5, int)}, "tokens is int64 of shape"),
        ({"zero_vectors": np.ones(6, int)}, "zero_vectors is int64 of shape"),
        ({"nonfinite_vectors": None}, "it has no nonfinite_vectors"),
        ({"header": {"name": 3}}, "it has no name and settings"),
        ({"header": {"settings": []}}, "it has no name and settings"),
        ({"header": {"settings": {}}}, "it has no setting seed"),
        ({"header": {"settings": SETTINGS | {"seed": "0"}}}, "its setting seed is '0'"),
        ({"header": {"settings": SETTINGS | {"seed": -1}}}, "its setting seed is -1"),
        ({"header": {"settings": SETTINGS | {"max_length": True}}}, "its setting max_length is True"),
        ({"header": {"settings": SETTINGS | {"model": "x"}}}, "its setting model is 'x'"),
        ({"header": {"settings": SETTINGS | {"model": {"dtype": ["x"]}}}}, "the dtype of its model is ..x"),
        ({"header": {"settings": {"eps": 1e-3, "seed": 0}}}, "it has no setting max_length"),
        ({"header": {"settings": SETTINGS | {"texts_sha256": 3}}}, "its setting texts_sha256 is 3"),
        ({"header": {"extra": 3}}, "it has no name and settings"),
        ({"header": []}, "it has no name and settings"),
    ],
)
def test_a_crafted_file_is_refused_with_the_reason(condensation, tmp_path, changes, said):
    path = crafted(condensation, tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=rf"a\.npz is not a saved Condensation, or .* \({said}.*Measure again"):
        Condensation.load(path)


def test_more_texts_than_a_bootstrap_can_take_are_refused(condensation, tmp_path, monkeypatch):
    path = condensation.save(tmp_path / "a.npz")
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=32 * 2000 * TEXTS // 2))
    assert Condensation.load(path).mu.shape == (ENTRIES,)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=32 * 2000 * TEXTS // 2 - 1))
    with pytest.raises(MemoryError, match="A bootstrap over 6 texts does not fit"):
        Condensation.load(path)


def test_a_name_that_steers_the_terminal_is_loaded_as_escapes(condensation, tmp_path):
    path = crafted(condensation, tmp_path / "a.npz", {"name": "\x1b[31mred"})
    assert Condensation.load(path).name == r"\x1b[31mred"


def test_every_committed_result_is_loaded():
    paths = sorted(committed_folder().glob("condensation-*.npz"))
    assert len(paths) >= 30
    assert all(np.isfinite(Condensation.load(path).rho) for path in paths)


@pytest.mark.parametrize("absent", [[], ["histogram"], ["mu_off_diagonal_per_text", "zero_vectors"]], ids=str)
def test_several_results_are_the_arrays_of_one_file(condensation, tmp_path, absent):
    first = replace(condensation, **dict.fromkeys(absent))
    second = replace(first, name="other", mu_per_text=first.mu_per_text / 2, settings={"seed": 3})
    np.savez(tmp_path / "both.npz", **to_arrays([first, second]), item_score=np.ones(3))
    with np.load(tmp_path / "both.npz") as file:  # without pickles
        found = from_arrays(file)
    for result, given in zip(found, (first, second), strict=True):
        for field in fields(Condensation):
            value, expected = getattr(result, field.name), getattr(given, field.name)
            rounded = field.name == "histogram" and expected is not None
            np.testing.assert_equal(value, expected.astype(np.float32) if rounded else expected)
    assert to_arrays([condensation])["histogram"].dtype == np.float32


def test_a_result_prints_as_one_line(condensation):
    said = repr(condensation)
    assert "\n" not in said
    assert f"ρ {condensation.rho:+.3f}" in said
    assert condensation.name in said
