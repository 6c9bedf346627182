"""What happens to an image before a network sees it, for one image and for whole batches.

Source: preprocess.py of the bigBatch code (Hoffer et al. 2017, arXiv 1705.08741): pad, crop at random, flip,
normalise. Where we differ: one description has two realisations, per image (torchvision's functional
operations) and per batch on its device, held against each other by a test; CIFAR is normalised with its own
statistics (the original used ImageNet's); digits are not mirrored unless asked for; evaluation is not
resized unless asked for. The random choices are drawn apart from their application, so a loader can draw
them once per epoch and index them by example.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F

from utils.errors import suggest


class Preset(NamedTuple):
    """How images of one data set are treated unless told otherwise.

    pad: pixels added on each side before the random crop; None: 4 from 32 pixels on, else 2.
    fill: grey level of the added pixels. flip: mirror at random. augment: whether training augments.
    mean, std: per channel, or one for all, of pixels in 0..1.
    """

    pad: int | None
    fill: int
    flip: bool
    augment: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]


_PRESETS = {
    'mnist': Preset(2, 0, False, True, (0.5,), (0.5,)),
    'digits': Preset(1, 0, False, False, (0.5,), (0.5,)),
    'cifar10': Preset(4, 127, True, True, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)),
    'cifar100': Preset(4, 127, True, True, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762)),
    'fake': Preset(None, 127, True, True, (0.5,), (0.5,)),
    '*.npz': Preset(None, 0, True, True, (0.5,), (0.5,)),
}


class _Geometry(NamedTuple):
    """Sizes as (height, width); center: row and column of the centre crop in the padded image."""

    resized: tuple[int, int]
    pad: int
    crop: tuple[int, int]
    center: tuple[int, int]


@dataclass(frozen=True)
class Transform:
    """Crop, flip and normalise, as get_transform describes it.

    Call it with one PIL image or uint8 tensor (C, H, W), or use `batch` on uint8 (N, C, H, W). Both give
    float tensors, normalised, of the size that `output_size` names.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int | None
    fill: int
    input_size: int | None
    scale_size: int | None
    augment: bool
    flip: bool

    def __call__(self, image, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """Transform one image with choices from the generator (default: torch's global one).

        Args:
            image: PIL image or uint8 tensor (C, H, W).
        Returns: float32 (C, h, w), normalised.
        """
        from torchvision.transforms import functional as tvf  # takes long to import: only where it is used

        image = image if isinstance(image, torch.Tensor) else tvf.pil_to_tensor(image)
        self._check_channels(image.shape[0])
        geometry = self._geometry(image.shape)
        choices = self.draw(1, generator, image_size=image.shape)
        top, left, flip = (*geometry.center, 0) if choices is None else choices[0].tolist()
        padded = tvf.pad(_resize(image, geometry.resized), [geometry.pad], fill=self.fill)
        cropped = tvf.crop(padded, top, left, *geometry.crop)
        pixels = tvf.convert_image_dtype(tvf.hflip(cropped) if flip else cropped, torch.float32)
        return tvf.normalize(pixels, self.mean, self.std)

    def output_size(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return (height, width) after the transform of images of that size.

        Args:
            image_size: ends in (height, width); a whole (C, H, W) will do.
        Raises:
            ValueError: the images are too small for `input_size`, or do not fit `scale_size`.
        """
        return self._geometry(image_size).crop

    def draw(
        self, num: int, generator: torch.Generator | None = None, *, image_size: Sequence[int]
    ) -> torch.Tensor | None:
        """Make the random choices for `num` images.

        Args:
            generator: on the CPU; None: torch's global one.
            image_size: ends in (height, width), before padding.
        Returns: int64 (num, 3) on the CPU: row and column of the crop in the padded image, mirrored or not;
            None if there is nothing to choose.
        """
        geometry = self._geometry(image_size)
        if not self.augment:
            return None
        num_offsets = (
            size + 2 * geometry.pad - crop + 1
            for size, crop in zip(image_size[-2:], geometry.crop, strict=True)
        )
        ends = (*num_offsets, 2 if self.flip else 1)
        return torch.stack([torch.randint(end, (num,), generator=generator) for end in ends], dim=1)

    def apply(
        self, images: torch.Tensor, choices: torch.Tensor | None = None, *, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Transform a batch with given choices, on the device that it is on.

        The number of kernels does not depend on N, and nothing waits for the device if the choices are there.

        Args:
            images: uint8 (N, C, H, W).
            choices: (N, 3) from `draw`; None: the centre crop, not mirrored.
        Returns: (N, C, h, w) of `dtype`, normalised; computed in float32 at least.
        """
        geometry = self._geometry(images.shape)
        if choices is None:
            crops = _center_crop(_resize(images, geometry.resized), geometry, self.fill)
            return self._normalize(crops, dtype)
        if not self.augment:
            raise ValueError('choices given to a transform that makes none; expected None for augment=False')
        choices = choices.to(images.device)
        crops = _crop(_pad(images, geometry.pad, self.fill), choices[:, 0], choices[:, 1], geometry.crop)
        return self._normalize(_mirror(crops, choices[:, 2]) if self.flip else crops, dtype)

    def batch(self, images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Draw choices and apply them: uint8 (N, C, H, W) to float32 (N, C, h, w), normalised."""
        return self.apply(images, self.draw(len(images), generator, image_size=images.shape))

    def _geometry(self, image_size: Sequence[int]) -> _Geometry:
        """Work out every size for images whose size ends in (height, width)."""
        original = tuple(image_size[-2:])
        resize = self.scale_size is not None and not self.augment
        resized = _resized_size(original, self.scale_size) if resize else original
        pad = 0 if resize else self._padding(original)
        crop = original if self.input_size is None else (self.input_size, self.input_size)
        if any(wanted > size + 2 * pad for wanted, size in zip(crop, resized, strict=True)):
            raise ValueError(
                f'input_size {max(crop)} is more than images of {resized[0]}x{resized[1]} padded by {pad} '
                f'give; expected 1 to {min(resized) + 2 * pad}'
            )
        # rounded as torchvision's center_crop does on the image before padding
        center = tuple(pad + round((size - wanted) / 2) for wanted, size in zip(crop, resized, strict=True))
        return _Geometry(resized, pad, crop, center)

    def _padding(self, image_size: tuple[int, int]) -> int:
        """Return the pixels added on each side."""
        shorter = min(image_size)
        if self.scale_size is None:
            return self.pad if self.pad is not None else (4 if shorter >= 32 else 2)
        pad, odd = divmod(self.scale_size - shorter, 2)
        if pad < 0 or odd:
            nearest = f'{shorter} or more' if pad < 0 else f'{self.scale_size - 1} or {self.scale_size + 1}'
            raise ValueError(
                f'scale_size {self.scale_size} cannot be reached by padding images of '
                f'{image_size[0]}x{image_size[1]} evenly; expected {nearest}'
            )
        return pad

    def _normalize(self, images: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Map uint8 to (pixel / 255 - mean) / std."""
        self._check_channels(images.shape[1])
        working = torch.float64 if dtype == torch.float64 else torch.float32
        mean, scale = _constants(self.mean, self.std, images.device, working)
        images = images.to(working, memory_format=torch.contiguous_format)
        return images.sub_(mean).mul_(scale).to(dtype)

    def _check_channels(self, num_channels: int) -> None:
        if len(self.mean) not in (1, num_channels):
            raise ValueError(
                f'normalize has {len(self.mean)} values, the images {num_channels} channels; '
                f'expected {num_channels} values, or 1 for all'
            )


def get_transform(
    name: str,
    input_size: int | None = None,
    scale_size: int | None = None,
    normalize: Mapping[str, Sequence[float]] | None = None,
    augment: bool = True,
    *,
    flip: bool | None = None,
) -> Transform:
    """Build the transform of a data set.

    With augment: pad all around, crop `input_size` at random, mirror at random, scale to 0..1, normalise.
    Without: resize to `scale_size` if given, crop the centre, scale to 0..1, normalise. An `input_size` above
    the image's own takes in padding in both.

    Args:
        name: of a data set: mnist, digits, cifar10, cifar100, fake or fake:..., or a path ending in .npz.
        input_size: side of the crop in pixels; None: the image's own size.
        scale_size: shorter side in pixels, with augment after padding, without after resizing.
        normalize: {'mean': values, 'std': values} of pixels in 0..1, one per channel or one for all.
        flip: mirror half of the images; None: as usual for the data set (photographs yes, digits no).
    """
    preset = _get_preset(name)
    for label, value in (('input_size', input_size), ('scale_size', scale_size)):
        if value is not None and value < 1:
            raise ValueError(f'{label} {value} is not a size in pixels; expected 1 or more')
    if flip and not augment:
        raise ValueError('flip=True mirrors at random, which augment=False rules out; drop one of the two')
    mean, std = (preset.mean, preset.std) if normalize is None else _parse_normalize(normalize)
    return Transform(
        mean=mean,
        std=std,
        pad=preset.pad,
        fill=preset.fill,
        input_size=input_size,
        scale_size=scale_size,
        augment=augment,
        flip=augment and (preset.flip if flip is None else flip),
    )


def default_augment(name: str) -> bool:
    """Say whether training on this data set augments unless told otherwise."""
    return _get_preset(name).augment


def _get_preset(name: str) -> Preset:
    key = 'fake' if name.startswith('fake:') else '*.npz' if name.endswith('.npz') else name
    if key not in _PRESETS:
        raise ValueError(f'no transform for data set {name!r}; {suggest(name, _PRESETS)}')
    return _PRESETS[key]


def _parse_normalize(normalize: Mapping[str, Sequence[float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if set(normalize) != {'mean', 'std'}:
        raise ValueError(f"normalize has the keys {sorted(normalize)}; expected 'mean' and 'std'")
    mean, std = (tuple(float(value) for value in normalize[key]) for key in ('mean', 'std'))
    if not mean or len(mean) != len(std) or min(std) <= 0:
        raise ValueError(
            f'normalize has mean {list(mean)} and std {list(std)}; '
            'expected as many means as stds, all stds above 0'
        )
    return mean, std


@functools.lru_cache(maxsize=64)  # made once: moving them in every step would wait for the device
def _constants(mean, std, device, dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Return shift and factor, (C, 1, 1), in units of grey levels."""
    shift = torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1) * 255
    factor = 1 / (torch.tensor(std, dtype=torch.float64).view(-1, 1, 1) * 255)
    return shift.to(device, dtype), factor.to(device, dtype)


def _resized_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Return the size at which the shorter side is `shorter` and the shape is kept."""
    height, width = size
    return (shorter, shorter * width // height) if height <= width else (shorter * height // width, shorter)


def _resize(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    if tuple(images.shape[-2:]) == size:
        return images
    from torchvision.transforms import functional as tvf

    return tvf.resize(images, list(size), antialias=True)


def _center_crop(images: torch.Tensor, geometry: _Geometry, fill: int) -> torch.Tensor:
    """Cut the centre; pad only where the crop is larger than the image."""
    (top, left), (height, width) = geometry.center, geometry.crop
    if height > images.shape[-2] or width > images.shape[-1]:
        images = _pad(images, geometry.pad, fill)
    else:
        top, left = top - geometry.pad, left - geometry.pad
    return images[..., top : top + height, left : left + width]


def _pad(images: torch.Tensor, pad: int, fill: int) -> torch.Tensor:
    return F.pad(images, (pad,) * 4, value=fill) if pad else images.contiguous()


def _crop(padded: torch.Tensor, top: torch.Tensor, left: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Cut one window of `size` from each image of `padded`, contiguous (N, C, H, W).

    In memory the window is a stretch from its first pixel to its last, of the same length for every
    image; so one index_select on the overlapping view (start, stretch) gathers all of them.
    """
    num, channels, height, width = padded.shape
    stretch = (channels - 1) * height * width + (size[0] - 1) * width + size[1]
    view = padded.as_strided((padded.numel() - stretch + 1, stretch), (1, 1))
    first = torch.arange(num, device=padded.device) * (channels * height * width)
    gathered = view.index_select(0, first + top * width + left)
    return gathered.as_strided((num, channels, *size), (stretch, height * width, width, 1))


def _mirror(images: torch.Tensor, flip: torch.Tensor) -> torch.Tensor:
    """Reverse the rows of the uint8 images where `flip` (N,) is 1: a ^ ((a ^ b) & mask).

    Four passes over bytes, which take a third of the time of torch.where with a broadcast condition.
    """
    mask = (flip * 255).to(torch.uint8).view(-1, 1, 1, 1)
    return images.flip(-1).bitwise_xor_(images).bitwise_and_(mask).bitwise_xor_(images)
