"""The plate measure on plates of known width and angle, on a cubic and on a 4:1 grid."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_nanoct.cracks import plates
from napari_nanoct.cracks.plates import measure_halo, plate_measure, usual_widths

CUBE = (1.0, 1.0, 1.0)
NORMALS = {
    "along x": (0, 0, 1),
    "across": (1, 0, 0),
    "30 degrees": (0, 0.5, 0.75**0.5),
    "oblique": (1, 1, 1),
    "steep": (3, 1, 2),
}


def distance(shape: tuple[int, int, int], size: tuple[float, ...], normal: tuple[float, ...]) -> NDArray[np.float64]:
    """Signed distance of every voxel from the plane through the middle."""
    unit = np.array(normal) / np.linalg.norm(normal)
    grids = np.meshgrid(*(s * (np.arange(n) - n // 2) for n, s in zip(shape, size, strict=True)), indexing="ij")
    return np.asarray(sum(part * grid for part, grid in zip(unit, grids, strict=True)))


def plate(
    width: float, normal: tuple[float, ...], shape: tuple[int, int, int], size: tuple[float, ...]
) -> NDArray[np.float32]:
    """A dark plate of contrast 1; voxels on its faces are dark in part."""
    share = np.clip(width / 2 + 0.5 - np.abs(distance(shape, size, normal)), 0, min(1, width))
    return (1 - share).astype(np.float32)


@pytest.mark.parametrize("normal", NORMALS.values(), ids=NORMALS)
@pytest.mark.parametrize(("width", "contrast"), [(2.0, 0.82), (4.0, 0.97), (6.0, 1.0)])
def test_a_plate_gives_its_contrast_at_any_angle(width: float, contrast: float, normal: tuple[float, ...]) -> None:
    # A plate of two voxels loses a fifth to the voxels' own width.
    volume = plate(width, normal, (41, 41, 41), CUBE)
    assert plate_measure(volume, CUBE, (width,))[20, 20, 20] == pytest.approx(contrast, abs=0.06)
    assert plate_measure(volume, CUBE, usual_widths(CUBE))[20, 20, 20] == pytest.approx(0.95, abs=0.15)


def test_the_scale_is_the_plates_width() -> None:
    volume = plate(4.0, NORMALS["30 degrees"], (41, 41, 41), CUBE)
    found = [plate_measure(volume, CUBE, (width,))[20, 20, 20] for width in (1.5, 2.7, 4.0, 6.0, 9.0)]
    assert int(np.argmax(found)) == 2


def test_half_a_voxel_is_seen_in_proportion() -> None:
    half, one = (plate_measure(plate(w, (0, 1, 2), (21, 41, 41), CUBE), CUBE, (1.5,))[10, 20, 20] for w in (0.5, 1.0))
    assert half / one == pytest.approx(0.5, abs=0.1)
    assert half > 0.2


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, 1, 1), (1, 1, 1), (2, 1, 1)], ids=str)
def test_an_oblique_plate_on_a_flat_grid(normal: tuple[float, ...]) -> None:
    """Slices four times as far apart as pixels: as much as on a cubic grid, for a plate that the slices resolve."""
    size, shape = (4.0, 1.0, 1.0), (21, 81, 81)
    found = plate_measure(plate(8.0, normal, shape, size), size, (8.0,))
    ridge = np.abs(distance(shape, size, normal)) < 0.5
    inner = found[4:-4, 20:-20, 20:-20][ridge[4:-4, 20:-20, 20:-20]]
    assert inner.mean() == pytest.approx(1, abs=0.15)
    assert inner.std() < 0.05


def test_tubes_balls_and_edges_are_no_plates() -> None:
    z, y, x = np.ogrid[-20:21, -20:21, -20:21]
    tube = 1 - (y * y + x * x < 6).astype(np.float32) + 0 * z
    ball = 1 - (z * z + y * y + x * x < 6).astype(np.float32)
    edge = (x > 0).astype(np.float32) + np.float32(0) * (y + z)
    for volume, at_middle in ((tube, 0.05), (ball, 0.05), (edge, 0.55)):
        found = plate_measure(np.ascontiguousarray(volume, np.float32), CUBE, usual_widths(CUBE))
        assert found[20, 20, 20] < at_middle
        assert found[16:25, 16:25, 16:25].max() < 0.55


def test_bright_plates() -> None:
    volume = plate(2.0, (0, 0, 1), (15, 15, 15), CUBE)
    assert plate_measure(volume, CUBE, (2.0,), dark=False)[7, 7, 7] == 0
    assert np.array_equal(plate_measure(-volume, CUBE, (2.0,), dark=False), plate_measure(volume, CUBE, (2.0,)))


def test_one_slice_is_searched_for_lines() -> None:
    line = plate(2.0, (0, 1, 2), (1, 41, 41), CUBE)
    assert plate_measure(line, CUBE, (2.0,))[0, 20, 20] == pytest.approx(0.84, abs=0.06)
    spot = np.ones((1, 41, 41), np.float32)
    spot[0, 19:22, 19:22] = 0
    assert plate_measure(spot, CUBE, (2.0,))[0, 20, 20] < 0.1


def test_widths_span_the_grid() -> None:
    assert usual_widths(CUBE)[0] == 1.5
    assert usual_widths(CUBE)[-1] == pytest.approx(6)
    assert usual_widths((2.0, 1.0, 1.0))[-1] == pytest.approx(6 * 2 ** (1 / 3))


def test_a_block_with_its_halo_is_the_whole() -> None:
    volume = np.random.default_rng(0).normal(size=(40, 60, 60)).astype(np.float32)
    widths = (1.5, 4.0)
    z, y, x = measure_halo(CUBE, widths)
    whole = plate_measure(volume, CUBE, widths)
    part = plate_measure(volume[16 - z : 24 + z, 20 - y : 33 + y, 17 - x : 40 + x], CUBE, widths)
    assert np.array_equal(part[z:-z, y:-y, x:-x], whole[16:24, 20:33, 17:40])


def test_a_few_slices_at_once_give_what_all_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    noise = np.random.default_rng(0).random((13, 20, 24), np.float32)
    expected = plate_measure(noise, (4.0, 1.0, 1.0), (2.0, 6.0))
    monkeypatch.setattr(plates, "CHUNK", 3 * 20 * 24)
    assert np.array_equal(plate_measure(noise, (4.0, 1.0, 1.0), (2.0, 6.0)), expected)
