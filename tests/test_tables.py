"""Tables from CSV files, dicts, data frames and Parquet files."""

from __future__ import annotations

import csv
import gzip
import io
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainrule.datasets import Table, read_table
from chainrule.datasets.csvfile import to_csv
from chainrule.datasets.numerals import notation_of, read_number
from chainrule.datasets.vocabulary import MISSING
from chainrule.errors import ConfigurationError, DataError, FileFormatError, UnknownNameError

NAN = float("nan")
MARKERS = ["", "NA", "N/A", "NaN", "nan", "null", "NULL", "?", "#N/A", "n/a", "N.A.", "#VALUE!", "#DIV/0!"]


def written(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def known(value: Any) -> Any:
    return None if isinstance(value, float) and np.isnan(value) else value


def columns(table: Table) -> dict[str, list[Any]]:
    """The columns as lists, None for what is missing."""
    return {name: [known(value) for value in table[name].tolist()] for name in table.names}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,x\n2.5,y\n", {"a": [1.0, 2.5], "b": ["x", "y"]}),
        ("a;b\n1;x\n", {"a": [1.0], "b": ["x"]}),
        ("a\tb\n1\tx\n", {"a": [1.0], "b": ["x"]}),
        ("a,b\r\n1,x\r\n\r\n\r\n", {"a": [1.0], "b": ["x"]}),
        ("a,b\r1,x\r", {"a": [1.0], "b": ["x"]}),
        ("\ufeffa,b\n1,x", {"a": [1.0], "b": ["x"]}),
        ("\n\na,b\n\n1,x\n", {"a": [1.0], "b": ["x"]}),
        ("a,b\n1,x\n,\n,\n", {"a": [1.0], "b": ["x"]}),
        (" a , b \n 1 , x \n", {"a": [1.0], "b": ["x"]}),
        ('a,b\n1, "x, y"\n', {"a": [1.0], "b": ["x, y"]}),
        ('"weight; kg","size; in; cm"\n1,2\n', {"weight; kg": [1.0], "size; in; cm": [2.0]}),
        ('a,b\n1,"he said ""x""\nand left"\n', {"a": [1.0], "b": ['he said "x"\nand left']}),
        ('a,b\r\n1,"x\r\ny"\r\n', {"a": [1.0], "b": ["x\r\ny"]}),
        ("a\n1\n2\n", {"a": [1.0, 2.0]}),
        ("a,b\ntrue,TRUE\nFalse,NA\n", {"a": [1.0, 0.0], "b": [1.0, None]}),
        ("a;b\n1,5;x,y\n-2,25;z\n", {"a": [1.5, -2.25], "b": ["x,y", "z"]}),
        ('a,b\n"1,5",x\n', {"a": [1.5], "b": ["x"]}),
        ("a|b\n1|x, y; z\n2|w\n", {"a": [1.0, 2.0], "b": ["x, y; z", "w"]}),
        ("a b\n1  x\n 2 y \n", {"a": [1.0, 2.0], "b": ["x", "y"]}),
        ("a;b\n1.060,78;1.096\n887,36;2.120\n", {"a": [1060.78, 887.36], "b": [1096.0, 2120.0]}),
        ('a,b\n"$1,377.70",10%\nUSD 5,(0.4 %)\n', {"a": [1377.7, 5.0], "b": [10.0, -0.4]}),
        ("a;b\n1 234,50 Kč;−5\n0,5 Kč;5\n", {"a": [1234.5, 0.5], "b": [-5.0, 5.0]}),
        ("a,b\n00501,1\n12345,2\n", {"a": ["00501", "12345"], "b": [1.0, 2.0]}),
        (
            "a,b\n9007199254740992,1\n9007199254740993,2\n",
            {"a": ["9007199254740992", "9007199254740993"], "b": [1.0, 2.0]},
        ),
        ("a,b\nTrue,yes\nF,no\n1,no\n", {"a": [1.0, 0.0, 1.0], "b": [1.0, 0.0, 0.0]}),
        ("a,b\n14:30,x\n06:15,y\n", {"a": [14.5, 6.25], "b": ["x", "y"]}),
        ("a,b,\n1,2,\n3,4,\n", {"a": [1.0, 3.0], "b": [2.0, 4.0]}),
        ("a,b\n1,2,\n3,4,\n", {"a": [1.0, 3.0], "b": [2.0, 4.0]}),
        ("a b\nr1 1 2\nr2 3 4\n", {"column_1": ["r1", "r2"], "a": [1.0, 3.0], "b": [2.0, 4.0]}),
        ("a,b,a\n1,2,3\n", {"a": [1.0], "b": [2.0], "a_2": [3.0]}),
        (",a\n0,1\n", {"column_1": [0.0], "a": [1.0]}),
        (
            "5.1,3.5,setosa\n4.9,3.0,setosa\n",
            {"column_1": [5.1, 4.9], "column_2": [3.5, 3.0], "column_3": ["setosa"] * 2},
        ),
        ("\n7,3\n1,2\n", {"column_1": [7.0, 1.0], "column_2": [3.0, 2.0]}),
        ("elm,wet\noak,dry\nelm,wet\noak,dry\n", {"column_1": ["elm", "oak"] * 2, "column_2": ["wet", "dry"] * 2}),
        ("a,b\n1_000,1e3\n", {"a": ["1_000"], "b": [1000.0]}),
        ("a,b\n,x\nNA,?\n 7 ,null\n", {"a": [None, None, 7.0], "b": ["x", None, None]}),
        ("a,b\nNA,x\n,y\n", {"a": [None, None], "b": ["x", "y"]}),
        ("0,1,label\n5,6,x\n", {"0": [5.0], "1": [6.0], "label": ["x"]}),
        ("1,2\n5,6\n", {"1": [5.0], "2": [6.0]}),
        ("id,n,2019\n5,6,7\n", {"id": [5.0], "n": [6.0], "2019": [7.0]}),
    ],
)
def test_a_csv_file_is_read_by_what_its_cells_are(content: str, expected: Any, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, content))
    assert columns(table) == expected


