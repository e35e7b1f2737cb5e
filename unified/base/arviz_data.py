"""The one place that knows ArviZ's versions: InferenceData before 1.0, xarray's DataTree since."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def arviz() -> Any:
    """The ArviZ module; its notice of the coming refactoring is not repeated to our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        import arviz
    return arviz


def has_trees() -> bool:
    """True if this ArviZ keeps draws in an xarray.DataTree (since 1.0)."""
    return "InferenceData" not in vars(arviz())  # ArviZ 1 warns of one that only asks for it


def make(groups: Mapping[str, Any], attrs: Mapping[str, Any]) -> Any:
    """Draws by group (xarray.Dataset) with attributes, as this ArviZ keeps them."""
    if has_trees():
        import xarray as xr

        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(attrs)), **groups})
    return arviz().InferenceData(attrs=dict(attrs), **groups)


def group(data: Any, name: str) -> Any:
    """One group as an xarray.Dataset, or None if there is none."""
    names = data.children if hasattr(data, "children") else data.groups()
    if name not in names:
        return None
    found = data[name]
    return found.to_dataset() if hasattr(found, "to_dataset") else found


def write(data: Any, path: Path) -> None:
    """Write all groups to a netCDF file."""
    data.to_netcdf(path if has_trees() else str(path), engine="h5netcdf")


def read(path: Path) -> Any:
    """Read them back, into memory."""
    if has_trees():
        import xarray as xr

        with xr.open_datatree(path, engine="h5netcdf") as tree:
            return tree.load()
    return arviz().from_netcdf(str(path), engine="h5netcdf").load()
