"""Names of length units as OME-NGFF wants them, and sizes on disk for people."""

from __future__ import annotations

METRES = {
    "angstrom": 1e-10,
    "nanometer": 1e-9,
    "micrometer": 1e-6,
    "millimeter": 1e-3,
    "centimeter": 1e-2,
    "inch": 0.0254,
    "meter": 1.0,
}
"""Length units by name, and how many metres each is."""

SYMBOLS = {
    "angstrom": "Å",
    "nanometer": "nm",
    "micrometer": "µm",
    "millimeter": "mm",
    "centimeter": "cm",
    "inch": "in",
    "meter": "m",
    "pixel": "pixel",
}
"""Short names, for tables and sentences."""

_ALIASES = {
    **{symbol.lower(): name for name, symbol in SYMBOLS.items()},
    **{name: name for name in METRES},
    "a": "angstrom",
    "micron": "micrometer",
    "microns": "micrometer",
    "um": "micrometer",
    "\u03bcm": "micrometer",  # the Greek letter; the micro sign is in SYMBOLS
    "\\u00b5m": "micrometer",  # as ImageJ escapes it in TIFF descriptions
    '"': "inch",
    "": "pixel",
}


def unit_name(text: str | None) -> str:
    """OME-NGFF name of a length unit written in any usual way ("um", "µm", "microns", "Micrometre").

    Parameters
    ----------
    text
        The unit as a file or a user spells it; None where it is not known.

    Returns
    -------
    str
        One of `METRES`, or "pixel" for anything that is not a length.
    """
    key = (text or "").strip().strip("\0").lower()
    key = key.removesuffix("s").replace("metre", "meter") if "met" in key else key
    return _ALIASES.get(key, "pixel")


def convert(value: float, unit: str, into: str) -> float:
    """`value` of one length unit in another; unchanged where either is "pixel"."""
    if unit == into or unit not in METRES or into not in METRES:
        return value
    # 0.1 micrometer is 100 nanometer, not 99.99999999999999
    return float(f"{value * METRES[unit] / METRES[into]:.12g}")


def size_text(size: float) -> str:
    """A number of bytes for people: ``"1.2 GB"``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.{0 if size >= 10 or unit == 'bytes' else 1}f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
