"""UTSR: a U-shaped transformer for super-resolution of tomogram slices."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from napari_nanoct.utsr.attention import GroupedWindowAttention
from napari_nanoct.utsr.feedforward import DoubleConvFeedForward
from napari_nanoct.utsr.resampling import enlarge_bicubic, pad_reflect


@dataclass(frozen=True)
class NetworkSettings:
    """What defines a UTSR network besides its weights.

    Attributes
    ----------
    scale : int
        Factor between input and output grid: 1, 2 or 4.
    channels : tuple of int
        Channels of the levels of the U, fine to coarse.
    blocks : tuple of int
        Blocks of each encoder level; the decoder mirrors all but the coarsest.
    extra_blocks : int
        Blocks after the decoder, at the finest level.
    windows : tuple of tuple of int
        Window sides of the groups at each level, in pixels of that level; fixed by the model, never by the input.
    expansion : int
        Hidden channels per channel in the feed-forward network.
    unshuffle : int
        Pixel-unshuffle of the input in front of the U.
    detail_channels, detail_layers : int
        Width and number of the 3x3 convolutions on the full input grid that the U stands beside; 0 for the U alone.
    """

    scale: int
    channels: tuple[int, ...]
    blocks: tuple[int, ...]
    extra_blocks: int
    windows: tuple[tuple[int, ...], ...]
    expansion: int = 2
    unshuffle: int = 2
    detail_channels: int = 0
    detail_layers: int = 0

    @property
    def period(self) -> int:
        """Window period in input pixels: tiles, strides and origins are multiples of it."""
        sides = [2**level * max(windows) for level, windows in enumerate(self.windows)]
        return self.unshuffle * max(*sides, 2 ** (len(self.windows) - 1))


FIRST_GAIN = 8.0
PAPER_WINDOWS = ((4, 8, 16), (4, 8, 16), (4, 8, 8), (4, 4, 4))

PRESETS = {
    "utsr": NetworkSettings(
        scale=4,
        channels=(156, 228, 252, 288),
        blocks=(12, 2, 2, 8),
        extra_blocks=12,
        windows=PAPER_WINDOWS,
        unshuffle=1,
    ),
    "utsr-light": NetworkSettings(
        scale=1,
        channels=(36, 60, 84, 108),
        blocks=(2, 2, 2, 2),
        extra_blocks=2,
        windows=PAPER_WINDOWS,
        detail_channels=64,
        detail_layers=12,
    ),
    # For tests of everything around the network.
    "tiny": NetworkSettings(
        scale=1,
        channels=(6, 6),
        blocks=(1, 1),
        extra_blocks=1,
        windows=((2, 4, 4), (2, 2, 2)),
        detail_channels=4,
        detail_layers=2,
    ),
}


class Block(nn.Module):
    """``x = x + DCFFN(x)``, then ``x = x + GMSA(x)``."""

    def __init__(self, channels: int, windows: tuple[int, ...], expansion: int, shifted: bool) -> None:
        super().__init__()
        self.feedforward = DoubleConvFeedForward(channels, expansion)
        self.attention = GroupedWindowAttention(channels, windows, shifted)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (n, channels, h, w) to the same shape."""
        x = x + self.feedforward(x)
        return x + self.attention(x)


class ConvolutionPair(nn.Module):
    """``x + Conv(ReLU(Conv(x)))``: two 3x3 convolutions of the full-resolution path.

    ReLU bends at zero however small its input: here the network learns to tell a noisy slice from a clean one.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        for convolution, gain in ((self.first, 1.0), (self.second, 0.1)):
            nn.init.kaiming_normal_(convolution.weight)
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
            with torch.no_grad():
                convolution.weight *= gain

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (n, channels, h, w) to the same shape."""
        return x + self.second(functional.relu(self.first(x)))


