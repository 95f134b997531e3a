"""The data sets inside the package, the generators, Fashion-MNIST, and `resolve`."""

from __future__ import annotations

import gzip
import importlib.util
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chainrule import datasets
from chainrule.errors import ConfigurationError, DataError, FileFormatError, UnknownNameError

TABLES = [name for name in datasets.SHIPPED if name != "digits"]


# Shipped


@pytest.mark.parametrize("name", datasets.SHIPPED)
def test_a_shipped_set_is_what_its_description_says(name: str) -> None:
    data, description = datasets.load(name), datasets.SHIPPED[name]
    assert data.description == description
    assert len(data.X_train) + len(data.X_test) == description.samples
    assert data.X_train.shape[1:] == data.X_test.shape[1:] == (description.features,)
    assert len({*data.feature_names}) == description.features
    assert data.X_train.dtype == np.float32
    assert np.isfinite(data.X_train).all()
    assert np.isfinite(data.X_test).all()
    assert description.source
    assert description.licence
    if data.task == "classes":
        assert (data.y_train.dtype, data.y_train.shape) == (np.int64, (len(data.X_train),))
        assert set(data.y_train) == set(data.y_test) == set(range(len(data.class_names)))
    else:
        assert (data.y_train.dtype, data.y_train.shape) == (np.float32, (len(data.X_train), 1))


@pytest.mark.parametrize("name", datasets.SHIPPED)
def test_the_part_held_out_is_a_fifth_of_every_class_or_of_every_fifth_of_the_values(name: str) -> None:
    data = datasets.load(name)
    if data.task == "classes":
        groups, held_out = np.concatenate([data.y_train, data.y_test]), data.y_test
    else:
        values = np.concatenate([data.y_train, data.y_test])[:, 0]
        edges = np.quantile(values, [0.2, 0.4, 0.6, 0.8])
        groups, held_out = np.digitize(values, edges), np.digitize(data.y_test[:, 0], edges)
    assert (abs(np.bincount(held_out) - np.bincount(groups) / 5) <= 1).all()
    assert abs(len(data.X_test) - data.description.samples / 5) <= 1


def test_the_digits_are_pixels_from_0_to_1_and_were_not_standardized() -> None:
    digits = datasets.load("digits")
    assert (digits.X_train.min(), digits.X_train.max()) == (0.0, 1.0)
    assert digits.preprocessing is None
    assert digits.feature_names[:9:8] == ("pixel_0_0", "pixel_1_0")


