"""bigbatch.smoothout: noisy weights inside the block, the clean ones after it, and the gradient of main_gbn.py --ss."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

import bigbatch
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.smoothout import SmoothOut
from bigbatch.training.perturbation import quiet_names
from tests.data_helpers import assert_refused
from tests.methods.test_smoothout import batch_of, gradient, tiny_network

SETTINGS = [
    {'adapt_type': adapt_type, 'noise_type': noise_type, 'exclude_bn': exclude_bn}
    for adapt_type in ('none', 'weight', 'filter')
    for noise_type in ('uniform', 'normal')
    for exclude_bn in (False, True)
]


def weights_of(model) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def test_a_backward_pass_inside_gives_the_gradient_of_the_estimator():
    batch = batch_of(8)
    [(inputs, targets, _)] = list(batch)
    for settings in SETTINGS:
        model = tiny_network()
        others = {name: value for name, value in settings.items() if name != 'exclude_bn'}
        exclude = quiet_names(model, exclude_bn=settings['exclude_bn'])
        estimator = SmoothOut(PlainGradient(), lambda step: 0.1, ghost_size=None, seed=5, exclude=exclude, **others)
        expected = gradient(estimator, copy.deepcopy(model), batch, step=3)
        clean = weights_of(model)
        with bigbatch.smoothout(model, 0.1, seed=5, step=3, **settings):
            assert not torch.equal(weights_of(model), clean), settings
            nn.functional.cross_entropy(model(inputs), targets).backward()
        found = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, msg=str(settings))
        assert torch.equal(weights_of(model), clean), settings


def test_noise_is_a_function_of_seed_and_step_and_goes_where_the_block_fails():
    model, seen = tiny_network(), {}
    clean = weights_of(model)
    for seed, step in ((0, 0), (0, 1), (1, 0), (0, 0)):
        with pytest.raises(KeyboardInterrupt), bigbatch.smoothout(model, 0.5, seed=seed, step=step):
            noisy = weights_of(model)
            raise KeyboardInterrupt
        assert torch.equal(seen.setdefault((seed, step), noisy), noisy)
        assert torch.equal(weights_of(model), clean)
        assert 0.4 < (noisy - clean).abs().max() <= 0.5
    assert not torch.equal(seen[0, 0], seen[0, 1]) and not torch.equal(seen[0, 0], seen[1, 0])


def test_wrong_arguments_are_refused_in_one_line():
    model = tiny_network()
    for words, radius, settings in (
        ('radius -1', -1, {}),
        ('radius nan', float('nan'), {}),
        ("adapt_type 'layer': expected none, weight or filter", 0.1, {'adapt_type': 'layer'}),
        ("noise_type 'cauchy': expected uniform or normal", 0.1, {'noise_type': 'cauchy'}),
    ):
        assert_refused(words, lambda: bigbatch.smoothout(model, radius, seed=0, step=0, **settings).__enter__())  # noqa: B023