class UShape(nn.Module):
    """The U: encoder and decoder levels of blocks, joined level by level, and the extra stage after the decoder."""

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        channels, levels = settings.channels, len(settings.channels)

        def stage(level: int, blocks: int) -> nn.Sequential:
            return nn.Sequential(
                *(
                    Block(channels[level], settings.windows[level], settings.expansion, shifted=index % 2 == 1)
                    for index in range(blocks)
                )
            )

        self.encoder = nn.ModuleList(stage(level, settings.blocks[level]) for level in range(levels))
        self.decoder = nn.ModuleList(stage(level, settings.blocks[level]) for level in range(levels - 1))
        self.down = nn.ModuleList(nn.Conv2d(4 * channels[i], channels[i + 1], 1) for i in range(levels - 1))
        self.up = nn.ModuleList(nn.Conv2d(channels[i + 1], 4 * channels[i], 1) for i in range(levels - 1))
        self.join = nn.ModuleList(nn.Conv2d(2 * channels[i], channels[i], 1) for i in range(levels - 1))
        self.extra = stage(0, settings.extra_blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``x`` of shape (n, channels[0], h, w) to the same shape."""
        skips = []
        for encode, down in zip(self.encoder, self.down, strict=False):
            x = encode(x)
            skips.append(x)
            x = down(functional.pixel_unshuffle(x, 2))
        x = self.encoder[-1](x)
        for level in reversed(range(len(skips))):
            x = functional.pixel_shuffle(self.up[level](x), 2)
            x = self.decoder[level](self.join[level](torch.cat([x, skips[level]], dim=1)))
        return self.extra(x)


class UTSR(nn.Module):
    """U-shaped transformer for super-resolution of one-channel slices.

    The output is the input, enlarged bicubically, plus a residual; the convolution that makes the residual starts at
    zero and stays, with the sum, in float32 whatever autocast does before it.

    Parameters
    ----------
    settings : NetworkSettings

    References
    ----------
    Peng et al., "Super-resolution reconstruction of synchrotron radiation nano-CT images and its applications",
    Nuclear Techniques 49 (2026) 250034. The convolution path on the full grid beside the U is this project's.
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        first, detail, unshuffle = settings.channels[0], settings.detail_channels, settings.unshuffle
        self.u = UShape(settings)
        if detail:
            self.head = nn.Conv2d(1, detail, 3, padding=1)
            pairs = settings.detail_layers // 2
            self.before = nn.Sequential(*(ConvolutionPair(detail) for _ in range(pairs // 2)))
            self.after = nn.Sequential(*(ConvolutionPair(detail) for _ in range(pairs - pairs // 2)))
            self.enter = nn.Conv2d(detail * unshuffle**2, first, 1)
        else:
            self.enter = nn.Conv2d(unshuffle**2, first, 3, padding=1)
        # Noise is a few hundredths of the range; lifted, it is not lost on the activations as a small, linear ripple.
        with torch.no_grad():
            (self.head if detail else self.enter).weight *= FIRST_GAIN
        self.leave = nn.Conv2d(first, (detail or first) * unshuffle**2, 1 if detail else 3, padding=0 if detail else 1)
        self.tail = nn.Conv2d(detail or first, settings.scale**2, 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        if self.tail.bias is not None:
            nn.init.zeros_(self.tail.bias)

    @property
    def scale(self) -> int:
        """Factor between the input and the output grid."""
        return self.settings.scale

    @property
    def period(self) -> int:
        """Window period in input pixels."""
        return self.settings.period

    def forward(self, x: Tensor) -> Tensor:
        """Enhance slices.

        Parameters
        ----------
        x : Tensor, shape (n, 1, h, w), float32
            Grey values normalised so that the intensity range of the volume is 0 to 1; not clipped; any h and w.

        Returns
        -------
        Tensor, shape (n, 1, scale * h, scale * w), float32
        """
        height, width = x.shape[-2:]
        padded = pad_reflect(x, 0, -height % self.period, 0, -width % self.period)
        features = self._features(padded - 0.5)[..., :height, :width]
        with torch.autocast(x.device.type, enabled=False):
            residual = functional.pixel_shuffle(self.tail(features.float()), self.scale)
            return enlarge_bicubic(x, self.scale) + residual

    def _features(self, x: Tensor) -> Tensor:
        unshuffle = self.settings.unshuffle
        if not self.settings.detail_channels:
            shallow = self.enter(functional.pixel_unshuffle(x, unshuffle))
            return functional.pixel_shuffle(self.leave(shallow + self.u(shallow)), unshuffle)
        detail = self.before(self.head(x))
        coarse = self.u(self.enter(functional.pixel_unshuffle(detail, unshuffle)))
        return self.after(detail + functional.pixel_shuffle(self.leave(coarse), unshuffle))


def build(settings: NetworkSettings, scale: int | None = None) -> UTSR:
    """Make a network with fresh weights.

    Parameters
    ----------
    settings : NetworkSettings
        For instance ``PRESETS["utsr-light"]``.
    scale : int, optional
        1, 2 or 4 in place of the factor in ``settings``; the input of the U is then unshuffled by 2, 2 or 1.
    """
    if scale is not None:
        settings = replace(settings, scale=scale, unshuffle=1 if scale == 4 else 2)
    return UTSR(settings)