@pytest.mark.parametrize("name", TABLES)
def test_a_shipped_table_is_standardized_by_its_training_part(name: str) -> None:
    data = datasets.load(name)
    assert data.preprocessing is not None
    numbers = ["=" not in feature for feature in data.feature_names]
    np.testing.assert_allclose(data.X_train[:, numbers].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(data.X_train[:, numbers].std(axis=0), 1, rtol=1e-5)
    assert abs(data.X_test[:, numbers].mean(axis=0)).max() > 1e-3


@pytest.mark.parametrize("name", ["digits", "iris", "wine", "breast_cancer", "diabetes"])
def test_a_shipped_set_holds_the_numbers_of_scikit_learn(name: str) -> None:
    if importlib.util.find_spec("sklearn") is None:
        pytest.skip("scikit-learn is not installed")
    from sklearn import datasets as reference

    load = getattr(reference, f"load_{name}")
    original = load(scaled=False) if name == "diabetes" else load()
    data = datasets.load(name)
    X = np.concatenate([data.X_train, data.X_test]).astype(np.float64)
    y = np.concatenate([data.y_train, data.y_test])
    if data.preprocessing is None:
        X *= 16
    else:
        columns: Any = data.preprocessing.columns
        X = X * [column.scale for column in columns] + [column.center for column in columns]
        y = data.preprocessing.decode_target(y).reshape(-1)
    labels = original.target
    if name in ("iris", "breast_cancer"):
        labels = original.target_names[labels]
    if name == "wine":
        labels = np.array(["cultivar 1", "cultivar 2", "cultivar 3"])[labels]

    def in_order(rows: Any, targets: Any) -> list[Any]:
        return sorted([*np.round(row, 2).tolist(), str(target)] for row, target in zip(rows, targets, strict=True))

    ours, theirs = in_order(X, y.round(3) if y.dtype.kind == "f" else y), in_order(original.data, labels)
    np.testing.assert_allclose([row[:-1] for row in ours], [row[:-1] for row in theirs], atol=0.011)
    if name != "diabetes":
        assert [row[-1] for row in ours] == [row[-1] for row in theirs]
    else:
        np.testing.assert_allclose(sorted(y), sorted(labels), rtol=1e-5)


def test_the_penguins_have_their_missing_values_filled_and_their_texts_one_hot() -> None:
    penguins = datasets.load("penguins")
    assert penguins.feature_names == (
        "island=Biscoe",
        "island=Dream",
        "island=Torgersen",
        "bill_length_mm",
        "bill_depth_mm",
        "flipper_length_mm",
        "body_mass_g",
        "sex=female",
        "sex=male",
    )
    assert penguins.preprocessing is not None
    assert penguins.preprocessing.missing == "impute"
    X = np.concatenate([penguins.X_train, penguins.X_test])
    np.testing.assert_array_equal(X[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(X[:, 7:].sum(axis=1), 1)
    assert np.bincount(np.concatenate([penguins.y_train, penguins.y_test])).tolist() == [152, 68, 124]
    one = {"island": ["Dream"], "bill_length_mm": [None], "bill_depth_mm": [18], "flipper_length_mm": [190]}
    assert penguins.preprocessing.transform(one | {"body_mass_g": [3700], "sex": [None]}).shape == (1, 9)


def test_the_shipped_files_stay_small() -> None:
    folder = Path(datasets.__file__).parent / "data"
    assert sum(file.stat().st_size for file in folder.iterdir()) < 200_000


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match=r"no data set named 'digit'\. Did you mean 'digits'\?"):
        datasets.load("digit")


def test_a_data_set_is_shown_in_a_line() -> None:
    assert repr(datasets.load("digits")) == (
        "Dataset('digits': 1437 samples to train on, 360 held out, 64 features, 10 classes)"
    )
    assert repr(datasets.load("diabetes")).endswith("10 features, values of 'progression')")


# Generators

POINTS: dict[str, Callable[..., Any]] = {
    name: getattr(datasets, name) for name in ("spiral", "vertical", "moons", "circles", "blobs", "xor")
}


@pytest.mark.parametrize("name", POINTS)
def test_points_come_class_after_class_as_float32_and_int64(name: str) -> None:
    X, y = POINTS[name](samples=7)
    classes = int(y.max()) + 1
    assert (X.dtype, X.shape) == (np.float32, (7 * classes, 2))
    assert y.dtype == np.int64
    np.testing.assert_array_equal(y, np.repeat(np.arange(classes), 7))


@pytest.mark.parametrize("name", [*POINTS, "sine"])
def test_the_seed_alone_decides_the_points_and_the_global_stream_is_untouched(name: str) -> None:
    make = getattr(datasets, name)
    np.random.seed(3)  # noqa: NPY002 (to see that it is not used)
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    X, y = make(20, noise=0.1, seed=5)
    again, other = make(20, noise=0.1, seed=5), make(20, noise=0.1, seed=6)
    assert (X.tobytes(), y.tobytes()) == (again[0].tobytes(), again[1].tobytes())
    assert (X.tobytes(), y.tobytes()) != (other[0].tobytes(), other[1].tobytes())
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_without_noise_the_points_lie_on_their_curves() -> None:
    def radius(points: Any) -> Any:
        return np.hypot(points[:, 0], points[:, 1])

    X, _ = datasets.spiral(50, 3, noise=0)
    np.testing.assert_allclose(radius(X), np.tile(np.linspace(0, 1, 50), 3), atol=1e-6)
    t = np.linspace(4, 8, 50)  # the second arm
    np.testing.assert_allclose(X[50:100, 0], np.linspace(0, 1, 50) * np.sin(2.5 * t), atol=1e-6)
    X, y = datasets.circles(50, 4, noise=0)
    np.testing.assert_allclose(radius(X), (y + 1) / 4, atol=1e-6)
    X, y = datasets.moons(50, noise=0)
    np.testing.assert_allclose(radius(X - np.array([[0, 0], [1, 0.5]])[y]), 1, atol=1e-6)
    assert (X[y == 0, 1] >= -1e-6).all()
    assert (X[y == 1, 1] <= 0.5 + 1e-6).all()
    X, _ = datasets.blobs(3, 5, noise=0)
    np.testing.assert_allclose(radius(X), 1, atol=1e-6)
    X, y = datasets.vertical(3, 4, noise=0)
    np.testing.assert_allclose(X, np.stack([y / 3, np.full(12, 0.5)], axis=1), atol=1e-6)
    X, y = datasets.sine(8)
    assert (X.dtype, y.dtype, y.shape) == (np.float32, np.float32, (8, 1))
    np.testing.assert_allclose(y, np.sin(2 * np.pi * X), atol=1e-6)


def test_noise_is_the_standard_deviation_around_the_curves() -> None:
    clean, _ = datasets.blobs(5000, 2, noise=0)
    noisy, _ = datasets.blobs(5000, 2, noise=0.3)
    np.testing.assert_allclose((noisy - clean).std(axis=0), 0.3, rtol=0.05)
    np.testing.assert_allclose(datasets.vertical(5000, 1)[0].std(axis=0), 0.1, rtol=0.05)
    X, y = datasets.sine(5000, noise=0.5)
    np.testing.assert_allclose((y - np.sin(2 * np.pi * X)).std(), 0.5, rtol=0.05)
    X, y = datasets.spiral(5000, 1, noise=0.2)
    r = np.linspace(0, 1, 5000)[1000:]
    angle = np.arctan2(X[1000:, 0], X[1000:, 1])
    turned = (angle - 2.5 * 4 * r + np.pi) % (2 * np.pi) - np.pi
    np.testing.assert_allclose(turned.std(), 2.5 * 0.2, rtol=0.05)


def test_exclusive_or_fills_all_four_quadrants() -> None:
    X, y = datasets.xor(400)
    np.testing.assert_array_equal(y, X[:, 0] * X[:, 1] < 0)
    for signs in ((1, 1), (-1, -1), (1, -1), (-1, 1)):
        assert 150 < (np.sign(X) == signs).all(axis=1).sum() < 250
    assert abs(X).max() <= 1
    noisy, y = datasets.xor(400, noise=0.3)
    assert (y != (noisy[:, 0] * noisy[:, 1] < 0)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "spiral: samples must be a whole number from 1 up, not 0."),
        ({"samples": 2.0}, "spiral: samples must be a whole number from 1 up, not 2.0."),
        ({"classes": 0}, "spiral: classes must be a whole number from 1 up, not 0."),
        ({"noise": -0.1}, "spiral: noise must be a number from 0 up, not -0.1."),
        ({"noise": float("nan")}, "spiral: noise must be a number from 0 up, not nan."),
        ({"seed": -1}, "spiral: seed must be a whole number from 0 up, not -1."),
        ({"seed": None}, "spiral: seed must be a whole number from 0 up, not None."),
    ],
)
def test_a_generator_says_which_setting_cannot_work(options: Any, message: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        datasets.spiral(**options)
    assert str(raised.value) == message


# IDX and Fashion-MNIST


def idx(array: Any, code: int = 0x08) -> bytes:
    big_endian = array.astype(array.dtype.newbyteorder(">"))
    return bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + big_endian.tobytes()


@pytest.mark.parametrize(
    ("code", "dtype"),
    [(0x08, "uint8"), (0x09, "int8"), (0x0B, "int16"), (0x0C, "int32"), (0x0D, "float32"), (0x0E, "float64")],
)
@pytest.mark.parametrize("compress", [False, True])
def test_an_idx_file_of_every_dtype_is_read_back(code: int, dtype: str, compress: bool, tmp_path: Path) -> None:
    array = np.arange(-3, 21).reshape(2, 3, 4).astype(dtype)
    content = idx(array, code)
    (tmp_path / "file").write_bytes(gzip.compress(content, mtime=0) if compress else content)
    read = datasets.read_idx(tmp_path / "file")
    assert read.dtype == array.dtype
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


GOOD = idx(np.arange(6, dtype=np.uint8).reshape(2, 3))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file is not an IDX file: it begins with nothing."),
        (b"\x00\x00\x08", "file is not an IDX file: it begins with 00 00 08."),
        (b"\x01" + GOOD[1:], "file is not an IDX file: it begins with 01 00 08 02."),
        (b"\x00\x00\x0a" + GOOD[3:], "file is not an IDX file: it begins with 00 00 0a 02."),
        (GOOD[:-1], "file has 17 bytes, its header (2, 3) asks for 18."),
        (GOOD + b"\0", "file has 19 bytes, its header (2, 3) asks for 18."),
        (GOOD[:9], "file has 9 bytes"),
        (gzip.compress(GOOD, mtime=0)[:-4], "file: the compressed file is damaged or cut short."),
    ],
)
def test_a_file_that_is_not_idx_says_so(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileFormatError) as raised:
        datasets.read_idx(tmp_path / "file")
    assert message in str(raised.value)


