"""Names of slice files: their order, and what is missing between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain, islice, pairwise

from napari_nanoct.errors import UserError


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts "slice_9" before "slice_10", in upper or lower case alike."""
    parts = re.split(r"(\d+)", name.lower())
    return tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts)


def check_sequence(names: Sequence[str]) -> None:
    """Check that file names, in natural order, number the slices of one volume without a gap.

    Names without numbers pass, and so does a steady step ("slice_0", "slice_10", "slice_20").

    Raises
    ------
    UserError
        If numbers are missing or there twice, or if some names are built otherwise than the rest.
    """
    patterns: dict[str, list[str]] = {}
    for name in names:
        patterns.setdefault(re.sub(r"\d+", "#", name.lower()), []).append(name)
    numbered = [group for pattern, group in patterns.items() if "#" in pattern]
    if len(patterns) > 1 and numbered:
        main = max(patterns.values(), key=len)
        other = next(group[0] for group in patterns.values() if group is not main)
        raise UserError(
            f"its file names do not belong to one series ({main[0]} and {other}); "
            "put the slices of one volume into a folder of their own"
        )
    if not numbered or len(names) < 2:
        return
    columns = list(zip(*([int(number) for number in re.findall(r"\d+", name)] for name in names), strict=True))
    varying = [column for column in columns if len(set(column)) > 1] or columns[-1:]
    if len(varying) > 1:  # a time stamp runs along with the counter: that is the last that never repeats
        varying = [column for column in varying if len(set(column)) == len(names)]
    if varying:
        _check_numbers(sorted(varying[-1]), names)


def _check_numbers(numbers: Sequence[int], names: Sequence[str]) -> None:
    steps = [after - before for before, after in pairwise(numbers)]
    step = min(steps)
    if step == 0:
        raise UserError(f"slice number {numbers[steps.index(0)]} is there twice; keep one file of each")
    if 2 * steps.count(step) <= len(steps):  # no steady step but for a few gaps
        step = 1
    count = sum(-(-gap // step) - 1 for gap in steps)
    if count == 0:
        return
    missing = chain.from_iterable(range(before + step, after, step) for before, after in pairwise(numbers))
    listed = ", ".join(str(number) for number in islice(missing, 5)) + (f" and {count - 5} more" if count > 5 else "")
    what = f"slice {listed} is" if count == 1 else f"slices {listed} are"
    raise UserError(
        f"{what} missing between {names[0]} and {names[-1]}; "
        "add what is missing, or put the slices of an unbroken part into a folder of their own"
    )
