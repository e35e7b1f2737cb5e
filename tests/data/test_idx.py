"""Oracle: idx files written byte by byte here, from the format's definition."""

import gzip
import struct

import numpy as np
import pytest

from unified.base.errors import InputError
from unified.data import load, read_idx

CODES = {"u1": 0x08, "i1": 0x09, ">i2": 0x0B, ">i4": 0x0C, ">f4": 0x0D, ">f8": 0x0E}


def idx(array, kind="u1"):
    array = np.asarray(array)
    head = bytes([0, 0, CODES[kind], array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(kind).tobytes()


def write_folder(folder, *, dot="-", gz=False, train=12, test=6, **replace):
    """Four files in the MNIST layout; ``replace`` swaps the bytes of one, None leaves it out."""
    rng = np.random.default_rng(0)
    content, expected = {}, {}
    for part, count in (("train", train), ("t10k", test)):
        images, labels = rng.integers(0, 256, (count, 3, 2)), np.arange(count) % 10
        expected[part] = (images, labels)
        content[f"{part}_images"], content[f"{part}_labels"] = idx(images), idx(labels)
    content |= replace
    for key, data in content.items():
        part, what = key.split("_")
        name = f"{part}-{what}{dot}idx{3 if what == 'images' else 1}-ubyte"
        if data is not None:
            (folder / (name + ".gz" * gz)).write_bytes(gzip.compress(data) if gz else data)
    return expected


@pytest.mark.parametrize("kind", CODES)
def test_every_element_type_round_trips(tmp_path, kind):
    """A byte-order slip would scramble the images yet still load."""
    array = np.array([[1, 2, 3], [4, 5, 100]])
    (tmp_path / "a").write_bytes(idx(array, kind))
    got = read_idx(tmp_path / "a")
    assert got.dtype.isnative and np.array_equal(got, array)


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("gz", [False, True])
def test_folder_is_read_in_every_spelling(tmp_path, dot, gz):
    """Users would have to rename or unpack their files."""
    expected = write_folder(tmp_path, dot=dot, gz=gz)
    data = load(tmp_path)
    images, labels = expected["train"]
    assert np.array_equal(data.x_train, images.reshape(12, 6) / 255.0)
    assert np.array_equal(data.y_train.argmax(axis=1), labels)
    assert np.array_equal(data.x_test, expected["t10k"][0].reshape(6, 6) / 255.0)
    assert data.classes == 10 and data.name == tmp_path.name


GOOD = idx(np.zeros((12, 3, 2)))
BAD = {
    "truncated": ({"train_images": GOOD[:-1]}, "train-images.*truncated"),
    "too long": ({"train_images": GOOD + b"\0"}, "too long"),
    "header cut": ({"train_images": GOOD[:9]}, "header of 16 bytes"),
    "empty file": ({"train_images": b""}, "got 0 bytes"),
    "wrong magic": ({"train_images": b"\x89PNG" + GOOD[4:]}, "magic number.*0x89504e47"),
    "swapped": ({"train_images": idx(np.zeros(12))}, "swapped"),
    "counts": ({"train_labels": idx(np.zeros(11))}, "11 labels for 12 images"),
    "label range": ({"train_labels": idx([0] * 11 + [10])}, "from 0 to 9, got 10 at position 11"),
    "fractions": ({"train_labels": idx(np.zeros(12), ">f4")}, "fractions"),
    "NaN": ({"train_images": idx(np.full((12, 3, 2), np.nan), ">f8")}, "NaN or inf.* in image 0"),
    "missing": ({"t10k_labels": None}, "t10k-labels-idx1-ubyte"),
    "no images": ({"t10k_images": idx(np.zeros((0, 3, 2))), "t10k_labels": idx([])}, "one image"),
    "test size": ({"t10k_images": idx(np.zeros((6, 2, 2)))}, "width 6 as in x_train"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_folder_is_one_sentence(tmp_path, case):
    """A net trained on damaged data gives numbers that look like a result."""
    replace, message = BAD[case]
    write_folder(tmp_path, **replace)
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value) and ": expected " in str(caught.value)


@pytest.mark.parametrize("cut", [5, 30])
def test_truncated_gzip(tmp_path, cut):
    """An interrupted download is the commonest damage of all."""
    packed = gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (9, 4, 4))))
    (tmp_path / "a.gz").write_bytes(packed[:-cut])
    with pytest.raises(InputError, match="whole gzip file"):
        read_idx(tmp_path / "a.gz")


def test_damaged_gzip(tmp_path):
    """A flipped bit must not become a picture."""
    packed = bytearray(gzip.compress(idx(np.random.default_rng(0).integers(0, 256, (9, 4, 4)))))
    packed[len(packed) // 2] ^= 0xFF
    (tmp_path / "a.gz").write_bytes(bytes(packed))
    with pytest.raises(InputError):
        read_idx(tmp_path / "a.gz")


def test_missing_folder_and_file(tmp_path):
    """A typo in --data must not end in a traceback."""
    with pytest.raises(InputError, match="no folder"):
        load(tmp_path / "nowhere")
    with pytest.raises(InputError, match="readable file"):
        read_idx(tmp_path / "nothing")
