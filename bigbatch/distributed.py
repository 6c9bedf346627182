"""Several processes that train one network: who is who, what they sum up, and how one that fails ends them all.

torchrun starts the processes, the ranks, and tells each of them which it is by RANK, WORLD_SIZE and LOCAL_RANK. They
meet at its store, which also carries the message of a rank that fails to the others, so that the first one can write it
down. Sums go by gloo between CPUs and by NCCL between GPUs.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import os
import socket
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bigbatch.errors import DivergedError, Interrupted, OtherRankError, UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

log = logging.getLogger('bigbatch')

NAMES = ('RANK', 'WORLD_SIZE', 'LOCAL_RANK')
SECONDS_BETWEEN_LOOKS = 0.1
SECONDS_BETWEEN_SIGNALS = 2.0  # heeded while a machine does not answer at all
SECONDS_FOR_WORD = 3.0  # that a rank waits for the message of another one that fails as well
SECONDS_FOR_OTHERS = 1.0
SECONDS_TO_CONNECT = 300.0  # the first rank may be on another machine, and load a data set there first
SECONDS_TO_TELL = 3.0  # to reach the store at the end, which has gone where the first machine has ended


@dataclass(frozen=True)
class Ranks:
    """Which of the processes this one is."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # among those of this machine

    @property
    def is_first(self) -> bool:
        """Whether this is the rank that writes and prints."""
        return self.rank == 0

    def share(self, num: int) -> tuple[int, int]:
        """Return (start, stop) of this rank's part of range(num); all parts are equal where the ranks divide num."""
        return self.rank * num // self.size, (self.rank + 1) * num // self.size


ALONE = Ranks()


def world_size() -> str:
    """Return how many ranks there are, as torchrun says it, which may be no number; 1 without it."""
    return os.environ.get('WORLD_SIZE') or '1'


def is_first_rank() -> bool:
    """Tell whether this process prints: it is alone, or the first of the ranks that torchrun started."""
    return world_size() == '1' or (os.environ.get('RANK') or '0') == '0'


def from_environment() -> Ranks:
    """Return which rank this process is, from what torchrun sets; a UserError names variables that contradict."""
    if world_size() == '1':
        return ALONE
    texts = {name: os.environ.get(name) or '' for name in NAMES}
    missing = [name for name in (*NAMES, 'MASTER_ADDR', 'MASTER_PORT') if not os.environ.get(name)]
    if missing:
        raise UserError(f'WORLD_SIZE={texts["WORLD_SIZE"]}, but {missing[0]} is not set: start the ranks with torchrun')
    for name, text in texts.items():
        if not text.isdecimal():
            raise UserError(f'{name}={text} is no whole number: start the ranks with torchrun')
    rank, size, local_rank = map(int, texts.values())
    if not local_rank <= rank < size:
        raise UserError(f'RANK={rank} with WORLD_SIZE={size}, LOCAL_RANK={local_rank}: a rank is below the world size')
    return Ranks(rank, size, local_rank)


@contextlib.contextmanager
def process_group(ranks: Ranks, device: torch.device) -> Iterator[None]:
    """Join the ranks within the block, which all leave together; an OtherRankError says that another one failed."""
    if ranks.size == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    meet(ranks, 'begin')
    if device.type == 'cuda':
        torch.cuda.set_device(device)
    dist.init_process_group(
        'nccl' if device.type == 'cuda' else 'gloo',
        store=_open_store(ranks),
        rank=ranks.rank,
        world_size=ranks.size,
        timeout=datetime.timedelta(minutes=30),
    )
    try:
        with naming_failed_rank(ranks):
            yield
            dist.barrier()  # the first one has written everything before torchrun sees another one end
    except (DivergedError, Interrupted):
        with naming_failed_rank(ranks):  # the first one may fail to write how it ended
            dist.barrier()
        raise
    finally:
        dist.destroy_process_group()


@contextlib.contextmanager
def naming_failed_rank(ranks: Ranks) -> Iterator[None]:
    """Raise, in place of a RuntimeError that another rank cannot be reached, an OtherRankError with its message."""
    try:
        yield
    except RuntimeError as error:
        if ranks.size == 1 or not _is_about_connection(error):
            raise
        failure = None
        with contextlib.suppress(RuntimeError):  # the store may be gone with the first machine
            others = [rank for rank in range(ranks.size) if rank != ranks.rank]
            failure = _wait_for_failure(_open_store(ranks, SECONDS_TO_TELL), others, SECONDS_FOR_WORD)
        if failure is None:
            log.debug('%s', error)
            failure = OtherRankError('another rank is gone without a word, as if killed or cut off', is_told=False)
        raise failure from error


def _is_about_connection(error: RuntimeError) -> bool:
    import torch.distributed as dist

    return isinstance(error, dist.DistError) or '/gloo/' in str(error)  # which has no error of its own


def has_ranks() -> bool:
    """Tell whether this process has joined others."""
    import torch.distributed as dist

    return dist.is_initialized()


def sum_over_ranks(tensor: Tensor) -> Tensor:
    """Sum a tensor over the ranks in place, on each of them, and return it; nothing happens with one rank."""
    if has_ranks():
        import torch.distributed as dist

        dist.all_reduce(tensor)
    return tensor


