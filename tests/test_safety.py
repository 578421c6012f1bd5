"""Weights, data and archives that are read run no code: no pickle, no code from the hub, no path out.

What ruff's rules `S` see (shells, eval, pickle.load, yaml.load, tar archives) is left to `nox -s lint`.
"""

import ast
import json
import re
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from pickle import UnpicklingError

import pytest
import tiny_training
import torch
import transformers

from decondense import models
from decondense.book import cells
from decondense.trainers import DispersionTrainer

ROOT = Path(__file__).parents[1]
FILES = [*sorted((ROOT / "src").rglob("*.py")), *sorted((ROOT / "book").rglob("*.py"))]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))

MODULES = {"pickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
CALLS = {"yaml.unsafe_load", "yaml.full_load"}
METHODS = {"extractall", "unpack_archive"}  # they write where the archive says
AGREED = "trust_remote_code"  # the caller's own word, handed on
# Model folders that this package wrote itself, as safetensors, and that nobody else can name.
OWN_FOLDERS = {"models/pocket.py", "bench/child.py"}


def unsafe(source, own_folders=False):
    """`(line, why)` for everything in a Python source that could run what it reads."""
    tree = ast.parse(source)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [(node.lineno, name) for name in names if name.split(".")[0] in MODULES]
        if isinstance(node, ast.Call):
            found += [(node.lineno, why) for why in unsafe_call(node)]
        if isinstance(node, ast.Dict):  # arguments that are handed over by `**how`
            named = [(k, v) for k, v in zip(node.keys, node.values, strict=True) if isinstance(k, ast.Constant)]
            pairs = {k.value: ast.unparse(v) for k, v in named}
            found += [(node.lineno, why) for why in unsafe_arguments(pairs)]
        if isinstance(node, ast.FunctionDef | ast.Module) and not own_folders:
            found += [(line, "weights that may be a pickle") for line in unsafe_weights(node)]
    return sorted(set(found))


def unsafe_call(node):
    name, given = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
    if name in CALLS or name.rpartition(".")[2] in METHODS:
        yield name
    if name == "torch.load" and given.get("weights_only") != "True":
        yield "torch.load without weights_only=True"
    yield from unsafe_arguments(given)


def unsafe_arguments(given):
    if given.get("allow_pickle", "False") != "False":
        yield "arrays that may be pickles"
    if given.get("trust_remote_code", "False") not in ("False", AGREED):
        yield "code from the hub that nobody agreed to"
    if given.get("use_safetensors", "True") != "True":
        yield "weights that may be a pickle"


def unsafe_weights(scope):
    """Lines of one function, or of a module outside its functions, that load a model from what need not be safe."""
    inner = {n for f in ast.walk(scope) if isinstance(f, ast.FunctionDef) and f is not scope for n in ast.walk(f)}
    own = [node for node in ast.walk(scope) if node not in inner]
    names = {n.arg for n in own if isinstance(n, ast.keyword)} | {n.value for n in own if isinstance(n, ast.Constant)}
    if not names & {"use_safetensors", "gguf_file"}:
        loads = [n for n in own if isinstance(n, ast.Attribute) and n.attr == "from_pretrained"]
        yield from (node.lineno for node in loads if "Model" in ast.unparse(node.value))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_library_runs_nothing_that_it_reads(path):
    own_folders = any(path.as_posix().endswith(f"decondense/{name}") for name in OWN_FOLDERS)
    assert unsafe(path.read_text(encoding="utf-8"), own_folders) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_run_nothing_that_they_read(path):
    code = [cell["source"] for cell in cells.read(path) if cell["cell_type"] == "code"]
    assert unsafe("\n".join(re.sub(r"(?m)^([ \t]*)[%!].*$", r"\1pass", source) for source in code)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from joblib import load",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "np.load(path, allow_pickle=True)",
        "yaml.full_load(text)",
        "archive.extractall(folder)",
        "shutil.unpack_archive(path)",
        "AutoTokenizer.from_pretrained(name, trust_remote_code=True)",
        "AutoModel.from_pretrained(name)",
        "AutoModel.from_pretrained(name, use_safetensors=False)",
        "def read(name):\n    return partial(transformers.AutoModelForCausalLM.from_pretrained, dtype='float32')",
        "def a():\n    how = {'use_safetensors': True}\ndef b():\n    AutoModel.from_pretrained(name)",
        "how = {'use_safetensors': True, 'trust_remote_code': True}",
    ],
)
def test_the_search_finds(source):
    assert len(unsafe(source)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=False)",
        "yaml.safe_load(text)",
        "AutoTokenizer.from_pretrained(name, trust_remote_code=trust_remote_code)",
        "def read(name):\n    how = {'use_safetensors': True}\n    return partial(AutoModel.from_pretrained, **how)",
        "def read(name):\n    return AutoModel.from_pretrained(name, gguf_file='a.gguf')",
    ],
)
def test_the_search_leaves_alone(source):
    assert unsafe(source) == []