@pytest.mark.parametrize("marker", MARKERS)
def test_every_marker_is_missing_among_numbers_and_among_texts(marker: str, tmp_path: Path) -> None:
    assert columns(read_table(written(tmp_path, f"a,b\n1,x\n{marker},{marker}\n2,y\n"))) == {
        "a": [1.0, None, 2.0],
        "b": ["x", None, "y"],
    }


def test_names_that_only_resemble_a_marker_are_texts(tmp_path: Path) -> None:
    assert columns(read_table(written(tmp_path, "element\nNa\nNone\n"))) == {"element": ["Na", "None"]}


@pytest.mark.parametrize("name", ["data.csv.gz", "data.csv", "data.tsv.gz"])
def test_a_compressed_file_is_read_whatever_its_name(name: str, tmp_path: Path) -> None:
    content = b"a\tb\n1\tx,y,z\n"
    assert columns(read_table(str(written(tmp_path, gzip.compress(content, mtime=0), name)))) == {
        "a": [1.0],
        "b": ["x,y,z"],
    }


def test_a_tsv_file_is_separated_by_tabs_whatever_else_its_header_holds(tmp_path: Path) -> None:
    assert columns(read_table(written(tmp_path, "a,b,c\td\n1\t2\n", "data.tsv"))) == {"a,b,c": [1.0], "d": [2.0]}


def test_columns_named_in_text_keep_their_cells_as_they_stand(tmp_path: Path) -> None:
    path = written(tmp_path, "code,n\n007,1\n,2\n")
    assert columns(read_table(path, text=["code"])) == {"code": ["007", None], "n": [1.0, 2.0]}
    assert columns(read_table({"code": [7, 0.5, None]}, text=["code"])) == {"code": ["7", "0.5", None]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "data.csv is empty; its first line must name the columns."),
        ("\n\n", "data.csv is empty"),
        ("a,b\n", "data.csv has a header and no rows below it."),
        ("a,b\n1,2\n3\n", "data.csv, line 3: 1 cell where the header has 2."),
        ('a,b\n"1\n1",2\n3,4,5\n', "data.csv, line 4: 3 cells where the header has 2."),
        ("a,b\n" + "x" * 200_000 + ",y\n", "data.csv, line 2: a cell is very long, or a quoted cell is not closed"),
        ('a,b\n1,"x\n2,y\n', "a quoted cell is not closed properly"),
        ('a,b\n1,"x"y\n', "data.csv, line 2: a quoted cell is not closed properly"),
        (gzip.compress(b"a,b\n1,2\n" * 50, mtime=0)[:-12], "data.csv: the compressed file is damaged or cut short."),
        (b"\x1f\x8bnonsense", "data.csv: the compressed file is damaged or cut short."),
    ],
)
def test_a_file_that_is_no_table_says_where_and_why(content: str | bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError) as raised:
        read_table(written(tmp_path, content))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("cell", ["9" * 5000, "²" * 17, "1²", "٣²"])