def take_from_first(tensors: Iterable[Tensor]) -> None:
    """Give tensors, on all ranks, the values that they have on the first one."""
    if has_ranks():
        import torch.distributed as dist

        for tensor in (each.detach() for each in tensors):
            values = tensor.contiguous()
            dist.broadcast(values, 0)
            tensor.copy_(values)


def min_over_ranks(number: int, device: torch.device) -> int:
    """Return the least of the numbers of the ranks, to each of them."""
    if not has_ranks():
        return number
    import torch
    import torch.distributed as dist

    least = torch.tensor(number, device=device)
    dist.all_reduce(least, dist.ReduceOp.MIN)
    return int(least)


def gather_on_first(value: object, ranks: Ranks) -> list | None:
    """Return the values of all ranks in their order, to the first of them alone; all have to call it."""
    if ranks.size == 1:
        return [value]
    import torch.distributed as dist

    values: list[object] | None = [None] * ranks.size if ranks.is_first else None
    dist.gather_object(value, values)
    return values


def meet(ranks: Ranks, place: str) -> None:
    """Wait until all ranks have come to a place of this name, without a process group; or raise OtherRankError."""
    if ranks.size > 1:
        store = _open_store(ranks)
        store.set(f'{place}/{ranks.rank}', '')
        _wait_for(store, [f'{place}/{rank}' for rank in range(ranks.size)], ranks)


@contextlib.contextmanager
def after_first(ranks: Ranks, place: str) -> Iterator[None]:
    """Have the first rank run the block before the others do."""
    if not ranks.is_first:
        meet(ranks, place)
    yield
    if ranks.is_first:
        meet(ranks, place)


def hear_from_first(ranks: Ranks, name: str, value: str) -> str:
    """Return what the first rank calls this with, on all of them, without a process group."""
    if ranks.size == 1:
        return value
    store = _open_store(ranks)
    if ranks.is_first:
        store.set(name, value)
    _wait_for(store, [name], ranks)
    return store.get(name).decode()


def announce_failure(message: str, status: int) -> bool:
    """Tell the other ranks that this one fails, and say whether it is for this one to print the message.

    What all ranks find wrong alike, the first one prints. It waits a moment for the others, as torchrun ends those that
    are left once it sees one fail.
    """
    try:
        ranks = from_environment()
        if ranks.size == 1:
            return True
        store = _open_store(ranks, SECONDS_TO_TELL)
        store.set(f'failure/{ranks.rank}', f'{status} {message}')
        if ranks.is_first:
            _wait_for_failure(store, [ranks.size - 1], SECONDS_FOR_OTHERS)
            return True
        first = _wait_for_failure(store, [0], SECONDS_FOR_WORD)
    except (UserError, RuntimeError):  # no store to be reached: this message is what there is
        return True
    return first is None or str(first) != f'rank 0: {message}'


def _open_store(ranks: Ranks, seconds: float = SECONDS_TO_CONNECT):
    """Connect to the store of torchrun or of the first rank; each script and restart has names of its own in it."""
    import torch.distributed as dist

    of_torchrun = os.environ.get('TORCHELASTIC_USE_AGENT_STORE') == 'True'
    address, port = os.environ['MASTER_ADDR'], int(os.environ['MASTER_PORT'])
    if ranks.is_first and not of_torchrun:
        store = _serve(address, port, ranks.size)
    else:
        _wait_for_server(address, port, seconds)
        timeout = datetime.timedelta(seconds=seconds)
        store = dist.TCPStore(address, port, ranks.size, wait_for_workers=False, timeout=timeout)
    attempt = os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')
    return dist.PrefixStore(f'{Path(sys.argv[0]).name}/{attempt}', store)


def _wait_for_server(address: str, port: int, seconds: float) -> None:
    """Wait until there is a store to connect to: its own way to wait is deaf to signals."""
    import torch.distributed as dist

    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection((address, port), timeout=SECONDS_BETWEEN_SIGNALS).close()
        except OSError as error:
            if time.monotonic() > end:
                raise dist.DistNetworkError(f'no first rank at {address}:{port}: {error}') from error
            time.sleep(SECONDS_BETWEEN_LOOKS)
        else:
            return


@functools.cache  # for as long as this process lives: what the others have written must not go with the last user
def _serve(address: str, port: int, size: int):
    import torch.distributed as dist

    timeout = datetime.timedelta(seconds=SECONDS_TO_CONNECT)
    return dist.TCPStore(address, port, size, is_master=True, wait_for_workers=False, timeout=timeout)


def _wait_for(store, names: list[str], ranks: Ranks) -> None:
    while not store.check(names):
        if failure := _find_failure(store, range(ranks.size)):
            raise failure
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _wait_for_failure(store, whose: list[int], seconds: float) -> OtherRankError | None:
    end = time.monotonic() + seconds
    while (failure := _find_failure(store, whose)) is None and time.monotonic() < end:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    return failure


def _find_failure(store, whose: range | list[int]) -> OtherRankError | None:
    for rank in whose:
        if store.check([f'failure/{rank}']):
            status, _, message = store.get(f'failure/{rank}').decode().partition(' ')
            return OtherRankError(f'rank {rank}: {message}', int(status))
    return None
