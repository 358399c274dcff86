import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from napari_nanoct.errors import UserError
from napari_nanoct.quality import dists, lpips
from napari_nanoct.quality.perceptual import BACKBONES

IMAGE = np.random.default_rng(0).uniform(50, 150, (2, 64, 64))


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of weights."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints"


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Stand-ins for torchmetrics and torchvision that keep what they are given."""
    seen: dict[str, Any] = {}

    def distance(first: torch.Tensor, second: torch.Tensor, **settings: Any) -> torch.Tensor:
        seen.update(first=first, second=second, settings=settings)
        return (first - second).abs().mean()

    functional = ModuleType("torchmetrics.functional.image")
    functional.learned_perceptual_image_patch_similarity = distance
    functional.deep_image_structure_and_texture_similarity = distance
    for name in ("torchmetrics", "torchmetrics.functional", "torchvision"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", functional)
    monkeypatch.setattr("napari_nanoct.quality.perceptual.find_spec", lambda _: object())
    return seen


@pytest.mark.parametrize(("metric", "figure"), [(lpips, "LPIPS"), (dists, "DISTS")])
def test_missing_packages_get_a_sentence(metric: Any, figure: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("napari_nanoct.quality.perceptual.find_spec", lambda _: None)
    with pytest.raises(UserError, match=f"{figure} needs torchmetrics and torchvision"):
        metric(IMAGE, IMAGE)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_missing_weights_get_a_sentence_and_nothing_is_called(
    backbone: str, hub: Path, packages: dict[str, Any]
) -> None:
    with pytest.raises(UserError, match=f"{BACKBONES[backbone]}, which are not on this machine"):
        lpips(IMAGE, IMAGE, backbone=backbone)
    with pytest.raises(UserError, match=BACKBONES["vgg"]):
        dists(IMAGE, IMAGE)
    assert not packages


def test_packages_that_do_not_import_get_a_sentence(
    hub: Path, packages: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    (hub / BACKBONES["vgg"]).touch()
    monkeypatch.setitem(sys.modules, "torchmetrics.functional.image", ModuleType("empty"))
    with pytest.raises(UserError, match="DISTS cannot be had"):
        dists(IMAGE, IMAGE)


def test_slices_go_in_as_three_channels_from_0_to_1(hub: Path, packages: dict[str, Any]) -> None:
    (hub / BACKBONES["alex"]).touch()
    assert lpips(IMAGE, IMAGE + 10, (50, 150)) == pytest.approx(
        np.clip(IMAGE + 10, 50, 150).mean() / 100 - IMAGE.mean() / 100, abs=1e-6
    )
    assert packages["settings"] == {"net_type": "alex", "normalize": True}
    first = packages["first"]
    assert (first.shape, first.dtype) == ((1, 3, 64, 64), torch.float32)
    np.testing.assert_allclose(first[0, 1], (IMAGE[1] - 50) / 100, atol=1e-6)
    assert lpips(IMAGE, IMAGE) == 0
    first = packages["first"]
    assert (float(first.min()), float(first.max())) == (0, 1)


def test_dists_passes_nothing_but_the_images(hub: Path, packages: dict[str, Any]) -> None:
    (hub / BACKBONES["vgg"]).touch()
    assert dists(IMAGE[0], IMAGE[0]) == 0
    assert packages["settings"] == {}


def test_an_empty_truth_gets_a_sentence(hub: Path, packages: dict[str, Any]) -> None:
    (hub / BACKBONES["vgg"]).touch()
    with pytest.raises(UserError, match="no finite value"):
        dists(IMAGE * np.nan, IMAGE)


def test_an_unknown_backbone_gets_a_sentence() -> None:
    with pytest.raises(UserError, match="alex, vgg, squeeze"):
        lpips(IMAGE, IMAGE, backbone="resnet")


def test_with_the_real_packages_and_weights_equal_images_have_no_distance() -> None:
    weights = Path(torch.hub.get_dir()) / "checkpoints" / BACKBONES["alex"]
    pytest.importorskip("torchvision", exc_type=Exception)
    pytest.importorskip("torchmetrics", exc_type=Exception)
    if not weights.is_file():
        pytest.skip(f"the weights {weights.name} are not on this machine")
    assert lpips(IMAGE, IMAGE) == pytest.approx(0, abs=1e-6)
    assert lpips(IMAGE, IMAGE[::-1]) > 0.01
