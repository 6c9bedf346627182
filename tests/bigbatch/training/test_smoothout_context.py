"""bigbatch.smoothout: noisy weights inside the block, the clean ones after it, and the gradient of main_gbn.py --ss."""

import copy
import itertools

import pytest
import torch
from torch import nn

import bigbatch
from bigbatch.training.gradients.plain import PlainGradient
from bigbatch.training.gradients.smoothout import SmoothOut
from bigbatch.training.perturbation import quiet_names
from tests.data_helpers import assert_all_refused
from tests.methods.test_smoothout import batch_of, gradient, tiny_network


def weights_of(model) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def test_a_backward_pass_inside_gives_the_gradient_of_the_estimator():
    batch = batch_of(8)
    [(inputs, targets, _)] = list(batch)
    for scale, noise, exclude_bn in itertools.product(('none', 'weight', 'filter'), ('uniform', 'normal'), (0, 1)):
        settings, model = {'adapt_type': scale, 'noise_type': noise}, tiny_network()
        exclude = quiet_names(model, exclude_bn=bool(exclude_bn))
        estimator = SmoothOut(PlainGradient(), lambda step: 0.1, ghost_size=None, seed=5, exclude=exclude, **settings)
        expected = gradient(estimator, copy.deepcopy(model), batch, step=3)
        clean = weights_of(model)
        with bigbatch.smoothout(model, 0.1, seed=5, step=3, exclude_bn=bool(exclude_bn), **settings):
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
    def refuse(radius=0.1, **settings):
        return lambda: bigbatch.smoothout(tiny_network(), radius, seed=0, step=0, **settings).__enter__()

    assert_all_refused(
        [
            ('radius -1', refuse(-1)),
            ('radius nan', refuse(float('nan'))),
            ("adapt_type 'layer': expected none, weight or filter", refuse(adapt_type='layer')),
            ("noise_type 'cauchy': expected uniform or normal", refuse(noise_type='cauchy')),
        ]
    )
