"""Records of benchmarks whose numbers are written out."""

from decondense.bench import family, losses, measurement
from decondense.bench.measurement import GIVEN, OURS, PEERS_FORWARD, REAL, THEIRS

MIB = 2**20
PROVENANCE = {
    "utc": "2026-01-02T03:04:05+00:00",
    "hardware": {"system": "Abacus", "cores": 2, "memory_gib": 4.0},
    "packages": {"torch": "2.9.1", "transformers": "5.0", "numpy": "2.0"},
}


def record(experiment, config, results):
    config = {"threads": 2, "seed": 0, "rounds": 1} | config
    return {"experiment": experiment, "config": config, "results": results, "provenance": PROVENANCE}


def measured(layers=48, features=1600, texts=100, kind=GIVEN, ours=1.0, mib=4):
    row = {"forward": [1, 10 * MIB], PEERS_FORWARD: [2, 20 * MIB], THEIRS: [42, 820 * MIB]}
    row |= {case: [1 + ours, (10 + mib) * MIB] for case in OURS}
    agreement = {"mu": 1e-7, "rho": 0.0, "tau": 0.0, "histogram": 1e-5}
    config = {"kind": kind, "layers": layers, "features": features, "texts": texts}
    return record("bench-measurement", config, {"rows": [row, row], "agreement": agreement})


def loss(tokens=2048, features=1024, threads=2, exact=1.2):
    cost = {losses.PRODUCTS: 1.0, losses.NAIVE: 3.0, losses.EXACT: exact, losses.FIRST: 0.1}
    memory = {losses.NAIVE: tokens**2, losses.EXACT: tokens * 4096}
    row = {name: [seconds, memory.get(name, MIB)] for name, seconds in cost.items()}
    return record("bench-loss", {"tokens": tokens, "features": features, "threads": threads}, {"rows": [row]})


def every():
    """One of each experiment, each with a file name of its own."""
    alone = {losses.FIRST + losses.ALONE: [0.02, MIB], losses.FIRST: [2.01, MIB]}
    step = {losses.PLAIN: [2.0, MIB]} | alone
    short = {measurement.ALONE: [3.0, MIB], measurement.TOGETHER: [1.5, MIB]}
    start = {"bare Python": [0.01, 0], "import decondense": [0.05, 0], "decondense --help": [0.2, 0]}
    each = {name: [0.03, MIB] for name in family.OF} | {name + family.BARE: [0.02, 0] for name in family.OF}
    found = [measured(), measured(texts=10), measured(12, 768, 1, REAL), loss(), loss(4096), loss(features=256)]
    found += [
        record("bench-step", {"tokens": 1024}, {"rows": [step]}),
        record("bench-family", {"tokens": 1024, "features": 768}, {"rows": [each]}),
        record("bench-short-texts", {"tokens": 32, "texts": 100}, {"rows": [short], "mu": 2e-8}),
        record("bench-loaded", {"busy": 0, "threads": 2}, {"rows": [{losses.NAIVE: [2, 4], losses.EXACT: [1, 1]}]}),
        record("bench-loaded", {"busy": 2, "threads": 2}, {"rows": [{losses.NAIVE: [2, 4], losses.EXACT: [3, 5]}]}),
        record("bench-loaded", {"busy": 2, "threads": 1}, {"rows": [{losses.NAIVE: [4, 4], losses.EXACT: [1, 1]}]}),
        record("bench-start", {}, {"rows": [start], "corpus": [{"corpus": [40.0, 0]}]}),
    ]
    return [r | {"file": f"{r['experiment']}-{i}.json"} for i, r in enumerate(found)]
