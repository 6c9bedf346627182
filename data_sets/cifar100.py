"""CIFAR-100 (Krizhevsky 2009), its 100 fine labels, from the official Python files; validated on as CIFAR-10 is."""

from __future__ import annotations

from data_sets.catalog import Preset
from data_sets.official import load_cifar

PRESET = Preset(pad=4, fill=127, flip=True, augment=True, mean=(0.5071, 0.4865, 0.4409), std=(0.2673, 0.2564, 0.2762))
DOWNLOADS = True
load = load_cifar  # from cifar-100-python
