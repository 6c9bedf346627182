"""Within an epoch the host waits for no value from the device, so that a GPU never runs out of work."""

import copy
import functools

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from bigbatch.layers import ghost_batch_norm as gbn
from bigbatch.layers.conversion import convert_ghost_batch_norm
from bigbatch.regime import Regime
from bigbatch.training import trainer as trainers
from bigbatch.training.gradients.copies import AdaptGradNorm
from bigbatch.training.gradients.gradient_noise import GradientNoise
from bigbatch.training.gradients.noise_scale import NoiseScaleGradient
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.relu_noise import ReluNoise
from bigbatch.training.gradients.smoothout import SmoothOut
from bigbatch.training.optim import RegimeOptimizer
from bigbatch.training.scoring import summed_criterion
from data_sets.arrays import ArrayDataset
from data_sets.loader import DeviceLoader
from preprocess import get_transform

READS = ('_local_scalar_dense', 'nonzero', 'item', 'masked_select', 'is_nonzero', 'equal', '_unique2')
GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')


ESTIMATORS = {
    'plain': PlainGradient,
    'gradient_noise': functools.partial(GradientNoise, sigma=0.5, seed=0),
    'noise_scale': functools.partial(NoiseScaleGradient, ghost_size=4, num_steps=3),
    'adapt_grad_norm': lambda: AdaptGradNorm(inner=PlainGradient(), every=2),
    'relu_noise': lambda: ReluNoise(inner=PlainGradient(), width=0.1),
    'smoothout': lambda: SmoothOut(PlainGradient(), lambda step: 0.1, ghost_size=4, seed=0, adapt_type='filter'),
}


def make_trainer(device: str, estimator: str = 'plain', optimizer: str = 'SGD'):
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Flatten(),
        nn.Linear(196, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 10),
    )  # fmt: skip
    model = convert_ghost_batch_norm(model, 4).to(device)
    regime = Regime({0: {'optimizer': optimizer, 'lr': 0.01, 'weight_decay': 1e-4}})
    driven, initial = RegimeOptimizer(model.parameters(), regime), copy.deepcopy(model.state_dict())
    images = torch.randint(256, (26, 3, 16, 16), dtype=torch.uint8)
    dataset = ArrayDataset(images, torch.randint(10, (26,)), 10)
    settings = {'batch_size': 8, 'micro_batch_size': 4, 'shuffle': True, 'drop_last': True, 'device': device}
    settings['duplicates'] = 2 if estimator == 'adapt_grad_norm' else 1
    loader = DeviceLoader(dataset, get_transform('cifar10', augment=True, cutout=4), **settings)
    return trainers.Trainer(model, summed_criterion(None), driven, ESTIMATORS[estimator](), initial=initial), loader


@pytest.fixture
def looks(monkeypatch):
    counted = []
    monkeypatch.setattr(trainers._Watch, 'check', lambda watch: counted.append(len(watch._pending)))
    return counted


# Tensors on the device `meta` have no values: to read one is an error.
@pytest.mark.parametrize(('estimator', 'optimizer'), [
    ('plain', 'SGD'), ('plain', 'Adam'), ('gradient_noise', 'SGD'), ('relu_noise', 'SGD'), ('adapt_grad_norm', 'SGD'),
])  # fmt: skip
def test_no_value_is_read_in_an_epoch(estimator, optimizer, looks):
    trainer, loader = make_trainer('meta', estimator, optimizer)
    trainer._train_epoch(loader, 0, None)
    assert looks == [3]  # at the end of it, all updates together
    with pytest.raises(RuntimeError, match='meta'):
        next(trainer.model.parameters()).sum().item()


class Reads(TorchDispatchMode):
    """Note the operations that hand a value, or a shape that depends on values, to the host."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__
        indices = args[1] if name in ('index', 'index_put_') else ()
        if name in READS or any(index is not None and index.dtype == torch.bool for index in indices):
            self.names.append(name)
        return func(*args, **(kwargs or {}))


# For want of a generator they cannot run on `meta`.
@pytest.mark.parametrize('estimator', ['smoothout', 'noise_scale'])
def test_no_value_is_read_where_noise_is_drawn(estimator, looks, monkeypatch):
    monkeypatch.setattr(gbn, '_choose_kernel', lambda layer, inputs: gbn._folded)
    trainer, loader = make_trainer('cpu', estimator)
    monkeypatch.setattr(trainers._Watch, 'record', lambda watch, step, loss, norm, optimizer: None)
    trainer._train_epoch(loader, 0, None)
    with Reads() as reads:
        trainer._train_epoch(loader, 1, None)
        assert reads.names == []
        trainer._train_epoch(loader, 2, None)
        next(trainer.model.parameters()).detach().sum().item()
    assert reads.names == ['_local_scalar_dense']


@GPU
@pytest.mark.parametrize('estimator', ['plain', 'smoothout', 'gradient_noise', 'adapt_grad_norm'])
def test_a_gpu_is_not_waited_for(estimator, looks):
    trainer, loader = make_trainer('cuda', estimator)
    trainer._train_epoch(loader, 0, None)
    batches = loader.epoch(1)
    first = next(batches)  # the order of an epoch is moved to the device as it begins
    torch.cuda.set_sync_debug_mode('error')
    try:
        for batch in (first, *batches):
            trainer._train_step(batch, trainers._Watch(torch.device('cuda'), 1, lambda losses: losses))
    finally:
        torch.cuda.set_sync_debug_mode('default')


@GPU
def test_batches_made_on_a_side_stream_are_those_of_a_cpu():
    there, here = (make_trainer(device)[1] for device in ('cuda', 'cpu'))
    busy = torch.randn(2000, 2000, device='cuda')
    for epoch in range(2):
        for ours, theirs in zip(there.epoch(epoch), here.epoch(epoch), strict=True):
            for mine, other in zip(ours, theirs, strict=True):
                busy = (busy @ busy).clamp(-1, 1)
                assert all(torch.equal(one.cpu(), two) for one, two in zip(mine[1:], other[1:], strict=True))
                torch.testing.assert_close(mine.inputs.cpu(), other.inputs)
