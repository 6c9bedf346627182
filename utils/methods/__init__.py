"""The methods that repair a large batch, or measure what it does: a file each, with its settings and its hooks.

Nothing here imports torch before a network is to be changed, as this answers to a parser.
"""

from __future__ import annotations

from utils.methods.base import Method, RunSettings
from utils.methods.copies import Copies
from utils.methods.dropout import Dropout
from utils.methods.early_stop import EarlyStop
from utils.methods.gradient_noise import GradientNoise
from utils.methods.noise_scale import NoiseScale
from utils.methods.relu_noise import ReluNoise
from utils.methods.smoothout import SmoothOut
from utils.methods.weight_average import WeightAveraging

# The order is that in which they are described, and in which one wraps the gradient of those before it.
METHODS: tuple[type[Method], ...] = (
    NoiseScale, GradientNoise, ReluNoise, Dropout, SmoothOut, Copies, WeightAveraging, EarlyStop,
)  # fmt: skip


def describe_methods(run: RunSettings) -> list[tuple[str, str]]:
    """Return (label, text) for each label of the methods that are on."""
    lines: dict[str, list[str]] = {}
    for method in run.methods_on:
        if text := method.describe(run):
            lines.setdefault(method.LABEL, []).append(text)
    return [(label, ', '.join(texts)) for label, texts in lines.items()]
