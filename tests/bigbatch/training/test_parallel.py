"""A rank's part of a batch, of the running statistics and of the sums, without other processes."""

import copy
import gc
import itertools
import socket

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.testing._internal.distributed.fake_pg import FakeStore

from bigbatch import distributed
from bigbatch.distributed import Ranks
from bigbatch.errors import Interrupted
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.regime import Regime
from bigbatch.training.gradients.gradient_noise import GradientNoise
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.smoothout import SmoothOut
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.parallel import Parallel, RankStatistics, has_idle_parameters, synchronize_batch_norm
from bigbatch.training.trainer import Trainer
from data_sets.arrays import ArrayDataset
from data_sets.loader import DeviceLoader
from data_sets.stream import StreamLoader
from tests.data_helpers import assert_refused
from tests.networks import num_parameters

NUM, BATCH, SUM = 52, 24, nn.CrossEntropyLoss(reduction='sum')


def make_loader(kind=DeviceLoader, **settings):
    values, targets = torch.arange(NUM * 3.0).view(NUM, 3), torch.arange(NUM) % 4
    settings = {'batch_size': BATCH, 'seed': 3, **settings}
    if kind is DeviceLoader:
        return DeviceLoader(ArrayDataset(values, targets, num_classes=4), None, **settings)
    return StreamLoader(list(zip(values, targets.tolist(), strict=True)), torch.Tensor.float, **settings)


@pytest.mark.parametrize('kind', [DeviceLoader, StreamLoader])
def test_the_parts_of_all_ranks_are_the_batch_in_order(kind):
    for settings, size in itertools.product((
        {'shuffle': True, 'micro_batch_size': 5}, {}, {'duplicates': 2},
        {'duplicates': 3, 'copies': 'together', 'shuffle': True, 'micro_batch_size': 6},
    ), (2, 5, 30)):  # fmt: skip
        whole = make_loader(kind, **settings)
        parts = [make_loader(kind, ranks=Ranks(rank, size), **settings) for rank in range(size)]
        for batch, *others in zip(whole.epoch(1), *(loader.epoch(1) for loader in parts), strict=True):
            assert [other.whole_size for other in others] == [batch.num_examples] * size
            assert sum(other.num_examples for other in others) == batch.num_examples
            for number in range(batch.duplicates):
                for found, expected in (
                    ([micro for other in others for micro in other], batch),
                    ([micro for other in others for micro in other.copy(number)], batch.copy(number)),
                ):
                    for name in ('inputs', 'indices'):
                        both = [torch.cat([getattr(micro, name) for micro in micros]) for micros in (found, expected)]
                        assert torch.equal(*both), (settings, size, name)


def make_network(momentum=0.1, ghost=2):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5, momentum=momentum), nn.ReLU(), nn.Linear(5, 4))
    return convert_ghost_batch_norm(model, ghost).double().train()


