"""What one segmentation is asked to do."""

from __future__ import annotations

from dataclasses import dataclass, fields

from napari_nanoct.errors import UserError

EVERYWHERE = "everywhere"
"""In place of a mask: look at all of the volume."""


LOW, HIGH = 0.4, 0.8
"""Probability down to which a crack goes on, and that it must reach somewhere (docs/cracks.md)."""


@dataclass(frozen=True)
class SegmentSettings:
    """What one segmentation is asked to do: shared by the shell, the dock and Python.

    Attributes
    ----------
    input : str
        The tomogram, anything that ``open_volume`` reads.
    output : str
        The OME-Zarr label image to write; its name ends in ``.zarr``.
    classifier : str or None
        File of a classifier made from scribbles; None: the proposal without labels.
    sensitivity : float
        Of the proposal, 0 to 1; not with a classifier.
    mask : str or None
        A volume that is not 0 where cracks may be, or "everywhere". None: inside bodies for the proposal, everywhere
        for a classifier.
    dark : bool
        Cracks are darker than what they run through; of the proposal and of the measurement.
    high, low : float
        Probability that a crack must reach, and down to which it goes on; only with a classifier.
    measure : str or None
        CSV file to write with the measured cracks.
    original : str or None
        The tomogram before its enhancement, on any grid in the same place: the measured cracks are told whether it
        shows them.
    overwrite : bool
        Replace an existing output, and an existing table; each stays until the new one is complete.
    pores : str or None
        A volume of the same shape that is not 0 in pores: the measured cracks are told whether they touch one.

    Raises
    ------
    UserError
        If a value does not exist, or one that was changed would count for nothing.
    """

    input: str
    output: str
    classifier: str | None = None
    sensitivity: float = 0.5
    mask: str | None = None
    dark: bool = True
    high: float = HIGH
    low: float = LOW
    measure: str | None = None
    original: str | None = None
    overwrite: bool = False
    pores: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.sensitivity <= 1:
            raise UserError(f"a sensitivity of {self.sensitivity:g} does not exist; choose one from 0 to 1")
        if not 0 < self.low <= self.high <= 1:
            raise UserError(
                f"probabilities from {self.high:g} down to {self.low:g} will not do; give a low one above 0 and a high "
                "one that is not below it, at most 1"
            )
        if self.classifier is not None and self.sensitivity != SegmentSettings.sensitivity:
            raise UserError("a sensitivity counts for nothing with a classifier; leave one of the two out")
        if self.classifier is None and (self.high, self.low) != (HIGH, LOW):
            raise UserError("the probabilities high and low are a classifier's; name one, or leave them out")

    def arguments(self) -> list[str]:
        """Return the exact arguments after ``nanoct`` that start this run; what is at its default is left out."""
        words = ["segment", *(f"./{path}" if path.startswith("-") else path for path in (self.input, self.output))]
        for entry in fields(self)[2:]:
            value = getattr(self, entry.name)
            if value == entry.default:
                continue
            if entry.name == "dark":
                words.append("--bright")
            elif entry.name == "overwrite":
                words.append("--overwrite")
            else:
                words += [f"--{entry.name}", str(value)]
        return words
