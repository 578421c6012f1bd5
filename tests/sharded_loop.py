"""What each of two processes does in `test_parallel_loop`: the README's loop on half of a batch, DDP or FSDP2."""

import json

import torch
import torch.distributed as dist
from tiny_training import model, rows

from decondense import hooks, losses, measure
from decondense.trainers.watching import look

WEIGHT = 3.0
TEXTS = [list(range(20)), list(range(7, 27))]


def batch(rank: int | None = None):
    """Eight rows of equal length, or the half of one of two processes."""
    ids = torch.stack([row["input_ids"] for row in rows(8)])
    return ids if rank is None else ids[4 * rank : 4 * rank + 4]


def backward(net, ids) -> float:
    """One backward pass of the loop; the value of the regulariser."""
    with hooks.residual_stream(net) as stream:
        loss = net(input_ids=ids, labels=ids).loss
    regulariser = sum(losses.dispersion(stream[layer]) for layer in range(1, len(stream))) / (len(stream) - 1)
    (loss + WEIGHT * regulariser).backward()
    return regulariser.item()


def sharded(net):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (2,))
    for block in hooks.blocks(net):
        fully_shard(block, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def run(kind: str, path: str) -> None:
    """Gradients and the measurement of a wrapped model; the first process writes them."""
    dist.init_process_group("gloo")
    net = model().double()
    wrapped = sharded(net) if kind == "FSDP2" else torch.nn.parallel.DistributedDataParallel(net)
    value = backward(wrapped, batch(dist.get_rank()))
    whole = lambda grad: grad.full_tensor() if hasattr(grad, "full_tensor") else grad
    gradient = torch.cat([whole(p.grad).flatten() for p in net.parameters()])
    mu = measure(wrapped, None, TEXTS, max_length=20, progress=False).mu_per_text
    seen = look(wrapped, None, TEXTS, max_length=20)
    if dist.get_rank() == 0:
        found = {"gradient": gradient.tolist(), "regulariser": value, "mu": mu.tolist(), "seen": seen}
        with open(path, "w") as file:
            json.dump(found, file)
    dist.destroy_process_group()
