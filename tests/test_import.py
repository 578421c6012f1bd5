"""The public way in."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import decondense

ROOT = Path(__file__).parents[1]


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def test_import_does_not_load_heavy_packages():
    heavy = ("torch", "transformers", "datasets", "scipy", "pandas", "matplotlib")
    code = f"import sys, decondense; decondense.__version__; print(set({heavy}) & set(sys.modules))"
    assert run_python(code) == "set()"


@pytest.mark.parametrize(
    ("module", "unneeded"),
    [
        ("losses", {"transformers", "matplotlib", "pandas", "statsmodels", "accelerate"}),
        ("losses.forces", {"transformers", "matplotlib", "pandas", "statsmodels", "accelerate"}),
        ("condensation", {"transformers", "matplotlib", "pandas", "statsmodels"}),
        ("plots", {"transformers", "pandas", "statsmodels"}),
        ("evaluate", {"lm_eval", "datasets", "pandas"}),
        ("corpora", {"datasets", "torch", "pandas"}),
    ],
)
def test_a_module_loads_what_it_needs_and_no_more(module, unneeded):
    assert run_python(f"import sys, decondense.{module}; print({unneeded} & set(sys.modules))") == "set()"


def test_measure_stays_the_function_whatever_is_imported():
    code = (
        "from decondense import measure as first\n"
        "import decondense.measurement\n"
        "from decondense import Condensation, measure as second\n"
        "assert first is second is decondense.measurement.measure\n"
        "assert Condensation is decondense.condensation.Condensation\n"
        "print(callable(first))"
    )
    assert run_python(code) == "True"


def test_every_public_name_exists():
    assert all(hasattr(decondense, name) for name in decondense.__all__)


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'measures'"):
        decondense.measures  # noqa: B018


def test_version_is_that_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert decondense.__version__ == project["version"]
