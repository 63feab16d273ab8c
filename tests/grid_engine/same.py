"""Whether two networks are the same, number by number."""

import dataclasses

import numpy as np


def differences(one: object, other: object, where: str = "network") -> list[str]:
    """What is not exactly equal, shapes and kinds of numbers included; not-a-number equals itself."""
    if dataclasses.is_dataclass(one) and type(one) is type(other):
        names = [f.name for f in dataclasses.fields(one)]
        return [d for name in names for d in differences(getattr(one, name), getattr(other, name), f"{where}.{name}")]
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        alike = one.dtype == other.dtype and one.shape == other.shape
        same = alike and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
        return [] if same else [f"{where}: {one!r} and {other!r}"]
    if isinstance(one, tuple) and isinstance(other, tuple) and len(one) == len(other):
        return [d for n, (a, b) in enumerate(zip(one, other, strict=True)) for d in differences(a, b, f"{where}[{n}]")]
    return [] if one == other else [f"{where}: {one!r} and {other!r}"]