def test_lint_sees_what_is_left_to_it(tmp_path):
    """No rule that this file counts on may be switched off."""
    sources = {
        "S102": "exec(text)",
        "S202": "tarfile.open(path).extractall(folder)",
        "S301": "pickle.load(file)",
        "S302": "marshal.load(file)",
        "S307": "eval(text)",
        "S506": "yaml.load(text, Loader=yaml.FullLoader)",
        "S602": "subprocess.run(line, shell=True)",
        "S605": "os.system(line)",
    }
    imports = "import marshal, os, pickle, subprocess, tarfile\n\nimport yaml\n"
    (tmp_path / "unsafe.py").write_text(imports + "\n".join(sources.values()))
    command = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml")]
    command += ["--no-cache", "--output-format", "json", str(tmp_path)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    assert set(sources) <= {problem["code"] for problem in found}


# --- at run time ----------------------------------------------------------------------------------------------------


class Bomb:
    """Writes a file when it is read back from a pickle."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def folder(tmp_path, tiny_gpt2, tiny_tokenizer):
    """A model in Hugging Face's layout, with safetensors."""
    tiny_gpt2.save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_folder_with_safetensors_is_read(folder):
    assert models.load(str(folder)).provenance["source"] == "local folder"


@pytest.mark.parametrize("bomb", [False, True])
def test_a_folder_with_a_pickle_alone_is_refused_and_never_opened(folder, tmp_path, tiny_gpt2, bomb):
    (folder / "model.safetensors").unlink()
    torch.save({"w": Bomb(tmp_path / "boom")} if bomb else tiny_gpt2.state_dict(), folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model\.bin, a pickle.*only safetensors.*convert it once"):
        models.load(str(folder))
    assert not (tmp_path / "boom").exists()


def test_transformers_is_told_to_refuse_pickles_too(folder, tiny_gpt2, monkeypatch):
    """The names of files are not all that stands between a pickle and its code."""
    (folder / "model.safetensors").unlink()
    torch.save(tiny_gpt2.state_dict(), folder / "pytorch_model.bin")
    monkeypatch.setattr(models.loading, "_refuse_pickles", lambda folder: None)
    with pytest.raises(OSError, match=r"no file named model\.safetensors"):
        models.load(str(folder))


def test_the_cure_for_a_pickle_works(folder, tiny_gpt2):
    (folder / "model.safetensors").unlink()
    torch.save(tiny_gpt2.state_dict(), folder / "pytorch_model.bin")
    transformers.AutoModelForCausalLM.from_pretrained(folder, use_safetensors=False).save_pretrained(folder)
    again = models.load(str(folder)).model
    assert all(torch.equal(a, b) for a, b in zip(again.parameters(), tiny_gpt2.parameters(), strict=True))


def test_a_pickle_beside_safetensors_is_never_opened(folder, tmp_path):
    torch.save({"w": Bomb(tmp_path / "boom")}, folder / "pytorch_model.bin")
    models.load(str(folder))
    assert not (tmp_path / "boom").exists()


def test_the_bomb_works(tmp_path):
    torch.save({"w": Bomb(tmp_path / "boom")}, tmp_path / "a.bin")
    torch.load(tmp_path / "a.bin", weights_only=False)["w"].close()
    assert (tmp_path / "boom").exists()


def test_code_in_a_models_folder_is_not_run(folder, tmp_path):
    """A folder may name a class of its own; without consent it is refused, and its file is not imported."""
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text(f"open({str(tmp_path / 'boom')!r}, 'w').close()")
    with pytest.raises((ValueError, OSError, PermissionError), match="trust_remote_code"):
        models.load(str(folder))
    assert not (tmp_path / "boom").exists()


@pytest.mark.parametrize("file", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_a_checkpoint_of_a_training_run_runs_nothing(tmp_path, file):
    """What the Trainer keeps while a run goes on are pickles: it reads tensors from them and nothing else."""
    args = tiny_training.arguments(tmp_path / "run", steps=4, save_strategy="steps", save_steps=2)
    make = lambda: DispersionTrainer(model=tiny_training.model(), args=args, train_dataset=tiny_training.rows())
    make().train()
    torch.save({"w": Bomb(tmp_path / "boom")}, tmp_path / "run" / "checkpoint-2" / file)
    never_read = file == "training_args.bin"
    with nullcontext() if never_read else pytest.raises(UnpicklingError, match="Weights only load failed"):
        make().train(resume_from_checkpoint=str(tmp_path / "run" / "checkpoint-2"))
    assert not (tmp_path / "boom").exists()
