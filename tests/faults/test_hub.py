"""The disk that the hub's files go to is full, by the system itself; with space again, the same call goes on."""

import sandbox
from standin import models, server

LOADS = """
import pathlib, sys
from decondense import models
from decondense.models import memory
memory.refuse_if_too_large = lambda *_: None  # what is served is small
filler = pathlib.Path(sys.argv[1]) / "filler"
def load():
    return models.load("qwen2.5-7b", sources=["local", "hub"], device="cpu").provenance["source"]
filler.write_bytes(bytes(1024 * int(sys.argv[2])))
try:
    print(load())
except OSError as error:
    print(type(error).__name__, error.errno, str(error).replace(chr(10), " / "))
filler.unlink()
print(load())
"""


def test_weights_on_a_full_disk(tmp_path, tally, monkeypatch):
    hub = server.Hub(models.repositories([]))
    with server.serving(hub) as address:
        for name, value in {"HF_ENDPOINT": address, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "0"}.items():
            monkeypatch.setenv(name, value)
        done = sandbox.python(sandbox.small_disk(tmp_path, 2048), LOADS, tmp_path, 1880)
    full, whole = done.stdout.splitlines()
    assert full.startswith("OSError 28 ")
    assert "No space left on device. Free some space, or set HF_HOME to a folder on another disk: the same" in full
    assert whole == "hub Qwen/Qwen2.5-7B"
    brought = [asked.file for asked in hub.downloads()]
    assert brought.count("config.json") == brought.count("tokenizer.json") == 1  # what came is kept
    tally("disk full: weights of the hub", 1, None, [True])