def test_digits_of_any_kind_and_length_are_text_and_no_error_of_python(cell: str, tmp_path: Path) -> None:
    table = read_table(written(tmp_path, "a,b\n" + f"{cell},1\n" * 20))
    assert table["a"].dtype == object and {*table["a"]} == {cell}
    with pytest.raises(DataError, match="text where numbers belong"):
        read_table(written(tmp_path, "a,b\n" + "7,1\n" * 20 + f"{cell},1\n"))


def test_a_path_that_leads_nowhere_or_to_a_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"none\.csv: there is no such file\."):
        read_table(tmp_path / "none.csv")
    with pytest.raises(FileFormatError, match="is a folder; name a file"):
        read_table(tmp_path)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"a": [1, 2.5, None], "b": ["x", "", NAN]}, {"a": [1.0, 2.5, None], "b": ["x", None, None]}),
        ({"a": np.array([1, 2], dtype=np.uint8), "b": np.array(["x", " y "])}, {"a": [1.0, 2.0], "b": ["x", "y"]}),
        ({"a": np.array([True, False]), "b": [True, None]}, {"a": [1.0, 0.0], "b": [1.0, None]}),
        ({"a": np.ma.masked_array([1, 2], mask=[False, True])}, {"a": [1.0, None]}),
        ({"a": ["1", "2"]}, {"a": ["1", "2"]}),
        ({1: (1,)}, {"1": [1.0]}),
        ({"a": []}, {"a": []}),
    ],
)
def test_a_dict_is_read_by_the_types_of_its_values(source: Any, expected: Any) -> None:
    assert columns(read_table(source)) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "the table has no columns."),
        ({"a": [1, 2], "b": [1]}, "the table: the column 'b' has 1 values, 'a' has 2."),
        ({"a": "abc"}, "The column 'a' is of type str; pass a list or an array of values."),
        ({"a": 3}, "The column 'a' is of type int; pass a list"),
        ({"a": np.zeros((2, 2))}, "The column 'a' has shape (2, 2); pass one value for each row, (B,)."),
        ({"a": [1, "x"]}, "The column 'a' holds int and str values; make them all numbers, all dates or all text."),
        ({"a": [[1], [2, 3]]}, "The column 'a' holds list values"),
        ({"a": [10**400]}, "The column 'a' holds a whole number too large for float64."),
        ({1: [1], "1": [2]}, "Two columns are named '1'; rename one."),
        ([[1, 2]], "A table is a path, a data frame or a dict of columns, not a value of type list; write {"),
        (np.zeros((2, 2)), "not a value of type ndarray"),
        (None, "not a value of type NoneType"),
    ],
)
def test_what_is_no_table_says_so(source: Any, message: str) -> None:
    with pytest.raises(DataError) as raised:
        read_table(source)
    assert message in str(raised.value)


def test_a_table_shows_its_columns_and_names_them_where_one_is_asked_for_that_is_not_there() -> None:
    table = read_table({"size": [1, 2], "kind": ["a", "b"]})
    assert repr(table) == "Table('the table': 2 rows of 'size', 'kind')"
    assert columns(read_table(table, text=["size"]))["size"] == ["1", "2"]
    with pytest.raises(UnknownNameError, match=r"no column of the table named 'sise'\. Did you mean 'size'\?"):
        table["sise"]
    with pytest.raises(DataError, match="the column 'a' is not a float64 or object array of shape"):
        Table({"a": np.array([1, 2])})


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    rows = draw(st.integers(1, 6))
    number = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**6), 10**6).map(float)
    text = st.none() | st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=8).map(lambda s: "t" + s)
    made: dict[str, list[Any]] = {"first": [float(row) for row in range(rows)]}
    for index, kind in enumerate(draw(st.lists(st.sampled_from([number, text]), max_size=4))):
        made[f"column {index}"] = draw(st.lists(kind, min_size=rows, max_size=rows))
    return made


