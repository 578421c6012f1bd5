"""Committed numbers, derived again by a tool that shares nothing with the package: none differs, and a lie is found."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import rederive
from rederiving import mathematics, texts

REFUSE = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("decondense", "torch", "pandas"):
            raise ImportError(f"{name} is not to be used here")
sys.meta_path.insert(0, Refuse())
import rederive
sys.exit(rederive.main(["--seed", "7", "--n", "30"]))
"""


def test_thirty_numbers_are_derived_without_the_package_and_none_differs():
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", REFUSE], cwd=here, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "\n30 of " in done.stdout
    assert ", 0 differ; " in done.stdout


def test_many_numbers_of_many_pages_can_be_derived():
    numbers, _ = rederive.registry()
    assert len(numbers) >= 200
    assert len({number.page for number in numbers}) >= 10


def test_the_texts_of_most_claims_are_recognised():
    """A floor: other texts are passed over, and would one day be all of them."""
    found, _ = rederive.of_claims(*rederive.read(rederive.RESULTS))
    assert len(found) >= 200
    assert len({number.page for number in found}) >= 10


# --- a lie is found ---------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    """The records of one page, and its verdicts, as copies."""
    verdicts = rederive.RESULTS / "verdicts-fig2.json"
    names = json.loads(verdicts.read_text(encoding="utf-8"))["records"]
    beside = [json.loads((rederive.RESULTS / name).read_text(encoding="utf-8"))["arrays"]["file"] for name in names]
    for name in [verdicts.name, *names, *beside]:
        (tmp_path / name).write_bytes((rederive.RESULTS / name).read_bytes())
    return tmp_path


def differing(folder):
    return {n.name for n in rederive.registry(folder)[0] if not n.agrees(n.derive())}


def rewrite(path, change):
    content = json.loads(path.read_text(encoding="utf-8"))
    change(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_a_record_that_was_changed_is_found(copied, capsys):
    assert differing(copied) == set()
    path = min(copied.glob("condensation-qwen2.5-coder-1.5b*.json"))
    rewrite(path, lambda content: content["results"].update(rho=content["results"]["rho"] + 1e-4))
    assert differing(copied) == {f"{path.stem} rho"}
    assert rederive.main(["--results", str(copied)]) == 1
    assert f"DIFFERS  {path.stem} rho" in capsys.readouterr().out


def test_arrays_that_were_changed_are_found(copied):
    path = min(copied.glob("condensation-qwen2.5-coder-1.5b*.npz"))
    with np.load(path) as file:
        arrays = dict(file)
    arrays["mu_per_text"][:, 0] += 0.001
    np.savez(path, **arrays)
    assert any(name.endswith("mu of entry 0") for name in differing(copied))


def test_a_claim_that_was_changed_is_found(copied):
    def raise_first_number(content):
        chained = next(claim for claim in content["claims"] if claim["claim"].startswith("Qwen2.5-Coder"))
        chained["here"] = chained["here"].replace("0", "9", 1)

    rewrite(copied / "verdicts-fig2.json", raise_first_number)
    assert len(differing(copied)) == 1


# --- its own mathematics ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "rho", "tau"),
    [
        ([1, 2, 3, 4], 1, 1),
        ([4, 3, 2, 1], -1, -1),
        ([1, 3, 2, 4], 0.8, 2 / 3),
        ([1, 1, 2], 3**0.5 / 2, 2 / 6**0.5),  # a tie
    ],
)
def test_correlations_with_depth(values, rho, tau):
    assert mathematics.spearman(values) == pytest.approx(rho)
    assert mathematics.kendall(values) == pytest.approx(tau)


def test_late_half_and_last_entries():
    assert mathematics.last_of([0, 0, 0, 1, 3]) == 2  # entries 3 and 4 of L = 4
    assert mathematics.last_of([0, 0, 1, 3], 1) == 3


def test_interval_of_three():
    mean, low, high = mathematics.with_interval([1, 2, 3])
    assert (mean, high - mean) == pytest.approx((2, 4.302653 / 3**0.5), rel=1e-6)
    assert low + high == 4


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("-0.05 [-0.10, 0.00]", [(-0.05, 2), (-0.1, 2), (0.0, 2)]),
        ("Qwen2.5 +7; 3x", [(7, 0)]),  # not the numbers within names
    ],
)
def test_numbers_of_a_text(text, found):
    assert texts.numbers(text) == found


def test_numbers_are_drawn_of_each_page_in_turn():
    made = [rederive.Number(page, str(i), 0, 0, float) for i, page in enumerate("aaaaaab")]
    assert Counter(number.page for number in rederive.draw(made, 3, seed=0)) == {"a": 2, "b": 1}
