"""Before training: what the recursion predicts for each design at real width, what its model has, how a router cuts."""

from collections.abc import Mapping, Sequence

import numpy as np

from ... import measure, records
from ...base import machine
from ...models import streaming
from ...models.variants import designs
from . import experts, recursion
from .data import texts
from .training import slug

CHECK = 0.001  # tolerance of a check run
DRAWS = 4  # of attention, in the recursion


def predicted(names: Sequence[str], initial: Mapping, sources: Sequence[str] = ()) -> records.Record:
    """The record of mu over depth for each design by the recursion: `mu`, name -> values.

    initial
        `shape` (as for `designs.config`), `data` (as for `data.texts`; the windows are the texts), `texts`, `seed`.
    """
    config = {"designs": list(names), "draws": DRAWS, **initial}

    def compute() -> tuple[dict, None]:
        ids = [np.array(row) for row in rows(initial, sources)]
        found = {name: recursion.sizes(configuration(name, initial)) for name in names}
        return {
            "mu": {name: recursion.predict(a, ids, DRAWS, initial["seed"]).tolist() for name, a in found.items()}
        }, None

    return records.run("resist-initial-predicted", config, compute, __name__, committed=True)


def measured(name: str, initial: Mapping, sources: Sequence[str] = ()) -> records.Record:
    """The record of mu over depth of a model of this design with first weights, a block at a time in memory."""
    config = {"design": name, **initial}
    compute = lambda: ({"mu": _measured(name, initial, sources)}, None)
    surroundings = {"versions": {package: records.version(package) for package in ("torch", "transformers")}}
    experiment = f"resist-initial-{slug(name)}"
    return records.run(experiment, config, compute, __name__, surroundings=surroundings, committed=True)


def _measured(name: str, initial: Mapping, sources: Sequence[str]) -> list[float]:
    small, ids = streaming.with_vocabulary(configuration(name, initial), rows(initial, sources))
    model = streaming.streamed(small, initial["seed"])
    how = {"max_length": initial["data"]["length"], "histogram": None, "name": name, "progress": False}
    return measure(model, None, ids, batch_tokens=sum(map(len, ids)), **how).mu.tolist()


def routed(shape: Mapping, data: Mapping, how: Mapping, seed: int, sources: Sequence[str] = ()) -> records.Record:
    """The record of `experts.alike` for a mixture of experts with first weights, those that a run of this seed begins
    with: what a router does that has learnt nothing.

    shape, data
        As for `training.run`; of its `training` what `how` needs: `held_out`, and `texts`, how many of these are read.
    """
    asked = {name: how[name] for name in ("held_out", "texts")}
    config = {"design": designs.EXPERTS, "shape": dict(shape), "data": dict(data), **asked, "seed": seed}

    def compute() -> tuple[dict, None]:
        model = designs.model(designs.EXPERTS, shape, data["vocabulary"], seed).to(machine.device()).eval()
        ids = texts(data, sources, how["held_out"]).held_out[: how["texts"]].to(machine.device())
        return {"experts": experts.alike(model, ids)}, None

    surroundings = {"versions": {name: records.version(name) for name in ("torch", "transformers")}}
    name = f"resist-initial-{slug(designs.EXPERTS)}"
    return records.run(name, config, compute, __name__, surroundings=surroundings, committed=True)


def configuration(name: str, initial: Mapping):
    """The configuration of a design at the size of the measurement."""
    return designs.config(name, initial["shape"], initial["data"]["vocabulary"])


def rows(initial: Mapping, sources: Sequence[str]) -> list[list[int]]:
    """The texts as token ids."""
    return texts(initial["data"], sources, initial["texts"]).held_out.tolist()


def check(record: records.Record, sources: Sequence[str] = ()):
    """A measurement made again now, beside its record."""
    config = record.content["config"]
    now = _measured(config["design"], {name: config[name] for name in config if name != "design"}, sources)
    apart = float(np.abs(np.subtract(now, record.content["results"]["mu"])).max())
    return records.beside_record([(f"{config['design']}, untrained: μ, largest difference", 0.0, apart, CHECK)])
