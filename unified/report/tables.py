"""Read the data of a plot from an xarray.Dataset or from a plain dict of the same names."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from unified.base.errors import bad_input

PlotData = xr.Dataset | Mapping[str, Any]


def per_label(data: PlotData, name: str, dim: str) -> dict[str, Any]:
    """Values of ``name`` by label along ``dim``; an empty dict when ``name`` is absent.

    A dataset gives DataArrays; a dict must hold ``{name: {label: value}}``.
    """
    if name not in data:
        return {}
    value = data[name]
    if isinstance(value, xr.DataArray):
        if dim not in value.dims:
            raise bad_input(name, f"a dimension {dim!r}", f"{value.dims}", f"add {dim!r}")
        return {str(label): value.sel({dim: label}) for label in value[dim].values.tolist()}
    if isinstance(value, Mapping):
        return {str(label): item for label, item in value.items()}
    raise bad_input(name, f"a mapping from {dim} to values", type(value).__name__, "name them")


def require(data: PlotData, name: str) -> None:
    """Raise unless ``data`` has ``name``."""
    if name not in data:
        raise bad_input("data", f"an entry {name!r}", f"{sorted(map(str, data))}", "add it")


def numbers(value: Any) -> NDArray[np.float64]:
    """``value`` as a float64 array."""
    return np.asarray(value, dtype=np.float64)
