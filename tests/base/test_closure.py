"""What a record depends on: modules that are imported, directly or not, without their comments."""

import pytest

from decondense import losses
from decondense.base import closure

A_PACKAGE = {
    "toy/__init__.py": '"""A package."""\n',
    "toy/first.py": "from . import second\n\n\ndef one():\n    from .deep import late\n",
    "toy/second.py": "import toy.third\nimport json\n\n\ndef plot():\n    from .plots import depth\n",
    "toy/third.py": '"""Third."""\n\nX = 1  # a number\n',
    "toy/table.csv": "a,b\n",
    "toy/deep/__init__.py": "from ..fourth import Y\n",
    "toy/deep/late.py": "Z = 3\n",
    "toy/deep/settings.toml": "a = 1\n",
    "toy/fourth.py": "Y = 2\n",
    "toy/unrelated.py": "W = 4\n",
    "toy/plots/__init__.py": "",
    "toy/plots/depth.py": "BLUE = 1\n",
    "toy/other/data.toml": "b = 2\n",
}


@pytest.fixture
def toy(tmp_path):
    for name, text in A_PACKAGE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def fingerprint(toy):
    return closure.fingerprint.__wrapped__("toy.first", toy)


def test_files_are_all_that_is_imported_and_the_tables_beside(toy):
    found = {path.relative_to(toy).as_posix() for path in closure.files("toy.first", toy)}
    assert found == set(A_PACKAGE) - {
        "toy/unrelated.py",
        "toy/other/data.toml",
        "toy/plots/__init__.py",
        "toy/plots/depth.py",
    }


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("toy/third.py", "X = 2\n"),  # two imports away
        ("toy/fourth.py", "Y = 3\n"),  # behind an import inside a function, and a package on the way
        ("toy/deep/late.py", "Z = 4\n"),
        ("toy/deep/settings.toml", "a = 2\n"),
        ("toy/__init__.py", "V = 5\n"),
    ],
)
def test_a_change_anywhere_in_the_closure_changes_the_fingerprint(toy, name, text):
    before = fingerprint(toy)
    (toy / name).write_text(text)
    assert fingerprint(toy) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("toy/third.py", '"""Said in other words."""\nX = (1)\n'),
        ("toy/unrelated.py", "W = 5\n"),
        ("toy/other/data.toml", "b = 3\n"),
        ("toy/plots/depth.py", "BLUE = 2\n"),  # it draws: what was measured stays
    ],
)
def test_comments_docstrings_and_other_modules_do_not(toy, name, text):
    before = fingerprint(toy)
    (toy / name).write_text(text)
    assert fingerprint(toy) == before


def test_a_module_that_is_not_there_is_an_error(toy):
    with pytest.raises(ModuleNotFoundError, match=r"no module toy\.frist"):
        closure.files("toy.frist", toy)


def test_training_depends_on_the_expansion_which_only_the_losses_import():
    names = {
        path.relative_to(closure.SOURCE / "decondense").as_posix() for path in closure.files("decondense.runs.loop")
    }
    assert {"losses/__init__.py", "losses/expansion.py", "hooks.py", "models/families.toml"} <= names
    assert "expansion.py" in {path.name for path in closure.files(losses.__name__)}
    assert "pairs.py" not in {path.name for path in closure.files("decondense.measurement")}
