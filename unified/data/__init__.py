"""Datasets: the embedded handwritten digits, and folders in the MNIST layout."""

from unified.data.dataset import Dataset, one_hot
from unified.data.idx import read_idx
from unified.data.load import load

__all__ = ["Dataset", "load", "one_hot", "read_idx"]
