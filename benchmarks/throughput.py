"""Measure this project's training speed against the published pipeline, in one run on one machine.

    python benchmarks/throughput.py
    python benchmarks/throughput.py --dataset fake:60000:1x28x28 --pairs 10

Workload: mnist_f1 on MNIST, batch 4096, ghosts of 128, training only, no evaluation on either side. The published
pipeline (bigBatch, main_gbn.py) is rewritten here from its description and is no slower than it need be: a DataLoader
with two workers started for each epoch, transforms of one PIL image at a time, one forward and backward pass per chunk
of 128 through ordinary batch norm, top-1, top-5 and their `.item()` per chunk, averaged gradients, clipping, one SGD
step.
"""

from __future__ import annotations

import copy
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(PROJECT))

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import data  # noqa: E402
import models  # noqa: E402
import preprocess  # noqa: E402
from models.layers.ghost_batch_norm import convert_ghost_batch_norm  # noqa: E402
from utils import manifest  # noqa: E402
from utils.device import keep_freed_memory  # noqa: E402
from utils.errors import command  # noqa: E402
from utils.gradients import create_estimator  # noqa: E402
from utils.optim import RegimeOptimizer  # noqa: E402
from utils.parser import Parser, whole  # noqa: E402
from utils.regime import Regime  # noqa: E402
from utils.trainer import Trainer  # noqa: E402

BATCH, GHOST, CLIP = 4096, 128, 5.0
SETTINGS = {'optimizer': 'SGD', 'lr': 0.1, 'momentum': 0.9, 'weight_decay': 1e-4}


@command
def main(argv: list[str] | None = None) -> int:
    """Run every measurement and print the figures."""
    parser = Parser(description=__doc__)
    parser.add_argument('--dataset', default='mnist', help='data set of 1x28x28 images')
    parser.add_argument('--datasets-dir', help='folder of the data sets; $DATASETS_DIR, else ~/Datasets')
    parser.add_argument('--rounds', type=whole(1), default=3, help='epochs of each side, in turn; the median counts')
    parser.add_argument('--pairs', type=whole(1), default=30, help='pairs of steps, ghost and ordinary batch norm')
    flags = parser.parse_args(argv)
    dataset = data.get_dataset(flags.dataset, 'train', datasets_path=flags.datasets_dir)
    print(f'machine   {manifest.describe_device(torch.device("cpu"))}, {os.cpu_count()} cores')
    print(f'versions  {manifest.describe_versions()}  commit {manifest.describe_code()}')
    _print_help_time()
    rate = matrix_product_rate()
    print(f'limit     {rate / 1e9:.0f} GFLOP/s in float32 matrix products, the best of several shapes')
    flop = _print_step_times(flags.pairs, rate)
    _print_epoch_times(dataset, flags, flop / rate)
    return 0


def _print_epoch_times(dataset, flags, shortest_step: float) -> None:
    """Time epochs of both sides in turn, as images per second: ours drops the last incomplete batch of an epoch.

    Args:
        shortest_step: seconds of one update if it were nothing but matrix products at the measured rate.
    """
    ratios = []
    for number in range(1, flags.rounds + 1):
        ours = len(dataset) / our_images_per_second(dataset, flags.dataset)
        published = published_epoch_seconds(flags)
        ratios.append(published / ours)
        print(f'round {number}   {len(dataset):,} images: ours {ours:.2f} s, published {published:.2f} s', flush=True)
    limit = published / (shortest_step * len(dataset) / BATCH)
    print(
        f'ratio     {statistics.median(ratios):.1f} times as fast ({min(ratios):.1f} to {max(ratios):.1f}); '
        f'matrix products alone, at the measured rate, would be {limit:.1f} times as fast'
    )


def _print_help_time() -> None:
    seconds = []
    for script in ('main_normal.py', 'main_gbn.py', 'compare_experiments.py') * 3:
        start = time.perf_counter()
        subprocess.run([sys.executable, str(PROJECT / script), '--help'], check=True, capture_output=True)
        seconds.append(time.perf_counter() - start)
    print(f'--help    {statistics.median(seconds):.2f} s, median of {len(seconds)} calls')


def matrix_product_rate() -> float:
    """Measure the best float32 matrix-product rate, in floating-point operations per second."""
    rates = []
    for rows, inner, columns in ((2048, 2048, 2048), (4096, 512, 512), (4096, 784, 512)):
        left, right = torch.randn(rows, inner), torch.randn(inner, columns)
        seconds = min(_timed(lambda a=left, b=right: a @ b) for _ in range(20))
        rates.append(2 * rows * inner * columns / seconds)
    return max(rates)


