import subprocess
import sys

import pytest

from napari_nanoct import quality


@pytest.mark.parametrize("name", quality.__all__)
def test_public_names_resolve_also_after_their_modules_and_are_documented(name: str) -> None:
    thing = getattr(quality, name)
    assert thing.__name__ == name
    assert thing.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        quality.nothing  # noqa: B018


def test_importing_the_room_is_cheap() -> None:
    code = (
        "import sys; import napari_nanoct.quality\n"
        "print(sorted({'torch', 'scipy', 'skimage', 'torchmetrics'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
