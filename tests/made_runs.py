"""Training runs that need no file, for `test_run_paths` and `test_width_plots`."""

from pathlib import Path

import numpy as np
import pandas as pd

from decondense.records import Record
from decondense.runs.run import Run


def made(label, seed, losses, rate=1e-3, rho=None, width=None):
    """A run with a checkpoint for each loss; where nothing is said, rho falls by 0.1 a checkpoint from 1."""
    count = len(losses)
    content = {"config": {"learning_rate": rate, "shape": {"n_inner": width}}, "results": {"validation_loss": losses}}
    run = Run(label, seed, Record(Path("none"), content, None))
    rho = 1 - 0.1 * np.arange(count) if rho is None else rho
    vars(run)["path"] = pd.DataFrame(  # where a run keeps what it has read
        {
            "step": 10 * np.arange(count), "tokens": 100 * np.arange(count), "validation_loss": losses,
            "rho": rho, "tau": np.asarray(rho) - 0.05, "late_half": np.asarray(rho) / 2,
        }
    )  # fmt: skip
    return run
