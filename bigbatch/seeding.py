"""Random numbers as pure functions of what they are for.

Order, augmentation and noise come from generators seeded by a hash of their purpose, such as
(seed, 'order', epoch), so that they depend neither on how many numbers were drawn before nor on
workers, micro-batches or ranks. The original seeded the global generators once with 123.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import random
from collections.abc import Callable, Iterator

import numpy as np
import torch


def derive_seed(*parts: int | str) -> int:
    """Hash whole numbers and words to 63 bits, the same everywhere; type and order count, so 1 and '1' differ."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            text = f's{len(part)}:{part}'
        elif isinstance(part, int | np.integer) and not isinstance(part, bool):
            text = f'i{int(part)};'
        else:
            raise ValueError(f'part {part!r} of a seed is a {type(part).__name__}; expected an int or a str')
        digest.update(text.encode())
    return int.from_bytes(digest.digest()[:8], 'big') >> 1


def make_generator(*parts: int | str, device: torch.device | str = 'cpu') -> torch.Generator:
    """Build a generator seeded with derive_seed(*parts); a GPU's draws other numbers than a CPU's."""
    return torch.Generator(device).manual_seed(derive_seed(*parts))


def seed_everything(seed: int) -> None:
    """Seed the global generators of torch (CPU and every GPU), NumPy and Python."""
    torch.manual_seed(derive_seed(seed, 'torch'))
    np.random.seed(derive_seed(seed, 'numpy') % 2**32)
    random.seed(derive_seed(seed, 'python'))


def set_deterministic() -> None:
    """Choose reproducible kernels in full precision; call it before the first CUDA operation.

    An operation without a deterministic kernel raises a RuntimeError from then on. Results still differ between
    devices, numbers of threads and versions of torch.
    """
    os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')  # read by cuBLAS as it starts
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True)


def get_rng_state() -> dict:
    """Return the state of the global generators as tensors and plain types, fit for a checkpoint."""
    state = np.random.get_state(legacy=True)
    assert isinstance(state, tuple), 'the legacy form'
    name, keys, *rest = state
    return {
        'torch': torch.get_rng_state(),
        # asking a GPU that was never used for its state would start it
        'cuda': torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else [],
        'numpy': (name, torch.from_numpy(keys.astype(np.int64)), *rest),
        'python': random.getstate(),
    }


def rng_bytes() -> bytes:
    """Return the state of the global generators as bytes: the same, as long as nothing is drawn from them."""
    content = io.BytesIO()
    torch.save(get_rng_state(), content)
    return content.getvalue()


def set_rng_state(state: dict) -> None:
    """Restore what get_rng_state returned; GPUs that are not here, or not in it, are left alone."""
    torch.set_rng_state(state['torch'].cpu())
    if torch.cuda.is_available():
        for index, gpu_state in enumerate(state['cuda'][: torch.cuda.device_count()]):
            torch.cuda.set_rng_state(gpu_state.cpu(), index)
    name, keys, *rest = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), *rest))
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))


@contextlib.contextmanager
def isolated_rng() -> Iterator[Callable[[int], None]]:
    """Restore the global CPU generators after the block; it gets a function that seeds them inside.

    GPUs are left out: the block may run in a worker process, which must not start one.
    """
    saved = torch.get_rng_state(), np.random.get_state(), random.getstate()
    try:
        yield _seed_cpu
    finally:
        torch.set_rng_state(saved[0])
        np.random.set_state(saved[1])
        random.setstate(saved[2])


def _seed_cpu(seed: int) -> None:
    torch.default_generator.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)
