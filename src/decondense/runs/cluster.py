"""Training runs as jobs: of SLURM, or processes of this machine in its place. The engine is submitit.

Why submitit, of the three that were read for it (Ray, Dask, submitit):

- A lab has SLURM, or a few machines with GPUs. submitit hands jobs to SLURM (`sbatch`) and needs nothing that stays up.
  Ray and Dask bring a scheduler of their own, which has to be started inside an allocation and dies with it; on a
  cluster that has a scheduler it is a second one.
- A run that is pre-empted or reaches its time limit is put back into the queue by submitit itself. With Dask's jobs on
  SLURM a worker at its time limit is gone; with Ray a task is tried again, where its cluster still stands.
- Its wheel has 76 kB and needs `cloudpickle` alone. Ray's has 79 MB; Dask brings eight packages.

All three send functions and arguments as pickles. Here these are the name of one function and configurations, in a
folder `decondense-jobs` where the command is started, beside the logs; never in the cache, and removed at the end. What
comes back is the records: a result of submitit is not read.

Machines without SLURM that share a folder need no engine: give each a part of the seeds, with the same
DECONDENSE_CACHE and DECONDENSE_RECORDS, and then the whole command once, on any.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from tqdm import tqdm

from ..base.errors import unknown
from ..base.extras import need

if TYPE_CHECKING:
    from .configuration import Configuration

WHERE = ("slurm", "local")
MINUTES = 24 * 60  # of a job on SLURM, unless `time` says otherwise
PATIENCE = 10.0  # seconds that a job on this machine has to end
REQUEUES = 1000  # a run that reaches its time limit goes on in another job, however often


def engine(where: str, jobs: int | None = None, options: Mapping[str, object] | None = None):
    """What `grid.made` takes as `train_all`: each of `jobs` jobs makes its part of the runs, one after the other.

    where
        "slurm", or "local": processes of this machine.
    jobs
        At most so many. `None`: on SLURM one per run, here as many as fit.
    options
        Of SLURM, as submitit names them: partition, account, time (minutes), gpus_per_node, cpus_per_task, mem, ...

    The folders DECONDENSE_CACHE, DECONDENSE_RECORDS and the one the command is started in must be seen by all machines.

    Raises
        ImportError: the extra `cluster` is not installed.
        ValueError: another place, or options for "local".
        RuntimeError: no SLURM here; a job ended and its run has no record: the last line it said.
    """
    if where not in WHERE:
        raise unknown("place for jobs", where, ("here", *WHERE))
    _submitit()
    if where == "local" and options:
        raise ValueError(f"Jobs on this machine have no options of SLURM: {', '.join(options)}.")
    if where == "slurm":
        _slurm(Path.cwd(), dict(options or {}), 1)  # what is wrong shows here, before the data are prepared
    return partial(_train_all, where, jobs, dict(options or {}))


def device_of(options: Mapping[str, object]) -> str:
    """The device of jobs with these options, for DECONDENSE_DEVICE: a machine without a GPU finds their records so."""
    return "cuda" if any("gpu" in f"{name} {value}" for name, value in options.items()) else "cpu"


def make(configs: Sequence[dict]) -> None:
    """What a job does: the runs of its part that have no record yet."""
    import torch

    from . import read, store

    os.environ.pop("DECONDENSE_DEVICE", None)  # here is the device itself
    if not torch.cuda.is_available():
        torch.set_num_threads(1)  # as `workers` does: the same sums with any number of cores
    for config in configs:
        store.train(read(config))


def _again(configs: Sequence[dict]):
    """Asked of a job that is pre-empted or out of time: the same once more, since records tell what is done."""
    return _submitit().helpers.DelayedSubmission(make, configs)


make.checkpoint = _again  # the name that submitit looks for


def _train_all(where: str, jobs: int | None, options: dict, configs: Sequence["Configuration"]) -> None:
    folder = Path.cwd() / "decondense-jobs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}"
    count = min(len(configs), jobs or (len(configs) if where == "slurm" else _fitting(configs)))
    parts = [list(configs[number::count]) for number in range(count)]
    submitted = (_on_slurm if where == "slurm" else _here)(
        folder, options, [[config.as_dict() for config in part] for part in parts]
    )
    try:
        _wait(submitted, configs, pause=5.0 if where == "slurm" else 0.3)
    except BaseException:
        _end(submitted, folder)
        raise
    finally:
        for pickle in folder.glob("*.pkl"):
            pickle.unlink(missing_ok=True)
    _check(submitted, parts)
    shutil.rmtree(folder, ignore_errors=True)
    with suppress(OSError):  # logs of another command
        folder.parent.rmdir()


def _end(jobs: Sequence, folder: Path) -> None:
    """Cancel the jobs. On this machine a job may end before it has ended what it started: nothing of it is left."""
    here = [process for process in psutil.Process().children(recursive=True) if str(folder) in _command(process)]
    for job in jobs:
        job.cancel(check=False)
    _, alive = psutil.wait_procs(here, PATIENCE)
    for process in alive:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(alive, PATIENCE)
    for job in jobs:
        job.done()  # so that it is known to have ended


def _command(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has just ended
        return ""


def _on_slurm(folder: Path, options: dict, parts: list[list[dict]]) -> list:
    return _slurm(folder, options, len(parts)).map_array(make, parts)


def _slurm(folder: Path, options: dict, at_once: int):
    executor = _submitit().SlurmExecutor(folder, max_num_timeout=REQUEUES)
    usual = {"time": MINUTES, "job_name": "decondense", "array_parallelism": at_once, "stderr_to_stdout": True}
    executor.update_parameters(**usual | options)
    return executor


def _here(folder: Path, options: dict, parts: list[list[dict]]) -> list:
    import torch

    executor = _submitit().LocalExecutor(folder, max_num_timeout=REQUEUES)
    executor.update_parameters(timeout_min=10 * 365 * 24 * 60, stderr_to_stdout=True)
    jobs = []
    for number, part in enumerate(parts):
        if gpus := torch.cuda.device_count():
            executor.update_parameters(gpus_per_node=1, visible_gpus=[number % gpus])
        jobs.append(executor.submit(make, part))
    return jobs


def _fitting(configs: Sequence["Configuration"]) -> int:
    from . import workers

    return workers.side_by_side(max(config.parameters() for config in configs))


def _wait(jobs: Sequence, configs: Sequence["Configuration"], pause: float) -> None:
    """Until all jobs ended; the bar counts the records that are there."""
    missing = list(configs)
    with tqdm(total=len(configs), desc=f"train in {len(jobs)} jobs", unit="run") as bar:
        while missing:
            over = all(job.done() for job in jobs)
            missing = _without_record(missing)
            if more := len(configs) - len(missing) - bar.n:
                bar.update(more)
            if over:
                return
            time.sleep(pause)
        while not all(job.done() for job in jobs):
            time.sleep(pause)


def _without_record(configs: Sequence["Configuration"]) -> list["Configuration"]:
    from . import store

    return [config for config in configs if store.find(config, False) is None]


def _check(jobs: Sequence, parts: Sequence[list["Configuration"]]) -> None:
    for job, part in zip(jobs, parts, strict=True):
        if failed := _without_record(part):
            said = (job.stdout() or "").strip().splitlines() or ["it said nothing"]
            what = f"{failed[0].name}, seed {failed[0].seed}"
            raise RuntimeError(
                f"A job ended without the record of its run ({what}): {said[-1]} The log is {job.paths.stdout}."
            )


def _submitit():
    need("submitit.helpers", extra="cluster")
    return need("submitit", extra="cluster")
