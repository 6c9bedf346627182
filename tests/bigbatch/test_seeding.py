"""Seeds as pure functions of their purpose; states of generators that survive a checkpoint."""

import os
import random

import numpy as np
import pytest
import torch

from bigbatch.seeding import (
    derive_seed,
    get_rng_state,
    isolated_rng,
    make_generator,
    seed_everything,
    set_deterministic,
    set_rng_state,
)


@pytest.fixture(autouse=True)
def _restore_generators():
    state = get_rng_state()
    yield
    set_rng_state(state)


def draw_all():
    return torch.rand(3).tolist(), np.random.rand(3).tolist(), [random.random() for _ in range(3)]


def test_derived_seeds_are_frozen_and_differ_by_value_type_order_and_grouping():
    # first 8 bytes of the sha256 of 'i0;s5:orderi3;' by another tool; a change would reorder old runs
    assert derive_seed(0, 'order', 3) == 0xD42DF7E3C6B9004C >> 1
    parts = [(1,), ('1',), (1, 2), (2, 1), (12,), ('1', '2'), ('12',), ('1', 2), (-1,), (), ('',), ('i1;',)]
    seeds = [derive_seed(*part) for part in parts]
    assert len(set(seeds)) == len(parts)
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derive_seed(np.int64(5)) == derive_seed(5)
    for part in (1.5, True, None, b'x'):
        with pytest.raises(ValueError, match='expected an int or a str'):
            derive_seed(part)


def test_generators_are_independent_of_the_global_one_and_leave_it_alone():
    torch.manual_seed(1)
    first = torch.rand(4, generator=make_generator(3, 'noise'))
    after = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(torch.rand(1), after)
    assert torch.equal(torch.rand(4, generator=make_generator(3, 'noise')), first)
    assert not torch.equal(torch.rand(4, generator=make_generator(4, 'noise')), first)


def test_rng_state_survives_a_safe_checkpoint(tmp_path):
    seed_everything(5)
    np.random.randn()  # leaves a cached second normal, part of the state
    torch.save(get_rng_state(), tmp_path / 'rng.pth')
    expected = draw_all(), np.random.randn()
    set_rng_state(torch.load(tmp_path / 'rng.pth', weights_only=True))
    assert (draw_all(), np.random.randn()) == expected


def test_seeds_repeat_all_generators_and_isolated_rng_is_seeded_inside_and_restored_outside():
    seed_everything(5)
    first, second = draw_all(), draw_all()
    seed_everything(6)
    assert all(new != old for new, old in zip(draw_all(), first, strict=True))
    seed_everything(5)
    assert draw_all() == first
    with isolated_rng() as seed_generators:
        seed_generators(2**63 - 1)
        inside = draw_all()
    assert draw_all() == second
    with pytest.raises(KeyError), isolated_rng() as seed_generators:
        seed_generators(2**63 - 1)
        assert draw_all() == inside
        raise KeyError
    assert draw_all() not in (first, second, inside)


def test_set_deterministic_switches_everything_and_warns_of_nothing(recwarn, monkeypatch):
    monkeypatch.setenv('CUBLAS_WORKSPACE_CONFIG', 'x')  # noted by monkeypatch, which so restores what was there
    monkeypatch.delenv('CUBLAS_WORKSPACE_CONFIG')
    switches = [(torch.backends.cuda.matmul, 'allow_tf32')]
    switches += [(torch.backends.cudnn, name) for name in ('allow_tf32', 'benchmark')]
    before = [getattr(*switch) for switch in switches]
    try:
        for switch in switches:
            setattr(*switch, True)
        set_deterministic()
        assert os.environ['CUBLAS_WORKSPACE_CONFIG'] == ':4096:8'
        assert torch.are_deterministic_algorithms_enabled()
        assert [getattr(*switch) for switch in switches] == [False] * 3
        assert torch.get_float32_matmul_precision() == 'highest'
        assert not [warning for warning in recwarn if 'TF32' in str(warning.message)]
    finally:
        for switch, value in zip(switches, before, strict=True):
            setattr(*switch, value)
        torch.use_deterministic_algorithms(False)
