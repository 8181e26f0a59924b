"""Training over processes and machines: what ``Device(distributed=True)`` does.

The same script runs in several processes, which `torch.distributed` connects. On one machine:

    torchrun --nproc-per-node 2 train.py

and on two machines, with another rank on each:

    torchrun --nnodes 2 --node-rank 0 --nproc-per-node 2 --master-addr 10.0.0.1 --master-port 29500 train.py
    torchrun --nnodes 2 --node-rank 1 --nproc-per-node 2 --master-addr 10.0.0.1 --master-port 29500 train.py

``train.py`` is the script for one process, with one more parameter:

    forecaster = LSTMForecaster(horizon=24, device=Device(distributed=True)).fit(y)
    if os.environ["RANK"] == "0":
        forecaster.save("model.safetensors")

Every process reads all the data, which take their memory in each, and holds a copy of the network. All visit the
samples in the same order; of each batch a process computes its rows, and the gradients are summed before they are
clipped and applied. So ``batch_size`` is that of all processes together, and losses are those of one process, rounding
aside. Held-out rows are split in the same way, and all processes stop after the same epoch with the same weights, bit
for bit. Their seed is that of process 0, which alone shows progress and calls ``callbacks``; Ctrl-C in any of them ends
the training in all.

- **Process group**: that of ``torch.distributed.init_process_group``, if the script has called it; else one is made of
  torchrun's environment, gloo for CPUs and NCCL for GPUs, and destroyed after the fit.
- **GPUs**: ``Device("cuda", distributed=True)`` is GPU number ``LOCAL_RANK``.
- **Threads**: torchrun sets ``OMP_NUM_THREADS=1``, unless it is set, and ``n_threads=None`` keeps to it: for two
  processes on eight processors, start with ``OMP_NUM_THREADS=4``. Where it is not set, each process takes its share of
  them.
- **When a process dies**: the others raise a RuntimeError, at once if its connection breaks, otherwise after
  ``timeout`` seconds. They keep the best weights so far, as after Ctrl-C, and can predict and save.
  torchrun sends the others a SIGTERM a moment later; a script that saves then must ignore it, with
  ``signal.signal(signal.SIGTERM, signal.SIG_IGN)``. NCCL's watchdog ends the others by itself, unless
  ``TORCH_NCCL_ASYNC_ERROR_HANDLING=0`` is set.
- **Checkpoints**: process 0 alone reads and writes those of ``checkpoint="folder"`` and sends the others the state, so
  the folder need not be shared. Another number of processes can continue from them, which changes roundings.
- **Not with** ``n_estimators`` above 1 or the several jobs of a backtest or search.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from lstmforecast import _core
from lstmforecast.contract.pytorch import require_pytorch

if TYPE_CHECKING:
    import torch

_ENVIRONMENT = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
_groups_made = itertools.count()
_last_group: list[Any] = []


class Processes:
    """The processes of torch.distributed's default group.

    Parameters
    ----------
    timeout : float
        Seconds to wait for the others.
    device : str or None
        The device whose tensors alone the group adds up; None: it adds up those in the processor's memory.

    Attributes
    ----------
    rank, world_size : int
        Which process this is, of how many.
    device : str or None
        As given.
    all_reduce : callable
        Begins to replace a list's one tensor by its sum over the processes; returns the work to ``wait()`` for.
    """

    def __init__(self, timeout: float, device: str | None = None) -> None:
        import torch.distributed as dist

        self.device = device
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()
        group = dist.group.WORLD
        assert group is not None
        options = dist.AllreduceOptions()
        options.timeout = timedelta(seconds=timeout)
        # compiled through and through: Python's own function could be interrupted between two tensors
        self.all_reduce = functools.partial(group.allreduce, opts=options)

    def of_first(self, value: Any) -> Any:
        """What process 0 has for ``value``."""
        import torch.distributed as dist

        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def share_end(self, outcome: dict[str, Any]) -> dict[str, Any]:
        """A training's outcome, with an error where another process has ended with one."""
        import torch.distributed as dist

        if outcome["stop_reason"] == "process_lost":
            return outcome
        own = None if outcome["error"] is None else (outcome["stop_reason"], repr(outcome["error"]))
        ends: list[Any] = [None] * self.world_size
        try:
            dist.all_gather_object(ends, own)
        except RuntimeError as error:
            text = f"process {self.rank} of {self.world_size} lost another one at the end of the training ({error})"
            return outcome | {"stop_reason": "process_lost", "error": RuntimeError(text)}
        except KeyboardInterrupt as interrupt:
            return outcome | {"stop_reason": "interrupted", "error": interrupt}
        for rank, end in enumerate(ends):
            if own is None and end is not None:
                text = f"process {rank} of {self.world_size} ended the training with {end[1]}"
                return outcome | {"stop_reason": end[0], "error": RuntimeError(text)}
        return outcome


@contextmanager
def join(device: str, timeout: float) -> Iterator[Processes]:
    """Join the processes that train together; a group that is made for it is destroyed at the end.

    Raises
    ------
    ImportError
        If PyTorch is missing or too old.
    RuntimeError
        If there is neither a process group nor an environment to make one of, or if it can't serve ``device``.
    """
    require_pytorch("Device(distributed=True)")
    import torch
    import torch.distributed as dist

    if not dist.is_available():
        raise RuntimeError("expected a torch with torch.distributed for Device(distributed=True), got one without")
    kind = device.split(":")[0]
    if dist.is_initialized():
        backends = str(dist.get_backend_config())
        if f"{kind}:" not in backends:
            raise RuntimeError(f"expected a process group for device={device!r}, got one of backends {backends}")
        yield Processes(timeout, None if "cpu:" in backends else device)
        return
    store, rank, world_size = _rendezvous(timeout)
    # each group under keys of its own: gloo would find the addresses of the one before
    dist.init_process_group(
        "gloo" if kind == "cpu" else "cpu:gloo,cuda:nccl",
        store=dist.PrefixStore(f"lstmforecast/{next(_groups_made)}", store),
        rank=rank,
        world_size=world_size,
        timeout=timedelta(seconds=timeout),
    )
    try:
        yield Processes(timeout)
    finally:
        if torch.__version__ < (2, 13):
            # its destructor waits for gloo's threads with the GIL held, which they may still want: in the next fit they
            # are idle
            _last_group[:] = [dist.group.WORLD]
        dist.destroy_process_group()


def local_device(device: str) -> str:
    """``"cuda"`` as the GPU of this process, ``"cuda:1"`` for the second on a machine; others as they are."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else device


def threads_of_process(asked: int | None) -> int | None:
    """Threads: as asked for or as ``OMP_NUM_THREADS`` says, else this process's share of the machine's."""
    if asked is not None or "OMP_NUM_THREADS" in os.environ:
        return asked
    return max(1, _core.n_threads() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))


@functools.cache
def _rendezvous(timeout: float) -> tuple[torch.distributed.Store, int, int]:
    """Where the processes meet: once in the life of a process, as process 0 may keep the place itself."""
    import torch.distributed as dist

    missing = [name for name in _ENVIRONMENT if not os.environ.get(name)]
    if missing:
        raise RuntimeError(
            f"expected {', '.join(_ENVIRONMENT)} in the environment for Device(distributed=True), got no {missing[0]}: "
            "start with torchrun --nproc-per-node 2 script.py, or call torch.distributed.init_process_group"
        )
    store, rank, world_size = next(dist.rendezvous("env://", timeout=timedelta(seconds=timeout)))
    return store, rank, world_size
