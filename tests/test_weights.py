"""Weight distance against brute force, and the spacing of its points."""

import itertools
import math

import pytest
import torch
from torch import nn

from utils.weights import is_log_spaced, weight_distance


def test_distance_is_over_all_parameters_and_no_buffers():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    initial = {name: value.clone() for name, value in model.state_dict().items()}
    assert weight_distance(model, initial) == 0.0
    squared = 0.0
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter += torch.randn_like(parameter)
            squared += ((parameter - initial[name]).double() ** 2).sum().item()
        model[1].running_mean += 100
    assert weight_distance(model, initial) == pytest.approx(math.sqrt(squared), rel=1e-6)


def test_points_are_log_spaced():
    steps = [step for step in range(1, 100_001) if is_log_spaced(step)]
    assert steps[:3] == [1, 2, 3]
    late = [step for step in steps if step > 1000]
    ratios = [second / first for first, second in itertools.pairwise(late)]
    assert all(1.10 < ratio < 1.15 for ratio in ratios)  # 10**(1/20) = 1.122
    assert not is_log_spaced(0)
