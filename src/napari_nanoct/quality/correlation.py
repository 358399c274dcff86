"""Resolution by correlation in Fourier space: of two images, two volumes, or the two halves of one image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from napari_nanoct.errors import UserError
from napari_nanoct.quality.arrays import Float, pair, spacing

# Koho et al. (2019): from a split image to two images, at the 1/7 threshold, by frequency in shares of Nyquist.
_CALIBRATION = (0.95988146, 0.97979108, 13.90441896, 0.55146136)


@dataclass(frozen=True)
class FourierCorrelation:
    """Correlation of two images by spatial frequency.

    Attributes
    ----------
    frequency
        Shape (rings,), in cycles per unit of the voxel size, up to the Nyquist frequency of the coarsest axis.
    correlation
        Shape (rings,), -1 to 1.
    count
        Shape (rings,): Fourier coefficients in each ring or shell.
    """

    frequency: Float
    correlation: Float
    count: Float

    def threshold(self, criterion: str) -> Float:
        """Return the curve of a criterion, shape (rings,).

        ``1/7``: constant (Rosenthal and Henderson, J. Mol. Biol. 333, 2003, 721). ``half-bit``: half a bit of
        information per coefficient (van Heel and Schatz, J. Struct. Biol. 151, 2005, 250, eq. 17).
        """
        if criterion == "1/7":
            return np.full(self.count.shape, 1 / 7)
        if criterion == "half-bit":
            root = np.sqrt(self.count)
            return (0.2071 + 1.9102 / root) / (1.2071 + 0.9102 / root)
        raise UserError(f"The criteria of Fourier correlation are 1/7 and half-bit, not {criterion!r}.")

    def resolution(self, criterion: str = "1/7") -> float:
        """Period at which the correlation first falls below a criterion, in the unit of the voxel size.

        Between rings it is interpolated linearly. Infinite if the first ring is already below; where the curve never
        falls below, the resolution is limited by the grid, and the period of its last ring is returned.
        """
        above = self.correlation - self.threshold(criterion)
        below = np.flatnonzero(above < 0)
        if not below.size:
            return float(1 / self.frequency[-1])
        last = below[0]
        if last == 0:
            return float("inf")
        share = above[last - 1] / (above[last - 1] - above[last])
        step = self.frequency[last] - self.frequency[last - 1]
        return float(1 / (self.frequency[last - 1] + share * step))


@dataclass(frozen=True)
class SplitCorrelation:
    """Correlation of the two halves of one image.

    Attributes
    ----------
    curve
        Of the halves, in frequencies of the image; it ends at half the image's Nyquist frequency.
    resolution
        Calibrated to what two images would give, in the unit of the voxel size; 4 voxels stand for 4 or finer.
    """

    curve: FourierCorrelation
    resolution: float


def fourier_ring_correlation(
    first: ArrayLike, second: ArrayLike, voxel_size: float | tuple[float, float] = 1.0
) -> FourierCorrelation:
    """Correlate two images of one object with independent noise, ring by ring (Saxton and Baumeister, 1982).

    ``Re sum(F1 conj(F2)) / sqrt(sum |F1|^2 sum |F2|^2)`` over rings of the width 1 / (shortest side), after the mean is
    taken off and a Hann window is laid over each image. Two images that share their noise, such as two
    enhancements of one slice, correlate where there is nothing but noise: split the projections before reconstruction.

    Parameters
    ----------
    first, second
        Shape (y, x), equal, finite; at least 16 pixels a side.
    voxel_size
        One, or (y, x); the unit of the result.

    Raises
    ------
    UserError
        If the shapes differ or are too small, or a value is not finite.
    """
    return _correlate(first, second, voxel_size, 2, "Fourier ring correlation")


def fourier_shell_correlation(
    first: ArrayLike, second: ArrayLike, voxel_size: float | tuple[float, float, float] = 1.0
) -> FourierCorrelation:
    """Correlate two volumes (z, y, x), shell by shell (Harauz and van Heel, Optik 73, 1986, 146).

    As `fourier_ring_correlation`, in three dimensions; both volumes are held in memory.
    """
    return _correlate(first, second, voxel_size, 3, "Fourier shell correlation")


def split_image_correlation(image: ArrayLike, voxel_size: float = 1.0) -> SplitCorrelation:
    """Resolution of a single image by a checkerboard split (Koho et al., Nat. Commun. 10, 2019, 3103).

    The pixels (odd, odd) and (even, even) of the image under a Hann window are two images of half the size, shifted by
    half their pixel along the diagonal; (odd, even) and (even, odd) are two more, and both correlations are averaged.
    The shift and the aliasing lower the correlation; the authors' calibration for the 1/7 threshold brings the
    resolution back to that of two images: with f the share of the halves' Nyquist frequency at which the curve falls
    below 1/7, ``2 voxels / (f c(f))``, ``c(f) = 0.9599 exp(13.904 (f - 0.9798)) + 0.5515``.

    The halves hold no period under 4 voxels, and measured against two images the calibration leads astray there: such
    results are returned as 4 voxels. It holds for noise that is independent from pixel to pixel. In a reconstruction
    neighbours share their noise, more so after denoising: both halves then correlate by it, and the figure is too
    good. Use it to rank images of equal noise, not as the resolution of an enhanced slice.

    Parameters
    ----------
    image
        Shape (y, x), finite; at least 32 pixels a side.
    voxel_size
        Of both axes; the unit of the result.

    Raises
    ------
    UserError
        If the image is too small or has a value that is not finite.
    """
    whole = np.asarray(image, dtype=np.float64)
    if whole.ndim != 2 or min(whole.shape) < 32:
        raise UserError(f"A single image needs at least 32 x 32 pixels to be split, not shape {whole.shape}.")
    even = _windowed(whole)[: whole.shape[0] // 2 * 2, : whole.shape[1] // 2 * 2]
    size = 2 * spacing(voxel_size, 1)[0]
    straight = _rings(even[1::2, 1::2], even[::2, ::2], (size, size))
    crossed = _rings(even[1::2, ::2], even[::2, 1::2], (size, size))
    curve = FourierCorrelation(straight.frequency, (straight.correlation + crossed.correlation) / 2, straight.count)
    period = curve.resolution("1/7")
    a, b, c, d = _CALIBRATION
    share = 2 * size / period
    # The authors count the period in pixels of the halves, and those as wide as the image's.
    calibrated = period / 2 / (a * float(np.exp(c * (share - b))) + d)
    return SplitCorrelation(curve, max(calibrated, 2 * size))


def _correlate(
    first: ArrayLike, second: ArrayLike, voxel_size: float | tuple[float, ...], axes: int, figure: str
) -> FourierCorrelation:
    a, b = pair(first, second)
    if a.ndim != axes or min(a.shape) < 16:
        raise UserError(f"{figure} needs {axes} axes of at least 16 pixels, not shape {a.shape}.")
    return _rings(_windowed(a), _windowed(b), spacing(voxel_size, axes))


def _windowed(image: Float) -> Float:
    if not np.isfinite(image).all():
        raise UserError("Fourier correlation needs finite values; choose a region inside the reconstruction.")
    image = image - image.mean()
    for axis, extent in enumerate(image.shape):
        image *= np.hanning(extent).reshape([-1 if axis == other else 1 for other in range(image.ndim)])
    return image


def _rings(a: Float, b: Float, sizes: tuple[float, ...]) -> FourierCorrelation:
    from scipy.fft import fftfreq, rfftfreq, rfftn

    axes = [fftfreq(n, size) for n, size in zip(a.shape[:-1], sizes[:-1], strict=True)]
    axes.append(rfftfreq(a.shape[-1], sizes[-1]))
    squared = sum(np.square(grid) for grid in np.meshgrid(*axes, indexing="ij", sparse=True))
    width = 1 / min(n * size for n, size in zip(a.shape, sizes, strict=True))
    rings = int(0.5 / max(sizes) / width + 1e-9)
    index = np.rint(np.sqrt(squared) / width).astype(np.int64)
    # Half of the spectrum is computed; the other half, its mirror, counts too.
    weight = np.full(axes[-1].size, 2.0)
    weight[0] = 1
    if a.shape[-1] % 2 == 0:
        weight[-1] = 1
    first, second = rfftn(a), rfftn(b)

    def total(values: Float) -> Float:
        sums = np.bincount(index.ravel(), (values * weight).ravel(), rings + 1)
        return np.asarray(sums[1 : rings + 1], dtype=np.float64)

    count = total(np.ones(index.shape))
    power = np.sqrt(total(np.abs(first) ** 2) * total(np.abs(second) ** 2))
    cross = total((first * second.conj()).real)
    correlation = np.divide(cross, power, out=np.zeros_like(cross), where=power > 0)
    return FourierCorrelation(np.arange(1, rings + 1) * width, correlation, count)
