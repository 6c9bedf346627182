"""Blocks that ranks leave out: all ranks begin alike, take one mean gradient, and stay alike."""

from __future__ import annotations

import multiprocessing

import pytest
import torch
from torch import distributed, nn

from bigbatch.distributed import Ranks
from bigbatch.training.parallel import Parallel

# Which ranks use the block in each step: both, either, neither.
USED = ((0, 1), (0,), (), (1,), (), (0, 1))


def make_network(rank: int) -> nn.Module:
    torch.manual_seed(rank)  # as where the weights of a network are drawn from elsewhere than the seed of the run
    model = nn.ModuleDict({'first': nn.Linear(3, 4), 'block': nn.Linear(4, 4).double(), 'last': nn.Linear(4, 2)})
    model['first'].weight.data = model['first'].weight.data.t().contiguous().t()  # laid out in another order
    return model


def loss_of(model: nn.Module, rank: int, step: int) -> torch.Tensor:
    inputs = torch.randn(5, 3, generator=torch.Generator().manual_seed(10 * step + rank))
    hidden = model['first'](inputs)
    if rank in USED[step]:
        hidden = hidden + model['block'](hidden.double()).float()
    return model['last'](hidden).pow(2).mean()


def make_optimizer(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)


def train(rank: int, store: str, queue) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group('gloo', init_method=f'file://{store}', rank=rank, world_size=2)
    model = make_network(rank)
    parallel, optimizer = Parallel(model, Ranks(rank, 2), has_idle_parameters=True), make_optimizer(model)
    for step in range(len(USED)):
        optimizer.zero_grad()
        loss_of(parallel.model, rank, step).backward()
        parallel.reduce_gradients()
        optimizer.step()
    queue.put((rank, {name: value.numpy() for name, value in model.state_dict().items()}))
    distributed.destroy_process_group()


def train_alone() -> dict[str, torch.Tensor]:
    """Return what is right: the mean over both ranks in one graph, and no step where neither has a gradient."""
    model = make_network(0)
    optimizer = make_optimizer(model)
    for step in range(len(USED)):
        optimizer.zero_grad()
        ((loss_of(model, 0, step) + loss_of(model, 1, step)) / 2).backward()
        optimizer.step()
    return model.state_dict()


@pytest.mark.slow
def test_ranks_that_leave_out_blocks_by_turns_do_what_one_process_does(tmp_path):
    context = multiprocessing.get_context('spawn')
    queue = context.Queue()
    processes = [context.Process(target=train, args=(rank, str(tmp_path / 'store'), queue)) for rank in range(2)]
    for process in processes:
        process.start()
    found = dict(queue.get(timeout=120) for _ in processes)
    for process in processes:
        process.join()
    expected = {name: value.numpy() for name, value in train_alone().items()}
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=0)
    torch.testing.assert_close(found[0], expected)
