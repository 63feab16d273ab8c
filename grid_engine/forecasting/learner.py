"""Quantile regression by gradient-boosted trees: the one door to LightGBM, which is an extra.

One thread, one seed and its deterministic mode: the same data give the same model on the same machine.
Models are text, so that they can be kept, sent to another process and compared.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from grid_engine.model import FloatArray

if TYPE_CHECKING:
    from lightgbm import Booster

LEVELS = (0.1, 0.5, 0.9)


class LearnerMissingError(Exception):
    """LightGBM is not installed."""


@dataclass(frozen=True, slots=True)
class Trees:
    """How to learn; LightGBM's own names."""

    num_iterations: int = 150
    num_leaves: int = 31
    learning_rate: float = 0.08
    min_data_in_leaf: int = 40
    seed: int = 0


def learned(columns: FloatArray, target: FloatArray, trees: Trees) -> tuple[str, ...]:
    """One model per level of `LEVELS`; raises `LearnerMissingError`."""
    try:
        import lightgbm  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise LearnerMissingError("forecasts are learned by LightGBM: install the extra `forecast`") from error
    settings = asdict(trees) | {
        "objective": "quantile",
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }
    data = lightgbm.Dataset(columns, target, params=settings, free_raw_data=False).construct()
    return tuple(lightgbm.train(settings | {"alpha": level}, data).model_to_string() for level in LEVELS)


def predicted(models: tuple[str, ...], columns: FloatArray) -> FloatArray:
    """Shape (n_level, n): what each model says, in order of size."""
    if not len(columns):
        return np.empty((len(models), 0))
    values = [np.asarray(_booster(model).predict(columns, num_threads=1), dtype=np.float64) for model in models]
    return np.sort(np.stack(values), axis=0)


@lru_cache(maxsize=24)
def _booster(model: str) -> "Booster":
    import lightgbm  # noqa: PLC0415 - an extra

    return lightgbm.Booster(model_str=model)
