"""The folder of a demo: its files, and no others, are replaced when the demo runs again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from napari_nanoct.errors import UserError

_MARK = "nanoct-demo.json"


@dataclass(frozen=True)
class DemoFiles:
    """Where everything of a demo is, inside ``folder``."""

    folder: Path

    @property
    def low(self) -> Path:
        """What the instrument gave: the input."""
        return self.folder / "low.ome.zarr"

    @property
    def truth(self) -> Path:
        """The phantom itself."""
        return self.folder / "truth.ome.zarr"

    @property
    def cracks(self) -> Path:
        """Mask of the cracks, 0 or 1."""
        return self.folder / "cracks.ome.zarr"

    @property
    def enhanced(self) -> Path:
        """What the network made of the input."""
        return self.folder / "enhanced.ome.zarr"

    @property
    def picture(self) -> Path:
        """Before, after and truth."""
        return self.folder / "demo.png"

    @property
    def record(self) -> Path:
        """Settings, draws and figures; it also marks the folder as a demo's."""
        return self.folder / _MARK

    @property
    def volumes(self) -> tuple[Path, ...]:
        """The four volumes, the one to see first at the end."""
        return self.truth, self.cracks, self.low, self.enhanced


def open_folder(folder: Path) -> DemoFiles:
    """Make the folder of a demo, or take an earlier demo's.

    Raises
    ------
    UserError
        If the folder cannot be made or written, or holds a file of the demo's names that no demo wrote.
    """
    files = DemoFiles(folder.expanduser())
    if files.folder.exists() and not files.folder.is_dir():
        raise UserError(f"{files.folder} is a file; give --output a folder.")
    if not files.record.exists():
        for path in (*files.volumes, files.picture):
            if path.exists():
                raise UserError(f"{path} is there already and is not from a demo; give --output another folder.")
    try:
        files.folder.mkdir(parents=True, exist_ok=True)
        files.record.write_text(json.dumps({"status": "incomplete"}) + "\n", encoding="utf-8")
    except OSError as error:
        raise UserError(f"{files.folder} cannot be written ({error.strerror}); give --output another folder.") from None
    return files
