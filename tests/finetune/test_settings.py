"""Settings: refused where they make no sense, and turned into the shell line that does the same."""

from __future__ import annotations

import pytest

from napari_nanoct.errors import UserError
from napari_nanoct.finetune.settings import PRESETS, TuneSettings


def test_defaults_give_the_short_line() -> None:
    settings = TuneSettings("pairs.json", "mine.safetensors")
    assert settings.arguments() == ["finetune", "pairs.json", "-o", "mine.safetensors"]
    assert settings.budget == 60 * PRESETS["quick"].minutes


def test_more_time_allows_more_steps() -> None:
    quick = PRESETS["quick"]
    steps = [TuneSettings("p", "m.safetensors", minutes=m).steps for m in (None, 1.0, quick.minutes, 10.0)]
    assert steps[:3] == [quick.steps] * 3
    assert steps[3] == round(quick.steps * 10 / quick.minutes)


def test_every_setting_stands_in_the_line() -> None:
    settings = TuneSettings(
        "-p.json", "m.safetensors", "N", "-a note", "p.safetensors", "thorough", 7.5, "cpu", 2, 3, True
    )
    assert " ".join(settings.arguments()) == (
        "finetune ./-p.json -o m.safetensors --name N --notes=-a note --parent p.safetensors --preset thorough "
        "--minutes 7.5 --device cpu --threads 2 --seed 3 --resume"
    )
    assert settings.budget == 450


@pytest.mark.parametrize(
    ("name", "output", "called"),
    [("", "a/cathode-x2.safetensors", "cathode"), ("", "a.b.safetensors", "a.b"), ("own", "b.safetensors", "own")],
)
def test_a_model_is_called_as_its_file_where_no_name_is_given(name: str, output: str, called: str) -> None:
    assert TuneSettings("p.json", output, name).model_name == called


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"output": "mine.pt"}, "end it in .safetensors"),
        ({"output": ".safetensors"}, "name ''"),
        ({"name": "my model"}, "name 'my model'"),
        ({"name": "../up"}, "letters, digits"),
        ({"name": "-x"}, "the first a letter"),
        ({"preset": "slow"}, "quick or thorough"),
        ({"minutes": 0.0}, "0 minutes"),
        ({"minutes": float("nan")}, "nan minutes"),
        ({"threads": 0}, "0 threads"),
        ({"seed": -1}, "seed -1"),
        ({"resume": True, "overwrite": True}, "choose one"),
    ],
)
def test_wrong_settings_get_a_sentence(wrong: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        TuneSettings(**({"project": "p.json", "output": "m.safetensors"} | wrong))  # type: ignore[arg-type]