@settings(max_examples=200)
@given(
    made=tables(),
    delimiter=st.sampled_from(",;\t"),
    ending=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig"]),
    missing=st.sampled_from(MARKERS),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    compress=st.booleans(),
)
def test_what_is_written_as_csv_is_read_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory,
    made: dict[str, list[Any]],
    delimiter: str,
    ending: str,
    encoding: str,
    missing: str,
    quoting: Any,
    compress: bool,
) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=ending, quoting=quoting)
    writer.writerow(made)
    writer.writerows([missing if v is None else v for v in row] for row in zip(*made.values(), strict=True))
    content = text.getvalue().encode(encoding)
    path = tmp_path_factory.getbasetemp() / "data.csv"
    path.write_bytes(gzip.compress(content, mtime=0) if compress else content)
    expected = {
        name: [value.strip() if isinstance(value, str) else value for value in values] for name, values in made.items()
    }
    assert columns(read_table(path)) == expected


def test_the_line_that_installs_what_is_missing_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "narwhals", None)
    with pytest.raises(ConfigurationError, match=r'data frame needs narwhals; run: pip install "chainrule\[tables\]"'):
        read_table(object())
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ConfigurationError, match=r'Parquet file needs pyarrow; run: pip install "chainrule\[tables\]"'):
        read_table(written(tmp_path, b"PAR1rest", "data.parquet"))


# Data frames. Every library is asked for what all of them have: numbers, truths, texts and categories with gaps.

EXPECTED = {
    "number": [1.5, None, 3.0],
    "whole": [1.0, 2.0, 3.0],
    "gaps": [1.0, None, 3.0],
    "truth": [1.0, None, 0.0],
    "text": ["x", None, "y"],
    "kind": ["u", None, "v"],
}


def pandas_frame() -> Any:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    return pandas.DataFrame(
        {
            "number": [1.5, NAN, 3.0],
            "whole": [1, 2, 3],
            "gaps": pandas.array([1, None, 3], dtype="Int64"),
            "truth": pandas.array([True, None, False], dtype="boolean"),
            "text": ["x", None, "y"],
            "kind": pandas.Categorical(["u", None, "v"]),
        }
    )


def polars_frame() -> Any:
    polars = pytest.importorskip("polars", reason="Polars is not installed")
    return polars.DataFrame(
        {
            "number": [1.5, NAN, 3.0],
            "whole": polars.Series([1, 2, 3], dtype=polars.UInt8),
            "gaps": [1, None, 3],
            "truth": [True, None, False],
            "text": ["x", None, "y"],
            "kind": polars.Series(["u", None, "v"], dtype=polars.Categorical),
        }
    )


def arrow_frame() -> Any:
    pyarrow = pytest.importorskip("pyarrow", reason="PyArrow is not installed")
    return pyarrow.table(
        {
            "number": [1.5, NAN, 3.0],
            "whole": pyarrow.array([1, 2, 3], pyarrow.int8()),
            "gaps": [1, None, 3],
            "truth": [True, None, False],
            "text": ["x", None, "y"],
            "kind": pyarrow.array(["u", None, "v"]).dictionary_encode(),
        }
    )


