"""The campaign as a command: what it refuses, what it makes in which order, and the packages that it does without."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from decondense.campaign import capacity, command, plan, posttraining, speed, training
from decondense.runs import items

pytestmark = pytest.mark.usefixtures("tokens")
SOURCE = Path(command.__file__).parents[2]


def run(out, minutes=5.0, **how):
    said = []
    return command.run(out, minutes, say=said.append, **how), said


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"minutes": 0.0}, "--minutes must be above 0, got 0."),
        ({"minutes": -1.0}, "--minutes must be above 0, got -1."),
        ({"minutes": float("nan")}, "--minutes must be above 0, got nan."),
        ({"only": "famly"}, "Unknown item 'famly'. Did you mean 'family'?"),
        ({}, "The campaign needs a CUDA device, and there is none here. --tiny runs all of it small, on the CPU."),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path, monkeypatch, how, why):
    monkeypatch.setattr(command.torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError) as caught:  # noqa: PT011, the message is compared
        run(tmp_path / "out", **how)
    assert str(caught.value).startswith(why)
    assert not (tmp_path / "out").exists()


def test_without_token_files_nothing_is_begun(tmp_path, monkeypatch):
    monkeypatch.delenv("DECONDENSE_DATA")
    with pytest.raises(FileNotFoundError, match="set DECONDENSE_DATA"):
        run(tmp_path / "out", tiny=True)
    assert not (tmp_path / "out").exists()


def test_an_item_without_its_token_files_is_an_error_if_it_is_the_one_asked_for(tmp_path):
    with pytest.raises(ValueError, match="Unknown token files 'packed/smollm2-135m-instruct'"):
        run(tmp_path / "out", only="midtraining", tiny=True)
    assert not (tmp_path / "out").exists()


def test_the_list_is_of_all_items_in_order(capsys):
    assert command.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == items.names()


def test_the_items_are_made_in_order_in_the_time_that_is_left(tmp_path, monkeypatch):
    clock, seen = [0.0], []
    monkeypatch.setattr(command.time, "monotonic", lambda: clock[0])

    def took(name, seconds):
        seen.append((name, seconds))
        clock[0] += 100
        return True

    monkeypatch.setattr(speed, "make", lambda entry, tiny, seconds, say: took("speed", seconds))
    monkeypatch.setattr(training, "make", lambda item, out, tiny, seconds, say: took(item.name, seconds))
    done, said = run(tmp_path, 5.1, tiny=True)
    assert seen == [("speed", 306), ("family", 206), ("width", 106)]
    assert said[0].startswith("midtraining is left out: Unknown token files 'packed/smollm2-135m-instruct'.")
    late = ("pretraining", "anti-collapse", "capacity", "posttraining")
    assert said[1:] == [f"{name}: no time is left for it." for name in late]
    assert not done


def test_without_trl_one_item_is_left_out_and_the_others_go_on(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "trl", None)
    for each in (speed, capacity, training):
        monkeypatch.setattr(each, "make", lambda *_: True)
    monkeypatch.setattr(posttraining, "make", lambda *_: pytest.fail("it lacks TRL"))
    done, said = run(tmp_path / "out", tiny=True)
    assert not done
    assert said[1].startswith("posttraining is left out: trl is not installed, part of the extra `tune`: python -m pip")
    assert len(said) == 2
    with pytest.raises(ImportError, match="trl is not installed"):
        run(tmp_path / "alone", only="posttraining", tiny=True)
    assert not (tmp_path / "alone").exists()


def test_one_item_alone(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "make", lambda item, *_: item.name == "width")
    assert run(tmp_path, only="width", tiny=True) == (True, [])


@pytest.mark.parametrize(("only", "raises"), [("family", True), (None, False)])
def test_an_item_that_does_not_fit_is_an_error_if_it_is_the_one_asked_for(tmp_path, monkeypatch, only, raises):
    def make(*_):
        raise plan.TooShort("5 minutes are too few")

    for alone in (speed, capacity, posttraining):
        monkeypatch.setattr(alone, "make", lambda *_: True)
    monkeypatch.setattr(training, "make", make)
    if raises:
        with pytest.raises(plan.TooShort):
            run(tmp_path, only=only, tiny=True)
    else:
        done, said = run(tmp_path, tiny=True)
        assert (done, said[1:]) == (False, ["5 minutes are too few"] * 4)


def test_the_records_go_to_the_folder_and_the_environment_is_as_before(tmp_path, monkeypatch):
    monkeypatch.setenv("DECONDENSE_RECORDS", "before")
    seen = []
    monkeypatch.setattr(training, "make", lambda *_: seen.append(os.environ["DECONDENSE_RECORDS"]) or True)
    run(tmp_path, only="family", tiny=True)
    assert (seen, os.environ["DECONDENSE_RECORDS"]) == ([str(tmp_path / "records")], "before")


BARE = """
import sys
usual = {{finder.__name__: finder for finder in sys.meta_path if isinstance(finder, type)}}
sys.path.insert(0, {tests!r})
from bare_install import Bare
names = {names!r}
bare = Bare(names)
assert not {{"jaxtyping", "matplotlib", "datasets", "peft"}} - bare.hidden
sys.meta_path = [usual["BuiltinImporter"], usual["FrozenImporter"], bare]
sys.path.insert(0, {source!r})
from decondense.campaign.command import main
sys.exit(main(sys.argv[1:]))
"""
# What a machine has that has the six packages, accelerate, and what these bring.
SIX = {"torch", "transformers", "numpy", "scipy", "pandas", "safetensors", "accelerate"}


def with_what_they_need(names):
    """The distributions that pip installs with these."""
    import re
    from importlib.metadata import PackageNotFoundError, requires

    found, waiting = set(), list(names)
    while waiting:
        name = waiting.pop().lower().replace("_", "-")
        if name in found:
            continue
        try:
            needs = requires(name) or []
        except PackageNotFoundError:  # of another system
            continue
        found.add(name)
        waiting += [re.match(r"[\w.-]+", need)[0] for need in needs if "extra ==" not in need]
    return found


@pytest.mark.slow_process
def test_it_needs_no_package_but_the_six_and_accelerate(tokens, tmp_path):
    """A family at tiny size, by a Python that sees nothing else."""
    names = with_what_they_need(SIX)
    names |= {name.replace("-", "_") for name in names}
    code = BARE.format(tests=str(Path(__file__).parents[1]), names=names, source=str(SOURCE))
    asked = ["--tiny", "--minutes", "5", "--out", str(tmp_path / "out"), "--only", "family"]
    done = subprocess.run([sys.executable, "-c", code, *asked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "family: all 4 runs are done." in done.stdout
    assert len(list((tmp_path / "out" / "records").glob("*.json"))) == 4