@pytest.mark.parametrize('momentum', [0.1, 1.0, None])
@pytest.mark.parametrize('before', [0, 3])
def test_parts_of_running_statistics_add_up_to_those_of_one_process(momentum, before, monkeypatch):
    inputs = torch.randn(4, 12, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    whole = make_network(momentum)
    for _ in range(before):
        whole(inputs[0])
    models = [copy.deepcopy(whole) for _ in range(3)]
    parts = [RankStatistics(model, Ranks(rank, 3)) for rank, model in enumerate(models)]
    for batch in inputs:
        whole(batch)
        for rank, (model, part) in enumerate(zip(models, parts, strict=True)):
            with part.of_update():
                for piece in batch[4 * rank : 4 * rank + 4].split(2):
                    model(piece)
    states = [part.state_dict() for part in parts]
    sums = torch.cat([sum(state[name] for state in states) for name in ('counts', 'part')])
    monkeypatch.setattr('bigbatch.training.parallel.sum_over_ranks', lambda tensor: sums)
    parts[1].gather()
    for name, buffer in whole.named_buffers():
        torch.testing.assert_close(models[1].get_buffer(name), buffer, rtol=1e-12, atol=1e-12)


@pytest.fixture
def ranks():
    """Two ranks, the other of which is not there and adds nothing."""
    dist.init_process_group('fake', store=FakeStore(), rank=0, world_size=2)
    yield Ranks(0, 2)
    dist.destroy_process_group()


@pytest.fixture
def counted(monkeypatch):
    """The numbers of values in each sum that is made outside of DistributedDataParallel."""
    sizes, original = [], dist.all_reduce
    monkeypatch.setattr(dist, 'all_reduce', lambda tensor: (sizes.append(tensor.numel()), original(tensor)))
    return sizes


def count_gradient_sums(parallel):
    sizes = []

    def hook(_, bucket):
        sizes.append(bucket.buffer().numel())
        done = torch.futures.Future()
        done.set_result(bucket.buffer())
        return done

    parallel.model.register_comm_hook(None, hook)
    return sizes


ESTIMATORS = {
    'plain': PlainGradient(),
    'gradient_noise': GradientNoise(sigma=1.0, seed=0),
    'smoothout': SmoothOut(PlainGradient(), lambda step: 0.1, ghost_size=2, seed=0),
}


@pytest.mark.parametrize('name', ESTIMATORS)
def test_gradients_are_summed_once_an_update(name, ranks, counted):
    parallel = Parallel(make_network(), ranks)
    sizes = count_gradient_sums(parallel)
    loader = make_loader(micro_batch_size=4, ranks=ranks, dtype=torch.float64, drop_last=True)
    for step, batch in enumerate(loader.epoch(0)):
        assert len(batch) == 3
        ESTIMATORS[name](parallel.model, SUM, batch, step=step)
    assert sizes == [num_parameters(parallel.model)] * 2
    assert counted == []


@pytest.fixture
def trainer(ranks):
    """A trainer past the log-spaced steps, the updates that it saved after, and a loader of 13 updates."""
    model, saved = make_network(), []
    parallel = Parallel(model, ranks)
    count_gradient_sums(parallel)  # as one rank has them; the other is not there
    optimizer = RegimeOptimizer(model.parameters(), Regime({0: {'optimizer': 'SGD', 'lr': 0.1}}))
    settings = {'initial': copy.deepcopy(model.state_dict()), 'first_step': 1025, 'parallel': parallel}
    settings['save'] = lambda epoch, step, partial: saved.append(step)
    trainer = Trainer(model, SUM, optimizer, PlainGradient(), **settings)
    return trainer, saved, make_loader(batch_size=4, ranks=ranks, dtype=torch.float64)


def test_a_look_at_the_loss_is_one_small_sum(trainer, counted):
    trainer, _, loader = trainer
    next(trainer.fit(loader, loader, num_epochs=1))
    # whether to stop; looks; training scores; running statistics, two of 5 channels and a count; validation scores
    assert counted == [1, *[3] * 13, 4, 11, 4]


def test_what_one_rank_asks_for_all_do(trainer, monkeypatch):
    """Each look adds up losses and requests, here with another rank that asks to save, then to stop."""
    trainer, saved, loader = trainer
    answers = [[0, 1], [1, 0]]

    def sums_with_the_other(sums):
        return sums + torch.tensor([0.0, *answers.pop(0)], dtype=sums.dtype)

    monkeypatch.setattr('bigbatch.training.trainer.sum_over_ranks', sums_with_the_other)
    with pytest.raises(Interrupted, match='after update 1027'):
        next(trainer.fit(loader, loader, num_epochs=1))
    assert saved == [1026, 1027]


def test_parameters_that_nothing_depends_on_are_found():
    model, examples = make_network(), (torch.randn(4, 3, dtype=torch.float64), torch.arange(4))
    assert not has_idle_parameters(model, SUM, examples)
    model.idle = nn.Parameter(torch.zeros(2))
    assert has_idle_parameters(model, SUM, examples)


def test_ghosts_are_not_lost_to_synchronised_batch_norm():
    assert_refused('1 is a GhostBatchNorm1d', lambda: synchronize_batch_norm(make_network()))
    plain = synchronize_batch_norm(nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5)))
    assert isinstance(plain[1], nn.SyncBatchNorm)


def test_without_torchrun_the_first_rank_keeps_the_store_for_the_others(monkeypatch):
    with socket.socket() as found:
        found.bind(('127.0.0.1', 0))
        monkeypatch.setenv('MASTER_PORT', str(found.getsockname()[1]))
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.delenv('TORCHELASTIC_USE_AGENT_STORE', raising=False)
    distributed._open_store(Ranks(0, 2, 0)).set('word', 'of the first')
    gc.collect()
    assert distributed._open_store(Ranks(1, 2, 1)).get('word') == b'of the first'
