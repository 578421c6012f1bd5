"""What each of two processes does in `test_launch`: `decondense.launch`, with checkpoints of short runs as well.

accelerate launch --config_file CONFIG --num_processes 2 tests/tiny_launch.py FILE.toml
"""

import os
import sys

from accelerate import PartialState
from accelerate.utils import DistributedType

from decondense import launch
from decondense.runs import loop


def shard_on_cpu() -> None:
    """On CPUs accelerate takes DDP instead of FSDP, without a word: it looks at the name of the processes' type."""
    usual = PartialState.__init__

    def named_as_gpus(self, *arguments, **options):
        usual(self, *arguments, **options)
        self.distributed_type = DistributedType.MULTI_GPU

    PartialState.__init__ = named_as_gpus


def run(*arguments: str) -> None:
    loop.LONG = 1
    if os.environ.get("ACCELERATE_USE_FSDP") == "true":
        shard_on_cpu()
    launch.main(arguments)


if __name__ == "__main__":
    run(*sys.argv[1:])