def _timed(job: Callable[[], object]) -> float:
    start = time.perf_counter()
    job()
    return time.perf_counter() - start


def _print_step_times(num_pairs: int, rate: float) -> int:
    """Time steps with ghost and ordinary batch norm in turn, so that a slow moment hits both; return a step's FLOP."""
    inputs, targets = torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))
    ghost, ordinary = _step_of(GHOST, inputs, targets), _step_of(None, inputs, targets)
    for step in (ghost, ordinary):
        step()
        step()
    pairs = [(_timed(ghost), _timed(ordinary)) for _ in range(num_pairs)]
    ghost_median, ordinary_median = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratios = sorted(first / second for first, second in pairs)
    low, middle, high = (ratios[int(q * (len(ratios) - 1))] for q in (0.1, 0.5, 0.9))
    print(
        f'step      ghosts of {GHOST}: {ghost_median * 1e3:.1f} ms, ordinary batch norm: '
        f'{ordinary_median * 1e3:.1f} ms; '
        f'ratio {middle:.3f} (median of {num_pairs} pairs; 10 % to 90 %: {low:.3f} to {high:.3f})'
    )
    with FlopCounterMode(display=False) as counter:
        ghost()
    print(
        f'share     {counter.get_total_flops() / ghost_median / rate:.0%} of the matrix-product rate '
        f'({counter.get_total_flops() / 1e9:.1f} GFLOP in a step)', flush=True,
    )
    return counter.get_total_flops()


def _step_of(ghost: int | None, inputs: torch.Tensor, targets: torch.Tensor) -> Callable[[], None]:
    torch.manual_seed(0)
    model = models.create_model('mnist_f1')
    if ghost:
        convert_ghost_batch_norm(model, ghost)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(model(inputs), targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step


def our_images_per_second(dataset, name: str) -> float:
    """Train two epochs as main_gbn.py does and return the speed of the second."""
    keep_freed_memory()  # for the published pipeline, too, which runs in the same process
    torch.manual_seed(0)
    model = convert_ghost_batch_norm(models.create_model('mnist_f1'), GHOST)
    transform = preprocess.get_transform(name, augment=True, flip=True)
    train = data.build_loader(dataset, transform, batch_size=BATCH, device='cpu', shuffle=True, drop_last=True)
    few = data.build_loader(dataset.subset(list(range(GHOST))), transform, batch_size=GHOST, device='cpu')
    trainer = Trainer(
        model, nn.CrossEntropyLoss(reduction='sum'), RegimeOptimizer(model.parameters(), Regime({0: SETTINGS})),
        create_estimator('plain'), initial=copy.deepcopy(model.state_dict()), clip_grad=CLIP,
    )
    return [report.images_per_second for report in trainer.fit(train, few, num_epochs=2)][1]


def published_epoch_seconds(flags) -> float:
    """Train an epoch with the published pipeline and return its seconds."""
    from torchvision import transforms

    transform = transforms.Compose([
        transforms.Pad(2), transforms.RandomCrop(28), transforms.RandomHorizontalFlip(),
        transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,)),
    ])
    dataset = data.get_dataset(flags.dataset, 'train', transform, datasets_path=flags.datasets_dir)
    torch.manual_seed(0)
    model = models.create_model('mnist_f1').train()
    optimizer = torch.optim.SGD(model.parameters(), **{k: v for k, v in SETTINGS.items() if k != 'optimizer'})
    start = time.perf_counter()
    for inputs, targets in DataLoader(dataset, batch_size=BATCH, shuffle=True, num_workers=2):
        _published_step(model, optimizer, inputs, targets)
    return time.perf_counter() - start


def _published_step(model: nn.Module, optimizer, inputs: torch.Tensor, targets: torch.Tensor) -> None:
    num_chunks = BATCH // GHOST
    optimizer.zero_grad()
    for chunk, labels in zip(inputs.chunk(num_chunks), targets.chunk(num_chunks), strict=True):
        logits = model(chunk)
        loss = F.cross_entropy(logits, labels)
        top = logits.detach().topk(5, dim=1).indices == labels.unsqueeze(1)
        loss.item(), top[:, 0].sum().item(), top.sum().item()
        loss.backward()
    for parameter in model.parameters():
        parameter.grad /= num_chunks
    nn.utils.clip_grad_norm_(model.parameters(), CLIP)
    optimizer.step()


if __name__ == '__main__':
    sys.exit(main())