def test_an_idx_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"none: there is no such file\."):
        datasets.read_idx(tmp_path / "none")
    with pytest.raises(FileFormatError, match="cannot be read: Is a directory"):
        datasets.read_idx(tmp_path)


def fashion_files(train: int = 20, test: int = 10) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    files = {}
    for part, count in (("train", train), ("t10k", test)):
        files[f"{part}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        files[f"{part}-labels-idx1-ubyte"] = (np.arange(count) % 10).astype(np.uint8)
    return files


def write_all(folder: Path, files: dict[str, Any], rename: Callable[[str], str] = str) -> Path:
    for name, array in files.items():
        content = idx(array)
        target = folder / rename(name)
        target.write_bytes(gzip.compress(content, mtime=0) if target.suffix == ".gz" else content)
    return folder


@pytest.mark.parametrize("rename", [str, lambda n: n + ".gz", lambda n: n.replace("-idx", ".idx")])
def test_fashion_mnist_is_read_from_a_folder_under_every_usual_name(
    rename: Callable[[str], str], tmp_path: Path
) -> None:
    files = fashion_files()
    data = datasets.fashion_mnist(write_all(tmp_path, files, rename))
    assert (data.X_train.shape, data.X_train.dtype) == ((20, 784), np.float32)
    assert (data.X_test.shape, data.y_test.dtype) == ((10, 784), np.int64)
    np.testing.assert_allclose(data.X_train * 255, files["train-images-idx3-ubyte"].reshape(20, 784), rtol=1e-6)
    np.testing.assert_array_equal(data.y_test, np.arange(10))
    assert (data.class_names[0], data.class_names[9]) == ("T-shirt/top", "Ankle boot")
    assert data.feature_names[29] == "pixel_1_1"
    assert data.preprocessing is None
    assert datasets.resolve("fashion-mnist", folder=tmp_path).X_test.shape == (10, 784)


def test_fashion_mnist_that_is_not_there_names_both_ways_to_it(tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        datasets.fashion_mnist(tmp_path)
    assert str(raised.value) == (
        f"{tmp_path} has no file train-images-idx3-ubyte or train-images-idx3-ubyte.gz; name the folder with the four "
        'IDX files, fashion_mnist("folder"), or run: apt-get install dataset-fashion-mnist'
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"train-labels-idx1-ubyte": np.zeros(19, np.uint8)}, "train has labels of shape (19,) for 20 pictures."),
        ({"t10k-labels-idx1-ubyte": np.full(10, 10, np.uint8)}, "t10k-labels holds 10; the classes are 0 to 9."),
        ({"t10k-images-idx3-ubyte": np.zeros((10, 784), np.uint8)}, "t10k-images holds uint8 (10, 784), expected"),
        ({"t10k-images-idx3-ubyte": np.zeros((10, 14, 14), np.uint8)}, "shape (28, 28), held-out ones (14, 14)."),
    ],
)
def test_files_that_do_not_fit_together_say_so(changed: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as raised:
        datasets.fashion_mnist(write_all(tmp_path, fashion_files() | changed))
    assert message in str(raised.value)


def test_fashion_mnist_of_the_debian_package_has_60000_and_10000_pictures() -> None:
    if not Path("/usr/share/datasets/fashion-mnist").is_dir():
        pytest.skip("the Debian package dataset-fashion-mnist is not installed")
    data = datasets.fashion_mnist()
    assert (data.X_train.shape, data.X_test.shape) == ((60_000, 784), (10_000, 784))
    assert np.bincount(data.y_train).tolist() == [6000] * 10
    assert (data.X_train.min(), data.X_train.max()) == (0.0, 1.0)


# resolve


def test_resolve_finds_a_shipped_set_a_generator_and_a_table(tmp_path: Path) -> None:
    assert datasets.resolve("iris").name == "iris"
    (tmp_path / "data.csv").write_text("x,y\n" + "1,a\n2,b\n" * 5)
    table = datasets.resolve(tmp_path / "data.csv", target="x", task="classes", test=0.5)
    assert (table.name, table.class_names, len(table.X_test)) == ("data", ("1", "2"), 5)
    assert datasets.resolve(str(tmp_path / "data.csv")).class_names == ("a", "b")


@pytest.mark.parametrize("name", [*POINTS, "sine"])
def test_resolve_holds_out_a_fifth_of_what_a_generator_makes(name: str) -> None:
    data, make = datasets.resolve(name, samples=50, seed=3), getattr(datasets, name)
    X, y = make(samples=50, seed=3, **{"noise": 0.1} if name == "spiral" else {})
    assert len(data.X_test) == len(X) // 5
    both = np.concatenate([data.X_train, data.X_test])
    np.testing.assert_array_equal(both[np.lexsort(both.T)], X[np.lexsort(X.T)])
    assert data.task == ("values" if name == "sine" else "classes")
    if name != "sine":
        np.testing.assert_array_equal(np.bincount(data.y_test), 10)
        assert data.class_names == tuple(str(c) for c in range(int(y.max()) + 1))
    assert len(data.feature_names) == X.shape[1]
    assert data.title
    assert len(datasets.resolve(name, samples=50, test=0.5).X_test) == len(X) // 2


def test_the_spiral_by_name_has_less_noise_than_the_books_unless_told() -> None:
    X = datasets.resolve("spiral", noise=0.2, test=0.5).X_train
    usual = datasets.resolve("spiral", test=0.5).X_train
    assert len(usual) == 300 and not np.isin(usual, X).all()
    told = datasets.resolve("spiral", noise=0.1, samples=200, test=0.5).X_train
    np.testing.assert_array_equal(usual, told)


def test_the_seed_decides_which_points_are_held_out() -> None:
    one, same, other = (datasets.resolve("circles", noise=0, seed=seed).X_test.tolist() for seed in (0, 0, 1))
    assert one == same
    assert one != other


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("digit", {}, UnknownNameError, "There is no data set named 'digit'. Did you mean 'digits'? Known: 'digits',"),
        ("spirals", {}, UnknownNameError, "Did you mean 'spiral'?"),
        ("none.csv", {}, UnknownNameError, "There is no file or data set named 'none.csv'. Known: 'digits', 'iris',"),
        ("iris", {"seed": 1}, ConfigurationError, "iris: there is no option 'seed'; it takes none."),
        (
            "spiral",
            {"target": "x"},
            ConfigurationError,
            "spiral: there is no option 'target'; it takes samples, classes, noise, seed, test.",
        ),
        ("moons", {"classes": 3}, ConfigurationError, "there is no option 'classes'; it takes samples, noise, seed"),
        ("fashion-mnist", {"seed": 1}, ConfigurationError, "there is no option 'seed'; it takes folder."),
        ("spiral", {"samples": 0}, ConfigurationError, "spiral: samples must be a whole number from 1 up, not 0."),
        ("spiral", {"test": 2}, ConfigurationError, "test is the part to hold out, between 0 and 1, not 2."),
        ("moons", {"samples": 1}, DataError, "moons has too few rows to hold any out: 2, at most one of each class."),
        (__file__, {"noise": 1}, ConfigurationError, "there is no option 'noise'; it takes target, test, seed"),
    ],
)
def test_resolve_says_what_there_is_and_what_it_takes(
    name: str, options: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        datasets.resolve(name, **options)
    assert message in str(raised.value)