FRAMES = {
    "pandas": pandas_frame,
    "polars": polars_frame,
    "polars, lazy": lambda: polars_frame().lazy(),
    "pyarrow": arrow_frame,
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_a_data_frame_is_read_alike_from_every_library(make: Any) -> None:
    frame = make()
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    assert columns(read_table(frame)) == EXPECTED


def test_what_is_no_data_frame_says_so() -> None:
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    with pytest.raises(DataError, match="not a value of type object"):
        read_table(object())


def test_pandas_columns_that_cannot_be_used_say_so() -> None:
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    dates = read_table(pandas.DataFrame({"t": pandas.to_datetime(["2020-01-01", None])}))["t"]
    assert dates.astype(str).tolist() == ["2020-01-01T00:00:00", "NaT"]
    with pytest.raises(DataError, match="'a' 2 times"):
        read_table(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    assert columns(read_table(pandas.DataFrame({"a": pandas.Categorical([1, 2, 1])}))) == {"a": ["1", "2", "1"]}
    assert columns(read_table(pandas.DataFrame({"a": pandas.Series(["x", pandas.NA], dtype=object)}))) == {
        "a": ["x", None]
    }


def test_a_parquet_file_is_read_as_its_data_frame(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="PyArrow is not installed")
    pytest.importorskip("narwhals", reason="narwhals is not installed")
    parquet.write_table(arrow_frame(), tmp_path / "data.parquet")
    table = read_table(tmp_path / "data.parquet")
    assert columns(table) == EXPECTED
    assert table.name == "data.parquet"
    content = (tmp_path / "data.parquet").read_bytes()
    with pytest.raises(FileFormatError, match=r"short\.parquet is not a readable Parquet file"):
        read_table(written(tmp_path, content[:-40], "short.parquet"))


# CSV as it is written


DANGEROUS = ("=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "''-x", " '@x", "＝1")


@pytest.mark.parametrize("text", DANGEROUS)
def test_a_cell_of_text_that_a_spreadsheet_would_run_is_written_with_an_apostrophe(text: str) -> None:
    written = to_csv(["a"], [{"a": text}]).split("\n", 1)[1]
    assert written.lstrip('"').startswith("'")
    assert next(csv.reader(io.StringIO(written, newline=""))) == [f"'{text}"]


@pytest.mark.parametrize("number", [-1, -0.5, np.float32(-2.5), np.float64(-1e-300), np.int64(-3), 1e22, -math.inf])
def test_a_number_is_never_guarded(number: Any) -> None:
    cell = to_csv(["a"], [{"a": number}]).splitlines()[1]
    assert float(cell) == number


texts = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(DANGEROUS)
words = texts.map(str.strip).filter(lambda text: text not in MISSING)


@given(rows=st.lists(st.tuples(words, words, st.floats(allow_nan=False)), min_size=1, max_size=6))
def test_what_is_written_is_read_back(rows: list[tuple[str, str, float]], tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    names = ["text", "more", "number"]
    path.write_bytes(to_csv(names, (dict(zip(names, row, strict=True)) for row in rows)).encode())
    table = read_table(path, text=["text", "more"])
    assert list(zip(*(table[name].tolist() for name in names), strict=True)) == rows


@given(names=st.lists(words.filter(lambda name: name.strip("'") != ""), min_size=2, max_size=4, unique=True))
def test_names_of_columns_are_read_back(names: list[str], tmp_path_factory: Any) -> None:
    names = [f"{name}x" for name in names]  # a name that is a number is refused for reasons of its own
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(to_csv(names, [dict.fromkeys(names, "word")]).encode())
    assert list(read_table(path).names) == names


def test_a_number_in_text_stays_text_where_it_is_guarded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(to_csv(["class"], [{"class": "-5"}, {"class": "+x"}]))
    assert read_table(path)["class"].tolist() == ["-5", "+x"]


# As people write them


@pytest.mark.parametrize(
    "encoding", ["cp1250", "utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "cp1252", "iso-8859-2"]
)
def test_a_file_is_read_in_the_encoding_that_its_bytes_tell(encoding: str, tmp_path: Path) -> None:
    words = ["Noël", "père", "où", "français"] if encoding == "cp1252" else ["Třebíč", "Plzeň", "déšť", "Ústí"]
    content = "město;výška\n" if encoding != "cp1252" else "ville;là\n"
    content += "".join(f"{word};{i},5\n" for i, word in enumerate(words))
    table = read_table(written(tmp_path, content.encode(encoding)))
    assert table[table.names[0]].tolist() == words
    assert table[table.names[1]].tolist() == [0.5, 1.5, 2.5, 3.5]
    assert any(encoding in note for note in table.origin.notes) is not encoding.startswith("utf")


@pytest.mark.parametrize(
    ("cells", "days", "order"),
    [
        (["2023-01-05", "2023-12-31"], ["2023-01-05", "2023-12-31"], "ymd"),
        (["05.01.2023", "31.12.2023"], ["2023-01-05", "2023-12-31"], "dmy"),
        (["5/1/2023", "31/12/2023"], ["2023-01-05", "2023-12-31"], "dmy"),
        (["1/5/2023", "12/31/2023"], ["2023-01-05", "2023-12-31"], "mdy"),
        (["05-Jan-2023", "31-Dec-2023"], ["2023-01-05", "2023-12-31"], "ymd"),
        (["Jan 5, 2023", "December 31, 2023"], ["2023-01-05", "2023-12-31"], "ymd"),
        (["2023-01-05T10:00:00Z", "NA"], ["2023-01-05", None], "ymd"),
        (["5. 1. 2023", "31. 12. 2023"], ["2023-01-05", "2023-12-31"], "dmy"),
    ],
)
def test_dates_are_read_in_the_order_that_the_column_shows(
    cells: list[str], days: list[str], order: str, tmp_path: Path
) -> None:
    table = read_table(written(tmp_path, "day;n\n" + "".join(f"{cell};1\n" for cell in cells)))
    assert [None if np.isnat(d) else str(d)[:10] for d in table["day"]] == days
    assert table.origin.written["day"].mark == order
    assert any("day: dates from 2023-01-05" in note for note in table.origin.notes)


@given(
    values=st.lists(st.decimals(-(10**9), 10**9, places=2, allow_nan=False), min_size=1, max_size=8),
    mark=st.sampled_from(".,"),
    group=st.sampled_from(["", "other", " ", "\u00a0", "'"]),
    affix=st.sampled_from([("", ""), ("$", ""), ("€ ", ""), ("", " €"), ("", " %"), ("USD ", ""), ("", " Kč")]),
    parentheses=st.booleans(),
)
def test_a_number_is_what_was_written_whatever_the_notation(
    values: list[Any], mark: str, group: str, affix: tuple[str, str], parentheses: bool
) -> None:
    separator = {"other": ",."[mark == ","]}.get(group, group)
    cells = []
    for value in values:
        whole, _, rest = f"{abs(value):,.2f}".partition(".")
        text = affix[0] + whole.replace(",", separator) + mark + rest + affix[1]
        cells.append(text if value >= 0 else f"({text})" if parentheses else f"-{text}")
    notation = notation_of(cells)
    assert notation is not None and notation.mark == mark
    assert [read_number(cell, mark) for cell in cells] == [float(value) for value in values]


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d %b %Y", "%B %d, %Y"]))
def test_a_date_comes_back_whatever_the_form(day: Any, form: str) -> None:
    from chainrule.datasets.dates import dates_of, order_of

    shown = day.strftime(form) if day.year >= 1000 else day.replace(year=day.year + 1000).strftime(form)
    sure = {"%d": "31/12/1999", "%m": "12/31/1999"}.get(form[:2] if "/" in form else "", shown)
    found = order_of([shown, sure])
    assert found is not None
    back = dates_of([shown], found[0])[0].astype(object).date()
    assert back.strftime(form) == shown


@pytest.mark.parametrize("end", [",", ",,", ", ,"])
@pytest.mark.parametrize("header", ["a,b", "1,x"], ids=["a header", "none"])
def test_delimiters_at_the_end_of_every_line_are_no_columns(header: str, end: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("".join(f"{line}{end}\n" for line in (header, "2,x", "3,y", "4,x", "5,y")))
    table = read_table(path)
    assert list(table.names) == (["a", "b"] if header == "a,b" else ["column_1", "column_2"])
    assert table["b" if header == "a,b" else "column_2"].tolist()[-4:] == ["x", "y", "x", "y"]
    assert any("every line ends in a delimiter" in note for note in table.origin.notes)
    path.write_text(f"a,b{end}\n" + f"2,x{end}\n" * 300 + "3,y,z\n")  # a cell that is there is never lost
    with pytest.raises(FileFormatError, match="line 302: 3 cells where the header has 2"):
        read_table(path)


def test_the_row_named_in_an_error_is_the_line_of_the_file(tmp_path: Path) -> None:
    cells = [str(i) for i in range(40)]
    cells[7] = "oops"
    with pytest.raises(DataError, match="'oops' in line 10 \\(1 of 40 cells\\)"):
        read_table(written(tmp_path, "\na,b\n" + "".join(f"{cell},x\n" for cell in cells)))


def test_two_notations_in_a_column_are_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'\$5' in line 2 and '€5' in line 3 differ in unit or decimal mark"):
        read_table(written(tmp_path, "a,b\n$5,x\n€5,y\n"))
    with pytest.raises(DataError, match=r"'1,5' in line 2 and '2.5' in line 3 differ"):
        read_table(written(tmp_path, "a;b\n1,5;x\n2.5;y\n"))


def test_a_dash_that_is_frequent_among_texts_is_a_category_and_a_rare_one_is_missing(tmp_path: Path) -> None:
    often = read_table(written(tmp_path, "a,b\n" + "1,-\n2,x\n" * 5))
    assert often["b"].tolist() == ["-", "x"] * 5
    assert "'-' is too frequent to be missing" in " ".join(often.origin.notes)
    rare = read_table(written(tmp_path, "a,b\n1,-\n" + "2,x\n" * 15))
    assert rare["b"].tolist() == [None] + ["x"] * 15


def test_a_column_whose_kind_shows_late_in_a_long_file_is_read_as_a_whole(tmp_path: Path) -> None:
    rows = [f"{i},{i % 7},{i}" for i in range(9000)] + ["00501,x,1"] * 9000
    table = read_table(written(tmp_path, "code,kind,n\n" + "\n".join(rows)))
    assert table["code"][[5, 9000]].tolist() == ["5", "00501"]
    assert table["kind"][[5, 9000]].tolist() == ["5", "x"]
    assert table["n"].sum() == 9000 * 8999 / 2 + 9000


def test_many_numbers_with_decimal_commas_are_read_alike_in_every_block(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(0, 1000, 50_000).round(2)
    shown = [f"{v:,.2f}".translate(str.maketrans(",.", ".,")) for v in values]
    table = read_table(written(tmp_path, "v;w\n" + "".join(f"{cell};1\n" for cell in shown)))
    np.testing.assert_array_equal(table["v"], values)


def test_what_a_user_says_of_a_file_holds(tmp_path: Path) -> None:
    path = written(tmp_path, "a,b\nx,y\nx,y\n")
    assert columns(read_table(path, header=False)) == {"column_1": ["a", "x", "x"], "column_2": ["b", "y", "y"]}
    path = written(tmp_path, "è;1,5\nà;2,5\n".encode("cp1252"))
    assert columns(read_table(path, header=False, encoding="cp1252", delimiter="semicolon")) == {
        "column_1": ["è", "à"],
        "column_2": [1.5, 2.5],
    }
    with pytest.raises(ConfigurationError, match="no encoding named 'cp99'"):
        read_table(path, encoding="cp99")
    with pytest.raises(ConfigurationError, match="delimiter must be"):
        read_table(path, delimiter="x")


def test_a_workbook_gives_merged_cells_to_each_row_and_passes_over_a_sheet_that_is_no_table(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    book = openpyxl.Workbook()
    book.active.append(["Read this first"])
    sheet = book.create_sheet("Data")
    for row in (("region", "x"), ("north", 1), (None, 2), ("south", 3), (None, 4)):
        sheet.append(row)
    sheet.merge_cells("A2:A3")
    sheet.merge_cells("A4:A5")
    book.save(tmp_path / "book.xlsx")
    table = read_table(tmp_path / "book.xlsx")
    assert table["region"].tolist() == ["north", "north", "south", "south"] and table["x"].tolist() == [1, 2, 3, 4]
    assert "the sheet 'Data'; not read: 'Sheet'" in table.origin.notes and "merged cells" in table.origin.notes[1]


def test_a_workbook_is_read_as_its_first_sheet(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed")
    import datetime

    book = openpyxl.Workbook()
    rows = [
        ("code", "size", "day", "ok"),
        ("00501", 1.06, datetime.datetime(2023, 1, 5), True),
        ("7", 12345, None, False),
    ]
    for row in rows:
        book.active.append(row)
    book.create_sheet("other").append(["x"])
    book["other"].append([1])
    book.save(tmp_path / "book.xlsx")
    table = read_table(tmp_path / "book.xlsx")
    assert table["code"].tolist() == ["00501", "7"]
    assert table["size"].tolist() == [1.06, 12345.0]
    assert table["day"].astype(str).tolist() == ["2023-01-05T00:00:00", "NaT"]
    assert table["ok"].tolist() == [1.0, 0.0]
    assert table.at(1) == "row 3"
    assert "not read: 'other'" in table.origin.notes[0]
    assert read_table(tmp_path / "book.xlsx", sheet="other")["x"].tolist() == [1.0]
    with pytest.raises(UnknownNameError, match="Known: 'Sheet', 'other'"):
        read_table(tmp_path / "book.xlsx", sheet="third")
    with pytest.raises(ConfigurationError, match="no workbook"):
        read_table(written(tmp_path, b"x,y\n1,2\n", "t.csv"), sheet="other")
    with pytest.raises(FileFormatError, match="is no readable workbook"):
        read_table(written(tmp_path, b"PK\x03\x04rest", "broken.xlsx"))
