"""What happens to an image before a network sees it, for one image and for whole batches.

Source: preprocess.py of the bigBatch code (Hoffer et al. 2017, arXiv 1705.08741): pad, crop at random, flip,
normalise; the blanked square is that of DeVries & Taylor 2017 (arXiv 1708.04552), as the code of Hoffer et al. 2019
(arXiv 1901.09335) has it. Where we differ: whole batches are transformed, on their device; CIFAR and STL-10 are
normalised with their own statistics (the original used ImageNet's); digits are not mirrored unless asked for;
evaluation of small images is not resized unless asked for, that of photographs to 8/7 of the crop (256 for 224),
whatever the crop. The random choices for small images are drawn apart from their application, so a loader can draw
them once per epoch and index them by example; photographs differ in size and are cropped one by one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from bigbatch.seeding import isolated_rng
from data_sets import pixels
from data_sets.catalog import PhotoPreset, find_preset
from data_sets.images import PHOTO_SIZE


class _Geometry(NamedTuple):
    resized: tuple[int, int]  # (height, width), as the next ones
    pad: int
    crop: tuple[int, int]
    center: tuple[int, int]  # row and column of the centre crop in the padded image


@dataclass(frozen=True)
class Transform:
    """Crop, flip and normalise, as get_transform describes it.

    Call it with one PIL image or uint8 tensor (C, H, W), or use `batch` on uint8 (N, C, H, W). Both give
    float tensors, normalised, of the size that `output_size` names.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int | float | None
    fill: int
    input_size: int | None
    scale_size: int | None
    augment: bool
    flip: bool
    cutout: int | None = None  # side of the blanked square, pixels

    def __call__(self, image, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """Transform one image to float32 (C, h, w) with choices from the generator (default: torch's global one)."""
        return self.batch(self.prepare(image)[None], generator)[0]

    def prepare(self, image) -> torch.Tensor:
        """Return a PIL image or uint8 tensor as a uint8 tensor (C, H, W): what comes before a batch."""
        return pixels.to_tensor(image)

    def output_size(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return (height, width) after the transform of images of that size; a ValueError where they do not fit it."""
        return self._geometry(image_size).crop

    def draw(
        self, num: int, generator: torch.Generator | None = None, *, image_size: Sequence[int]
    ) -> torch.Tensor | None:
        """Make the random choices for `num` images.

        Args:
            generator: on the CPU; None: torch's global one.
            image_size: ends in (height, width), before padding.
        Returns: int64 (num, 3) on the CPU: row and column of the crop in the padded image, mirrored or not, where it
            augments; behind them (num, 2), row and column of the centre of the blanked square in the crop, where there
            is one; None if there is nothing to choose.
        """
        geometry, ends = self._geometry(image_size), []
        if self.augment:
            padded = (size + 2 * geometry.pad for size in image_size[-2:])
            ends = [size - crop + 1 for size, crop in zip(padded, geometry.crop, strict=True)]
            ends.append(2 if self.flip else 1)
        return _draw_each([*ends, *(geometry.crop if self.cutout else ())], num, generator)

    def apply(
        self, images: torch.Tensor, choices: torch.Tensor | None = None, *, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Transform a batch with given choices, on the device that it is on.

        The number of kernels does not depend on N, and nothing waits for the device if the choices are there.

        Args:
            images: uint8 (N, C, H, W).
            choices: from `draw`; None: the centre crop, not mirrored, nothing blanked.
        Returns: (N, C, h, w) of `dtype`, normalised; computed in float32 at least.
        """
        if choices is not None:
            if not (self.augment or self.cutout):
                raise ValueError('choices given to a transform that makes none; expected None for augment=False')
            choices = choices.to(images.device)
        geometry = self._geometry(images.shape)
        if choices is None or not self.augment:
            crops = _center_crop(_resize(images, geometry.resized), geometry, self.fill)
        else:
            padded = pixels.pad(images, geometry.pad, self.fill)
            crops = pixels.crop(padded, choices[:, 0], choices[:, 1], geometry.crop)
            crops = pixels.mirror(crops, choices[:, 2]) if self.flip else crops
        return pixels.blank(pixels.normalize(crops, self.mean, self.std, dtype), choices, self.cutout)

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
        pixels.check_cutout(self.cutout, crop)
        # rounded as torchvision's center_crop does on the image before padding
        center = tuple(pad + round((size - wanted) / 2) for wanted, size in zip(crop, resized, strict=True))
        return _Geometry(resized, pad, crop, center)

    def _padding(self, image_size: tuple[int, int]) -> int:
        """Return the pixels added on each side."""
        shorter = min(image_size)
        if self.scale_size is None:
            pad = (4 if shorter >= 32 else 2) if self.pad is None else self.pad
            return pad if pad >= 1 else int(pad * shorter)
        pad, odd = divmod(self.scale_size - shorter, 2)
        if pad < 0 or odd:
            nearest = f'{shorter} or more' if pad < 0 else f'{self.scale_size - 1} or {self.scale_size + 1}'
            raise ValueError(
                f'scale_size {self.scale_size} cannot be reached by padding images of '
                f'{image_size[0]}x{image_size[1]} evenly; expected {nearest}'
            )
        return pad


@dataclass(frozen=True)
class PhotoTransform:
    """Crop photographs of any size to one, flip and normalise, as get_transform describes it.

    Call it with one PIL image or uint8 tensor (C, H, W). Or do it in two stages: `prepare` on each image, with choices
    from torch's global generator, and `apply` on a batch of what that gives.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int
    scale_size: int
    augment: bool
    flip: bool
    cutout: int | None = None  # side of the blanked square, pixels

    def __call__(self, image, *, generator: torch.Generator | None = None) -> torch.Tensor:
        """Transform one image, PIL or uint8 (C, H, W), to float32 (C, input_size, input_size), normalised.

        Args:
            generator: what the choices come from; None: torch's global one.
        """
        if generator is None:
            image = self.prepare(image)
            return self.apply(image[None], self.draw(1, image_size=image.shape))[0]
        with isolated_rng() as seed_generators:  # torchvision takes no generator
            seed_generators(int(torch.randint(2**62, (), generator=generator)))
            return self(image)

    def prepare(self, image) -> torch.Tensor:
        """Crop and flip one image: PIL or uint8 tensor to uint8 (C, input_size, input_size)."""
        return self._pipeline(pixels.to_tensor(image))

    def output_size(self, image_size: Sequence[int]) -> tuple[int, int]:
        """Return (height, width) after the transform, of images of any size."""
        pixels.check_cutout(self.cutout, (self.input_size, self.input_size))
        return self.input_size, self.input_size

    def draw(
        self, num: int, generator: torch.Generator | None = None, *, image_size: Sequence[int]
    ) -> torch.Tensor | None:
        """Choose where the blanked squares are, int64 (num, 2), if there are any; `prepare` chooses all else."""
        return _draw_each([self.input_size] * 2 if self.cutout else [], num, generator)

    def apply(
        self, images: torch.Tensor, choices: torch.Tensor | None = None, *, dtype: torch.dtype = torch.float32
    ) -> torch.Tensor:
        """Normalise what `prepare` gave, uint8 (N, C, h, w), in float32 at least; choices of `draw` blank squares."""
        return pixels.blank(pixels.normalize(images, self.mean, self.std, dtype), choices, self.cutout)

    def batch(self, images: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
        """Transform uint8 (N, C, H, W), one by one, to float32 (N, C, input_size, input_size)."""
        return torch.stack([self(image, generator=generator) for image in images])

    @functools.cached_property
    def _pipeline(self) -> Callable:
        from torchvision.transforms import v2

        if not self.augment:
            return v2.Compose([v2.Resize(self.scale_size, antialias=True), v2.CenterCrop(self.input_size)])
        crop = v2.RandomResizedCrop(self.input_size, antialias=True)
        return v2.Compose([crop, v2.RandomHorizontalFlip()]) if self.flip else crop


def get_transform(
    name: str,
    input_size: int | None = None,
    scale_size: int | None = None,
    normalize: Mapping[str, Sequence[float]] | None = None,
    augment: bool = True,
    *,
    flip: bool | None = None,
    cutout: int | None = None,
) -> Transform | PhotoTransform:
    """Build the transform of a data set.

    With augment: pad all around, crop `input_size` at random, mirror at random, scale to 0..1, normalise.
    Without: resize to `scale_size` if given, crop the centre, scale to 0..1, normalise. An `input_size` above
    the image's own takes in padding in both.

    For photographs, with augment: crop a random part of the image (8 to 100 % of its area, sides 3:4 to 4:3), resize it
    to `input_size`, mirror at random, scale to 0..1, normalise, as in Szegedy et al. 2014 (arXiv 1409.4842). Without:
    resize, crop the centre.

    Args:
        name: of a data set, whose file has its PRESET: one of data.list_datasets(), fake:..., or a path ending in .npz;
            for class folders imagenet, or folder if their images are small and of one size.
        input_size: side of the crop in pixels; None: the image's own size, for photographs 224.
        scale_size: shorter side in pixels, with augment after padding, without after resizing; None: see above, for
            photographs 8/7 of `input_size`, and used without augment only.
        normalize: {'mean': values, 'std': values} of pixels in 0..1, one per channel or one for all.
        flip: mirror half of the images; None: as usual for the data set (photographs yes, digits no).
        cutout: side of a square that is set to 0 in each image after normalising, with augment and without: its centre
            lies anywhere in the image, and what reaches over the border is lost; None: none.
    """
    preset = find_preset(name)
    for label, value in (('input_size', input_size), ('scale_size', scale_size), ('cutout', cutout)):
        if value is not None and value < 1:
            raise ValueError(f'{label} {value} is not a size in pixels; expected 1 or more')
    if flip and not augment:
        raise ValueError('flip=True mirrors at random, which augment=False rules out; drop one of the two')
    mean, std = (preset.mean, preset.std) if normalize is None else _parse_normalize(normalize)
    flip = augment and (preset.flip if flip is None else flip)
    settings = {'mean': mean, 'std': std, 'augment': augment, 'flip': flip, 'cutout': cutout}
    if not isinstance(preset, PhotoPreset):
        return Transform(pad=preset.pad, fill=preset.fill, input_size=input_size, scale_size=scale_size, **settings)
    side = input_size or PHOTO_SIZE
    scale_size = scale_size or round(side * 8 / 7)
    if scale_size < side:
        raise ValueError(f'scale_size {scale_size} is less than the crop of {side}; expected {side} or more')
    return PhotoTransform(input_size=side, scale_size=scale_size, **settings)


def default_augment(name: str) -> bool:
    """Say whether training on this data set augments unless told otherwise."""
    return find_preset(name).augment


def _parse_normalize(normalize: Mapping[str, Sequence[float]]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if set(normalize) != {'mean', 'std'}:
        raise ValueError(f"normalize has the keys {sorted(normalize)}; expected 'mean' and 'std'")
    mean, std = (tuple(float(value) for value in normalize[key]) for key in ('mean', 'std'))
    if not mean or len(mean) != len(std) or min(std) <= 0:
        raise ValueError(
            f'normalize has mean {list(mean)} and std {list(std)}; expected as many means as stds, all stds above 0'
        )
    return mean, std


def _draw_each(ends: Sequence[int], num: int, generator: torch.Generator | None) -> torch.Tensor | None:
    """Draw a column of `num` whole numbers below each end, or nothing."""
    columns = [torch.randint(end, (num,), generator=generator) for end in ends]
    return torch.stack(columns, dim=1) if columns else None


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
        images = pixels.pad(images, geometry.pad, fill)
    else:
        top, left = top - geometry.pad, left - geometry.pad
    return images[..., top : top + height, left : left + width]
