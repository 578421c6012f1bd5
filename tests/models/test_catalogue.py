"""Names of models: the table, the nearest name, what can be no model, the name of a file."""

import json

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as some

from decondense import models
from decondense.base import assets
from decondense.models import catalogue, loading, pocket

WITH_SIZE = [name for name, entry in models.table().items() if "architecture" in entry]


@pytest.mark.parametrize("name", WITH_SIZE)
def test_published_size_is_that_of_the_architecture(name):
    entry = models.table()[name]
    config = getattr(transformers, entry["architecture"])(**entry["config"])
    with torch.device("meta"):
        model = loading._kind_of_new(config).from_config(config)
    assert sum(p.numel() for p in model.parameters()) == entry["parameters"]


def test_every_entry_is_complete():
    for name, entry in models.table().items():
        assert name == name.lower()
        assert entry["hub"].count("/") == 1
        assert entry["family"]
        assert ("architecture" in entry) == ("config" in entry)
        assert "architecture" not in entry or "parameters" in entry
        assert "mirror" not in entry or (entry["mirror"] in assets.table() and "parameters" in entry)


def test_families_are_in_the_order_of_size():
    for family in ("GPT2", "Qwen2.5", "Qwen3", "Bloom"):
        sizes = [models.table()[name]["parameters"] for name in models.names(family)]
        assert len(sizes) >= 4
        assert sizes == sorted(sizes)
    assert models.names() == list(models.table())


def test_unknown_family_names_the_nearest():
    with pytest.raises(ValueError, match=r"Unknown family 'GPT-2'.*Did you mean 'GPT2'"):
        models.names("GPT-2")


@pytest.mark.parametrize("name", ["qwen3-0.6b", "Qwen3-0.6B", "Qwen/Qwen3-0.6B", "qwen/qwen3-0.6b"])
def test_short_name_and_hub_id_are_the_same_whatever_their_case(name):
    assert models.resolve(name) == ("qwen3-0.6b", models.table()["qwen3-0.6b"])


def test_a_hub_id_that_is_not_in_the_table_is_passed_on():
    assert models.resolve("Some/Model") == ("Some/Model", {"hub": "Some/Model", "family": "other"})


@pytest.mark.parametrize(("name", "near"), [("gpt2-mediun", "'gpt2-medium'"), ("pocket-smal", "'pocket-small'")])
def test_unknown_model_names_the_nearest(name, near):
    with pytest.raises(ValueError, match=rf"Unknown model '{name}'\. Did you mean {near}"):
        models.load(name)


def test_positions_are_those_of_the_configuration(tmp_path, tiny_gpt2):
    tiny_gpt2.config.save_pretrained(tmp_path)
    assert models.positions(str(tmp_path)) == tiny_gpt2.config.n_positions
    assert models.positions("pocket-small") == pocket.CONTEXT
    assert models.positions("owner/nobody-knows") is None


def test_a_name_that_can_be_no_model(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "report.json").write_text("{}")
    for name, error, message in (
        ("mine", FileNotFoundError, r"mine has no config\.json"),
        ("./gone", FileNotFoundError, r"no folder ./gone"),
        ("gtp2", ValueError, "Did you mean 'gpt2'"),
        ("report.json", NotADirectoryError, "is a file; a model is a folder"),
    ):
        with pytest.raises(error, match=message):
            models.check_names(["gpt2", name])
    (tmp_path / "mine" / "config.json").write_text("{}")
    models.check_names(["gpt2", "mine", "pocket-small", "Qwen/Qwen3-0.6B", "some/other"])


def test_the_pocket_models_are_those_that_are_trained():
    assert tuple(pocket.SIZES) == catalogue.POCKET


def test_an_unknown_name_does_not_print_the_whole_table():
    with pytest.raises(ValueError, match="Unknown model 'gtp2'") as error:
        models.resolve("gtp2")
    said = str(error.value)
    assert "Did you mean 'gpt2'" in said
    assert "models.names()" in said
    assert f"{len(models.table()) + len(pocket.SIZES)} are known" in said
    assert len(said) < 250


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "is no configuration but a list"),
        ('"x"', "is no configuration but a str"),
        ("", "is damaged"),
        (b'{"a": "\xe9"}', "is damaged .*utf-8"),
    ],
)
def test_a_configuration_that_is_none(tmp_path, content, said):
    (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=rf"config\.json {said}.*Copy it there again\."):
        models.positions(str(tmp_path))


def test_positions_that_are_no_number_are_unknown(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"n_positions": "64"}))
    assert models.positions(str(tmp_path)) is None


@pytest.mark.parametrize("name", [*models.names(), *pocket.SIZES, "my model", "gpt2-random-0", "modèle"])
def test_a_usual_name_is_the_name_of_its_file(name):
    assert models.file_name(name) == name


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x" * 300, "x" * 100 + "-"),
        ("é" * 80, "é" * 50 + "-"),
        (r"$\frac$", "$_frac$-"),
        ("a:b", "a_b-"),
        ("\x1b[31mred", "_x1b[31mred-"),
        ("m/..", "..-"),
    ],
)
def test_a_name_that_no_file_could_have(name, start):
    found = models.file_name(name)
    assert found.startswith(start)
    assert len(found) == len(start) + 8  # of a hash


@given(some.text(min_size=1), some.text(min_size=1))
def test_two_names_have_two_files_that_can_be_written(one, other):
    last = [catalogue.label(f"m{name}").split("/")[-1].lower() for name in (one, other)]
    a, b = models.file_name(f"m{one}"), models.file_name(f"m{other}")
    assert (a == b) == (last[0] == last[1])
    assert len(a.encode()) <= 109
    assert a.isprintable()
    assert "/" not in a
    assert "\\" not in a


def test_a_name_that_steers_the_terminal_is_shown_as_escapes(tmp_path):
    folder = tmp_path / "\x1b[31mred\n"
    folder.mkdir()
    assert models.label(str(folder)) == r"\x1b[31mred\n"


@pytest.mark.parametrize(
    ("name", "known"),
    [("gpt2", True), ("GPT2", True), ("Qwen/qwen3-0.6b", True), ("pocket-small", True), ("PATH/TO/gpt2", False),
     ("./gpt2", False), ("mine", False)],
)  # fmt: skip
def test_which_names_mean_a_known_model(name, known):
    assert catalogue.is_known(name) is known


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("gpt2-xl", "GPT2-xl"),  # as in the paper
        ("qwen2.5-coder-0.5b-instruct", "Qwen2.5-Coder-0.5B"),  # as on the hub
        ("gemma-3-270m", "gemma-3-270m"),
        ("pocket-small", "pocket-small"),  # no entry of the table
    ],
)
def test_figures_call_a_model_as_the_paper_does_or_its_authors(name, shown):
    assert catalogue.shown(name) == shown
