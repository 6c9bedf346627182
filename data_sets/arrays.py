"""A data set that lives decoded in memory, as one tensor of images or features and one of labels.

The loaders move it to the device as a whole, where batches are gathered and augmented; one by one its
examples look like those of a torchvision data set.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Sequence

import torch
from torch.utils.data import Dataset

_PIL_CHANNELS = (1, 3, 4)  # grey, RGB, RGBA; images of others, which PIL has no mode for, stay tensors


class ArrayDataset(Dataset):
    """Images, uint8 (N, C, H, W), or float32 features (N, ...), which are never augmented, and labels (N,) from 0."""

    classes: Sequence[str] | None = None  # their names; None: they have none but their labels
    preset: str | None = None  # how preprocess knows such images; None: by the name of the data set
    transform: Callable | None = None  # applied to the image of an example, not to features
    target_transform: Callable | None = None  # applied to the label of an example

    def __init__(self, images: torch.Tensor, targets: torch.Tensor, num_classes: int | None = None):
        assert images.dtype in (torch.uint8, torch.float32), images.dtype
        assert images.dtype == torch.float32 or images.dim() == 4, tuple(images.shape)
        assert targets.shape == (len(images),), (tuple(images.shape), tuple(targets.shape))
        self.images = images.contiguous()
        self.targets = targets.to(torch.int64)
        self.num_classes = int(self.targets.max()) + 1 if num_classes is None else num_classes

    @property
    def is_float(self) -> bool:
        """Whether the examples are float features rather than uint8 images."""
        return self.images.dtype == torch.float32

    @property
    def num_bytes(self) -> int:
        """Bytes of memory that the examples take up."""
        return self.images.nbytes

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one example before any transform: (C, H, W) or that of the features."""
        return tuple(self.images.shape[1:])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int):
        """Return (image, label): a PIL image, or what the transform makes of it, or the float features."""
        image, target = self.images[index], int(self.targets[index])
        if not self.is_float:
            image = _to_pil(image) if image.shape[0] in _PIL_CHANNELS else image
            image = image if self.transform is None else self.transform(image)
        return image, target if self.target_transform is None else self.target_transform(target)

    def subset(self, indices: Sequence[int] | torch.Tensor) -> ArrayDataset:
        """Return a data set of the given examples, in that order, with the same classes and transforms."""
        chosen, indices = copy.copy(self), torch.as_tensor(indices, dtype=torch.int64)
        chosen.images = self.images.index_select(0, indices)
        chosen.targets = self.targets.index_select(0, indices)
        return chosen

    def fingerprint(self) -> str:
        """Hash shapes, dtypes and bytes to 16 hex digits, so that a resumed run notices changed data."""
        digest = hashlib.sha256()
        for tensor in (self.images, self.targets):
            digest.update(f'{tensor.dtype} {tuple(tensor.shape)};'.encode())
            digest.update(tensor.numpy())
        return digest.hexdigest()[:16]


def _to_pil(image: torch.Tensor):
    from PIL import Image  # only where single examples are looked at

    pixels = image.permute(1, 2, 0).numpy()
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
