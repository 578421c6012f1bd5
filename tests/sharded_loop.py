"""What each of two processes does in `test_parallel_loop`: the README's loop on half of a batch, DDP or FSDP2.

And the same for some steps, with what a large run has beside FSDP2: activation checkpointing and compiled blocks.
"""

import json

import torch
import torch.distributed as dist
from tiny_training import model, rows

from decondense import hooks, losses, measure
from decondense.trainers.watching import look

WEIGHT = 3.0
TEXTS = [list(range(20)), list(range(7, 27))]
STEPS = 6


def batch(rank: int | None = None):
    """Eight rows of equal length, or the half of one of two processes."""
    ids = torch.stack([row["input_ids"] for row in rows(8)])
    return ids if rank is None else ids[4 * rank : 4 * rank + 4]


def backward(net, ids) -> tuple[float, float]:
    """One backward pass of the loop; the language loss and the regulariser."""
    with hooks.residual_stream(net) as stream:
        loss = net(input_ids=ids, labels=ids).loss
    regulariser = sum(losses.dispersion(stream[layer]) for layer in range(1, len(stream))) / (len(stream) - 1)
    (loss + WEIGHT * regulariser).backward()
    return loss.item(), regulariser.item()


def curve(net, rank: int | None = None) -> list[list[float]]:
    """Both losses at each of `STEPS` steps, every one on a batch of its own, of which a process has one half."""
    optimizer, found = torch.optim.AdamW(net.parameters(), lr=1e-2), []
    for ids in torch.stack([row["input_ids"] for row in rows(8 * STEPS)]).split(8):
        seen = torch.tensor(backward(net, ids if rank is None else ids[4 * rank : 4 * rank + 4]), dtype=torch.float64)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if rank is not None:
            dist.all_reduce(seen)
            seen /= 2
        found.append(seen.tolist())
    return found


def sharded(net):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh("cpu", (2,))
    for block in hooks.blocks(net):
        fully_shard(block, mesh=mesh)
    return fully_shard(net, mesh=mesh)


def prepared(net):
    """FSDP2 over blocks that are checkpointed and compiled, in the order that torchtitan has them."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    net.config.use_cache = False  # a block that writes to a cache is not compiled with its checkpoint
    layers = hooks.blocks(net)
    for number, block in enumerate(layers):
        layers[number] = torch.compile(checkpoint_wrapper(block), backend="aot_eager")
    return sharded(net)


def run_steps(path: str) -> None:
    """The curve of the prepared model, its weights after it, and how many graphs were compiled."""
    dist.init_process_group("gloo")
    net = model().double()
    found = {"curve": curve(prepared(net), dist.get_rank())}
    found["weights"] = torch.cat([p.full_tensor().detach().flatten() for p in net.parameters()]).tolist()
    found["graphs"] = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    if dist.get_rank() == 0:
        with open(path, "w") as file:
            json.dump(found, file)
    dist.destroy_process_group()


def run(kind: str, path: str) -> None:
    """Gradients and the measurement of a wrapped model; the first process writes them."""
    dist.init_process_group("gloo")
    net = model().double()
    wrapped = sharded(net) if kind == "FSDP2" else torch.nn.parallel.DistributedDataParallel(net)
    _, value = backward(wrapped, batch(dist.get_rank()))
    whole = lambda grad: grad.full_tensor() if hasattr(grad, "full_tensor") else grad
    gradient = torch.cat([whole(p.grad).flatten() for p in net.parameters()])
    mu = measure(wrapped, None, TEXTS, max_length=20, progress=False).mu_per_text
    seen = look(wrapped, None, TEXTS, max_length=20)
    if dist.get_rank() == 0:
        found = {"gradient": gradient.tolist(), "regulariser": value, "mu": mu.tolist(), "seen": seen}
        with open(path, "w") as file:
            json.dump(found, file)
    dist.destroy_process_group()
