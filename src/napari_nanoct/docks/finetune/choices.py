"""What can be chosen for a training in the fine-tune dock, and what the choices come to."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from napari_nanoct.docks.finetune.scans import ScanChoices
from napari_nanoct.docks.widgets import fill_combo
from napari_nanoct.errors import UserError
from napari_nanoct.finetune.settings import PRESETS, TuneSettings

if TYPE_CHECKING:
    import napari


class TuneChoices(ScanChoices):
    """The controls with all their choices filled in.

    Parameters
    ----------
    viewer : napari.Viewer
        Its layers are offered.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        super().__init__(viewer)
        self._name_typed = False
        self.scans_changed.connect(self._follow)
        self.parent_model.opening.connect(self._fill_models)
        self.preset.currentIndexChanged.connect(self._preset_chosen)
        self.name.textEdited.connect(self._type_name)
        self.name.textChanged.connect(self.tell_place)
        for box in (self.parent_model, self.device):
            box.currentIndexChanged.connect(self.changed)
        for field in (self.minutes.valueChanged, self.name.textChanged, self.notes.textChanged, self.resume.toggled):
            field.connect(self.changed)
        self._preset_chosen()
        self._follow()

    def _follow(self) -> None:
        """Offer the models of the factor, and a name after the layer."""
        self._fill_models()
        if self.image is not None and not self._name_typed:
            stem = re.sub(r"[^A-Za-z0-9._-]+", "-", self.image.name).strip("-._")
            self.name.setText(f"{stem or 'scan'}-tuned")
        self.tell_place()

    def _fill_models(self) -> None:
        from napari_nanoct.utsr import list_models

        names = dict.fromkeys(card.name for _, card in list_models() if card.scale == self.factor.currentData())
        fill_combo(self.parent_model, [(name, name) for name in names], "utsr-light")

    def _preset_chosen(self) -> None:
        self.minutes.setValue(self.preset.currentData())

    def _type_name(self) -> None:
        self._name_typed = True

    def output(self) -> Path:
        """Return the file that the model becomes, among the user's own."""
        from napari_nanoct.utsr.catalogue import user_folder

        return user_folder() / f"{self.name.text().strip()}-x{self.factor.currentData()}.safetensors"

    def settings(self) -> TuneSettings:
        """Return the settings of a training; its file of pairs lies beside the model, under a name that the plan ends.

        Raises
        ------
        UserError
            If the name is none that a model can have, or there are no weights to start from.
        """
        output, name, preset = self.output(), self.name.text().strip(), self.preset.currentText()
        if not name:
            raise UserError("The model has no name; give it one on the Train tab.")
        parent = self.parent_model.currentData()
        if parent is None:
            raise UserError(
                f"There are no weights for ×{self.factor.currentData()} to start from; see 'nanoct models'."
            )
        minutes = self.minutes.value()
        resume = self.resume.isChecked() and not self.resume.isHidden()
        return TuneSettings(
            project=str(output.with_suffix(".pairs.json")),
            output=str(output),
            name=name,
            notes=self.notes.text().strip(),
            parent=parent,
            preset=preset,
            minutes=None if minutes == PRESETS[preset].minutes else minutes,
            device=self.device.currentData(),
            resume=resume,
            overwrite=not resume and (taken(output) or cut_off(output)),
        )

    def tell_place(self) -> None:
        """Show which file the model becomes, and whether there is a run of it to go on with."""
        named = bool(self.name.text().strip())
        self.place.setText(f"Becomes {self.output()}" if named else "Give the model a name.")
        self.resume.setVisible(named and cut_off(self.output()))


def taken(output: Path) -> bool:
    """Tell whether a model of this name is there, or a picture."""
    return output.exists() or output.with_suffix(".png").exists()


def cut_off(output: Path) -> bool:
    """Tell whether a training of this model was killed and can go on."""
    return Path(f"{output}.training", "state.safetensors").exists()
