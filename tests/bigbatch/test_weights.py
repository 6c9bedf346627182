"""Weight distance against brute force, the spacing of its points, and the weights as one vector."""

import copy
import itertools

import numpy as np
import pytest
import torch
from torch import nn

from bigbatch.weights import array_to_parameters, is_log_spaced, parameters_to_array, trainable, weight_distance
from tests.networks import unchanged


def test_distance_is_over_all_parameters_and_no_buffers():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    initial, before = copy.deepcopy(model.state_dict()), parameters_to_array(list(model.parameters()))
    assert weight_distance(model, initial) == 0.0
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += torch.randn_like(parameter)
        model[1].running_mean += 100
    moved = np.linalg.norm(parameters_to_array(list(model.parameters())) - before)
    assert weight_distance(model, initial) == pytest.approx(moved, rel=1e-6)


def test_points_are_log_spaced():
    steps = [step for step in range(1, 100_001) if is_log_spaced(step)]
    assert steps[:3] == [1, 2, 3]
    late = [step for step in steps if step > 1000]
    ratios = [second / first for first, second in itertools.pairwise(late)]
    assert all(1.10 < ratio < 1.15 for ratio in ratios)  # 10**(1/20) = 1.122
    assert not is_log_spaced(0)


def test_the_vector_holds_what_is_trained_and_goes_back_in_its_order():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 2))
    model[0].bias.requires_grad_(False)
    model[0].to(memory_format=torch.channels_last)
    parameters = [parameter for _, parameter in trainable(model)]
    x = parameters_to_array(parameters)
    assert (x.dtype, x.shape) == (np.float64, (3 * 2 * 4 + 3 + 3 + 2 * 3 + 2,))
    assert [name for name, _ in trainable(model)] == ['0.weight', '1.weight', '1.bias', '3.weight', '3.bias']
    assert x[:24].reshape(3, 2, 2, 2)[1, 1, 0, 1] == model[0].weight[1, 1, 0, 1].item()
    before, tensors = copy.deepcopy(model.state_dict()), dict(model.named_parameters())
    values = np.arange(len(x)) + 1 / 3
    with unchanged(model, '0.weight', '1.weight', '1.bias', '3.weight', '3.bias'):
        array_to_parameters(values, parameters)
    assert np.array_equal(parameters_to_array(parameters), values.astype(np.float32).astype(np.float64))
    assert model[3].weight[1, 2].item() == np.float32(values[-3])
    assert all(tensors[name] is parameter for name, parameter in model.named_parameters())
    array_to_parameters(x, parameters)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(ValueError, match=rf'\(7,\) for {len(x)} numbers'):
        array_to_parameters(np.zeros(7), parameters)
