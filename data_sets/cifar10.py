"""CIFAR-10 (Krizhevsky 2009) from the official Python files; as in the bigBatch code, the test set is validated on."""

from __future__ import annotations

from data_sets.catalog import Preset
from data_sets.official import load_cifar

PRESET = Preset(pad=4, fill=127, flip=True, augment=True, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616))
DOWNLOADS = True
load = load_cifar  # from cifar-10-batches-py
