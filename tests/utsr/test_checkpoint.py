"""Weights on disk: what is written comes back, and what is not weights is refused by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from napari_nanoct.errors import UserError
from napari_nanoct.utsr import PRESETS, Card, build, find_model, list_models, load_network, read_card, save_checkpoint
from napari_nanoct.utsr.halo import halo_error, measure_halo


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    network = build(PRESETS["tiny"], 2)
    torch.nn.init.normal_(network.tail.weight, std=0.1)
    path = tmp_path / "mine-x2.safetensors"
    save_checkpoint(path, network, Card("mine", 0, 0, 8, {}, training={"steps": 3}))
    return path


def rewrite(path: Path, change) -> None:
    """Write the file again with changed tensors or card."""
    card = json.loads(read_card(path).to_metadata()["card"])
    tensors = load_file(path)
    change(tensors, card)
    save_file(tensors, path, metadata={"card": json.dumps(card)})


def test_round_trip(weights: Path) -> None:
    card, network = read_card(weights), load_network(weights)
    assert (card.name, card.scale, card.period, card.training) == ("mine", 2, network.period, {"steps": 3})
    assert network.settings == build(PRESETS["tiny"], 2).settings
    assert not network.training
    stored = load_file(weights)
    assert all(torch.equal(value, stored[name].float()) for name, value in network.state_dict().items())


@pytest.mark.skipif(os.name == "nt", reason="files have no such mode")
def test_who_may_read_other_files_may_read_weights(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "other").touch()
    assert weights.stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_a_pickle_is_refused_under_any_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"weights.{suffix}"
    torch.save(build(PRESETS["tiny"]).state_dict(), path)
    with pytest.raises(UserError, match=r"weights\.\w+ is a pickled PyTorch file"):
        load_network(path)


@pytest.mark.parametrize("content", [b"", b"abc", b"\x00" * 40, b"\xff" * 40])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "noise.safetensors"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"noise\.safetensors is not a safetensors file"):
        read_card(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load_network(tmp_path / "none.safetensors")


def test_a_file_without_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    save_file({"a": torch.zeros(2)}, path)
    with pytest.raises(UserError, match="no model card"):
        load_network(path)


@pytest.mark.parametrize("metadata", [b"null", b'["card"]', b"7"])
def test_metadata_of_another_kind_are_refused(tmp_path: Path, metadata: bytes) -> None:
    header = b'{"__metadata__": ' + metadata + b"}"
    path = tmp_path / "odd.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header)
    with pytest.raises(UserError, match="no model card"):
        read_card(path)


def test_an_unreadable_file_is_named(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UserError, match=r"mine-x2\.safetensors cannot be read \(Permission denied\)"):
        read_card(weights)


def test_home_is_understood_in_a_path(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(weights.parent))
    monkeypatch.setenv("USERPROFILE", str(weights.parent))
    assert find_model("~/mine-x2.safetensors") == weights
    monkeypatch.setenv("NANOCT_MODELS", "~")
    assert find_model("mine", 2) == weights


def test_a_flipped_bit_is_noticed(weights: Path) -> None:
    content = bytearray(weights.read_bytes())
    content[-7] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match="sha256"):
        load_network(weights)


def test_a_truncated_file_is_noticed(weights: Path) -> None:
    weights.write_bytes(weights.read_bytes()[:-10])
    with pytest.raises(UserError, match="sha256"):
        load_network(weights)


def test_missing_unknown_and_misshapen_tensors_are_named(weights: Path) -> None:
    from napari_nanoct.utsr.card import tensor_hash

    def drop(tensors: dict, _: dict) -> None:
        del tensors["tail.weight"]

    def widen(tensors: dict, _: dict) -> None:
        tensors["head.weight"] = torch.zeros(1, 1, 3, 3, dtype=torch.float16)

    for change, name in ((drop, "tail.weight"), (widen, "head.weight")):
        rewrite(weights, change)
        rewrite(weights, lambda _, card: card.update(sha256=tensor_hash(weights)))
        with pytest.raises(UserError, match=name):
            load_network(weights)


@pytest.mark.parametrize(
    "entry",
    [
        {"scale": 3},
        {"scale": "2"},
        {"period": 0},
        {"halo": 13},
        {"halo": -8},
        {"name": 7},
        {"network": [1, 2]},
        {"training": "long"},
        {"sha256": None},
    ],
)
def test_a_damaged_card_is_refused(weights: Path, entry: dict) -> None:
    rewrite(weights, lambda _, card: card.update(entry))
    with pytest.raises(UserError, match=r"mine-x2\.safetensors has an incomplete or damaged model card"):
        read_card(weights)


@pytest.mark.parametrize(
    "settings",
    [{"channels": [-6, 6]}, {"channels": "ab"}, {"channels": [6]}, {"blocks": [1]}, {"windows": [[2, 4, 4]]}],
)
def test_settings_that_make_no_network_are_refused(weights: Path, settings: dict) -> None:
    rewrite(weights, lambda _, card: card["network"].update(settings))
    with pytest.raises(UserError, match=r"mine-x2\.safetensors (cannot be read as UTSR weights|does not fit)"):
        load_network(weights)


def test_a_card_that_asks_for_terabytes_takes_none(weights: Path) -> None:
    rewrite(weights, lambda _, card: card["network"].update(detail_channels=10**6))
    with pytest.raises(UserError, match="does not fit the network in its card"):
        load_network(weights)


@pytest.mark.parametrize("entry", [{"scale": 1}, {"period": 4}])
def test_a_card_at_odds_with_its_network_is_refused(weights: Path, entry: dict) -> None:
    rewrite(weights, lambda _, card: card.update(entry))
    with pytest.raises(UserError, match=r"a card of factor \d and period \d for a network of factor 2 and period 8"):
        load_network(weights)


@pytest.mark.parametrize("card_of", [lambda card: card.pop("design"), lambda card: card.update(design=9)])
def test_weights_of_another_design_are_refused(weights: Path, card_of: Callable[[dict], object]) -> None:
    rewrite(weights, lambda _, card: card_of(card))
    with pytest.raises(UserError, match=r"mine-x2\.safetensors was made for design [19] of the network"):
        load_network(weights)


def test_find_model(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NANOCT_MODELS", str(weights.parent))
    assert find_model("mine", 2) == weights
    assert find_model(str(weights)) == weights
    assert weights in [path for path, _ in list_models()]
    with pytest.raises(UserError, match="enlarges by 2, not by 4"):
        find_model(str(weights), 4)
    with pytest.raises(UserError, match=r"no weights 'mine' for factor 1; there are: .*mine x2"):
        find_model("mine")


def test_halo_of_a_bounded_field_is_one_period() -> None:
    torch.manual_seed(0)
    network = build(PRESETS["tiny"], 1)
    picture = torch.rand(12 * network.period, 12 * network.period)
    assert measure_halo(network, picture) == network.period  # an untrained network depends on nothing around
    for side in (5, network.period + 3):  # smaller than the measurement takes
        assert measure_halo(network, picture[:side, :side]) == network.period
    torch.nn.init.normal_(network.tail.weight, std=1.0)
    assert halo_error(network, picture, 0) > halo_error(network, picture, 3 * network.period) == 0
