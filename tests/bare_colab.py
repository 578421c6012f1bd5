"""`nox -s colab`: every notebook as Colab gets it, in an environment with a kernel and nothing else.

The notebooks are copied alone into a new folder. Their first cell installs the release from a stand-in for the
repository: git is told to look for it on this disk, where the working tree carries the release's tag.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
import zipfile
from pathlib import Path

import yaml

from decondense.book import profiles

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
KERNEL = "bare"


def notebooks() -> list[Path]:
    """All notebooks, in the order of their numbers."""
    return sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


def release(folder: Path) -> dict[str, str]:
    """Commit the working tree into a new repository with the release's tag; give the variables that git needs."""
    listed = subprocess.check_output(["git", "ls-files", "-zco", "--exclude-standard"], cwd=ROOT, text=True)
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    somebody = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "release"], ["tag", f"v{PROJECT['version']}"]):
        subprocess.run(["git", *somebody, *command], cwd=folder, check=True)
    key = f"url.{folder.as_uri()}.insteadOf"
    return {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": key, "GIT_CONFIG_VALUE_0": PROJECT["urls"]["Repository"]}


def environment(folder: Path, installed: list[str], maker: str) -> str:
    """Make a virtual environment with `installed` and nothing of ours. Returns its Python."""
    subprocess.run([maker, "-m", "virtualenv", "-q", "--clear", str(folder)], check=True)
    python = str(folder / ("Scripts" if os.name == "nt" else "bin") / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *installed], check=True)
    return python


def add_kernel(folder: Path, python: str) -> dict[str, str]:
    """Make the environment of `python` known to Jupyter as a kernel; give the variable that Jupyter needs."""
    spec = {"argv": [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "display_name": KERNEL}
    (folder / "kernels" / KERNEL).mkdir(parents=True)
    (folder / "kernels" / KERNEL / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    return {"JUPYTER_PATH": str(folder)}


def execute(notebook: Path, profile: str, variables: dict[str, str]) -> tuple[float, str]:
    """Run one notebook from its top with papermill. Returns its seconds, and the error in one line or nothing."""
    parameters = yaml.safe_dump(profiles.parameters(profile, profiles.notebook_id(notebook)))  # JSON 5e-05 is no float
    out = notebook.with_suffix(".out.ipynb").name
    command = [sys.executable, "-m", "papermill", "--no-progress-bar", "-k", KERNEL, "-y", parameters]
    began = time.monotonic()
    done = subprocess.run(
        [*command, notebook.name, out], cwd=notebook.parent, env=variables, capture_output=True, text=True
    )
    said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1] if done.returncode else ""
    return time.monotonic() - began, said


def changed(python: str, installed: list[str]) -> list[str]:
    """The packages of `installed` (name==version) that the notebooks' first cell has replaced by another version."""
    frozen = subprocess.check_output([python, "-m", "pip", "freeze", "--all"], text=True).lower().splitlines()
    return [pin for pin in installed if not any(line.split("+")[0] == pin.lower() for line in frozen)]


def pickles(folder: Path) -> list[str]:
    """Files that are pickles, or archives that hold one: what the notebooks leave behind must have none."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    plain = [path for path in files if path.read_bytes()[:2] in {bytes([0x80, protocol]) for protocol in range(2, 6)}]
    zipped = [path for path in files if zipfile.is_zipfile(path)]
    held = [path for path in zipped if any(name.endswith(".pkl") for name in zipfile.ZipFile(path).namelist())]
    return [str(path.relative_to(folder)) for path in plain + held]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="ci", choices=profiles.PROFILES)
    parser.add_argument("--only", default="", help="identifiers of notebooks, with commas: fig2,table1")
    parser.add_argument(
        "--with", dest="preinstalled", default="", help='installed beforehand: "torch==2.9.1 numpy==2.2.6"'
    )
    parser.add_argument("--maker", default=sys.executable, help="a Python that has virtualenv")
    parser.add_argument("--folder", type=Path, help="a new folder for all that is made; kept. Else a temporary one")
    given = parser.parse_args()
    if given.folder:
        given.folder.mkdir(parents=True)
        return run_all(given.folder.resolve(), given)
    with tempfile.TemporaryDirectory() as folder:
        return run_all(Path(folder).resolve(), given)


def prepare(folder: Path, installed: list[str], maker: str) -> tuple[str, dict[str, str]]:
    """Make repository, environment and kernel in `folder`, and copy the notebooks. Returns Python and variables."""
    for name in ("repository", "alone"):
        (folder / name).mkdir()
    for path in notebooks():
        shutil.copyfile(path, folder / "alone" / path.name)
    python = environment(folder / "environment", ["ipykernel", *installed], maker)
    variables = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    variables |= {"DECONDENSE_CACHE": str(folder / "cache"), "DECONDENSE_RECORDS": str(folder / "records")}
    return python, variables | release(folder / "repository") | add_kernel(folder / "jupyter", python)


def run_all(folder: Path, given: argparse.Namespace) -> int:
    """Run the notebooks in `folder` in order and print a line for each. Returns how much went wrong."""
    installed, failed = given.preinstalled.split(), 0
    python, variables = prepare(folder, installed, given.maker)
    for path in notebooks():
        if given.only and profiles.notebook_id(path) not in given.only.split(","):
            continue
        seconds, error = execute(folder / "alone" / path.name, given.profile, variables)
        failed += bool(error)
        print(f"{path.stem:36} {'failed' if error else 'done':7} {seconds:6.0f} s  {error}", flush=True)
    replaced, left = changed(python, installed), pickles(folder / "cache") + pickles(folder / "records")
    print(f"{failed} failed; of what was installed before, replaced: {', '.join(replaced) or 'nothing'}")
    print(f"pickles in the cache and the records: {', '.join(left) or 'none'}")
    return failed + len(replaced) + len(left)


if __name__ == "__main__":
    sys.exit(main())
