"""Tables as people write them: units, written dates, ticks, titles above and totals below, gaps at prediction."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from chainrule.cli import app
from chainrule.datasets import Preprocessing, read, read_table
from chainrule.datasets.letters import by_letters
from chainrule.datasets.numerals import read_number
from chainrule.datasets.units import common_unit, factor
from chainrule.errors import DataError, FileFormatError

NAN = float("nan")


def table_of(folder: Path, text: str, **options: Any) -> Any:
    path = folder / "table.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, **options)


CELLS: dict[str, tuple[list[str], list[Any], str]] = {  # cells, what they become, what is said of it
    "kilograms": (["5 kg", "6 kg", "7.5kg"], [5, 6, 7.5], "units: x in kg"),
    "grams and kilograms": (["900 g", "1.2 kg", "3 g"], [900, 1200, 3], "g, kg made into g"),
    "feet and inches": (['5\'11""', "6'", '5\'2""'], [71, 72, 62], "made into"),
    "inches without their sign": (["5'11", "6'0", "5'2"], [71, 72, 62], "made into"),
    "pounds and ounces": (["5 lb 4 oz", "3 oz", "1 lb"], [84, 3, 16], "lb, oz made into oz"),
    "durations in words": (["1h 20m", "45m", "2h"], [80, 45, 120], "h, m made into m"),
    "durations with colons": (["1:30:00", "26:00:00", "0:00:36"], [1.5, 26, 0.01], "durations in x: made into hours"),
    "durations of days": (["1 days 06:00:00", "0 days 00:30:00"], [30, 0.5], "durations in x"),
    "thousands": (["1.2k", "850", "3M"], [1200, 850, 3e6], "made into plain numbers"),
    "thousands of money": (["$900K", "$1.5M", "$2B"], [9e5, 1.5e6, 2e9], "made into USD"),
    "millions behind": (["3 M€", "4 M€"], [3e6, 4e6], "made into EUR"),
    "millions of crowns": (["3 mil. Kč", "500 Kč"], [3e6, 500], "made into CZK"),
    "latitudes": (["28.0N", "12.5S"], [28, -12.5], "N, S made into N"),
    "degrees and minutes": (["52°30′N", "12°15'S", '0°45\'0""N'], [52.5, -12.25, 0.75], "made into °"),
    "longitudes": (["12°30'E", "W 7°30'"], [12.5, -7.5], "made into °"),
    "telephone numbers": (
        ["+420 601 234 567", "+1 (555) 010-9999"],
        ["+420 601 234 567", "+1 (555) 010-9999"],
        "telephone",
    ),
    "telephone numbers in one piece": (
        ["+420601234567", "+15550109999"],
        ["+420601234567", "+15550109999"],
        "telephone",
    ),
    "signs that are none": (["+3.5", "+12", "-4"], [3.5, 12, -4], ""),
    "a sign at the end": (["5.00-", "6.00"], [-5, 6], ""),
    "limits": (["<0.5", "1.5", "2.5", "~3"], [0.5, 1.5, 2.5, 3], "of limits such as '<0.5'"),
    "ages with an open end": (["20", "65+", "30"], [20, 65, 30], "of limits such as '65+'"),
    "lakhs": (["1,23,456", "12,34,567.5"], [123456, 1234567.5], ""),
    "grades with a sign": (["5-", "6-"], ["5-", "6-"], ""),
    "true or empty": (["true", "", "true"], [1, 0, 1], "'true' or empty is read as yes or no"),
    "words for missing": (["5", "unknown", "7", "n/d"], [5, NAN, 7, NAN], "'n/d', 'unknown' among numbers: missing"),
    "a tick": (["x", "", "x"], [1, 0, 1], "'x' or empty is read as yes or no"),
    "ones": (["1", "", "1"], [1, 0, 1], "'1' or empty is read as yes or no"),
    "truths of a Czech sheet": (["PRAVDA", "NEPRAVDA", "pravda"], [1, 0, 1], "read as pravda or NEPRAVDA"),
    "letters behind numbers": (["12A", "13B", "14"], ["12A", "13B", "14"], ""),
    "a few things that are counted": (["3 gears", "4 gears"], ["3 gears", "4 gears"], ""),
    "a pressure": (["120/80", "130/90"], ["120/80", "130/90"], ""),
    "prices without cents": (["12,-", "1.200,-", "3,50"], [12, 1200, 3.5], "decimal commas in x"),
    "prices of Swiss shops": (["12.– CHF", "1'200.- CHF", "3.50 CHF"], [12, 1200, 3.5], "(CHF)"),
    "yen": (["1,000円", "12,500円"], [1000, 12500], "(JPY)"),
    "hours as the French write": (["8h05", "14h30"], [485, 870], "made into min"),
    "footnotes": (["0.03**", "0.5", "1.2*"], [0.03, 0.5, 1.2], "of cells such as '0.03**', '1.2*'"),
    "letters of SAS for missing": (["1", ".A", "2", "._"], [1, NAN, 2, NAN], "'.A', '._' among numbers: missing"),
    "colons and points for missing": (["1", ":", "2", "..", "3"], [1, NAN, 2, NAN, 3], "among numbers: missing"),
    "codes with an e": (["67e5", "1201", "12e3"], ["67e5", "1201", "12e3"], "kept as text (codes such as 12e3"),
    "powers of ten by hand": (["15e3", "900", "12e3"], [15000, 900, 12000], ""),
    "powers of ten alone": (["15e3", "12e3"], [15000, 12000], ""),
    "codes with an e behind a zero": (["07e5", "12e31"], ["07e5", "12e31"], "kept as text (codes such as 07e5"),
    "powers of ten": (["1e5", "10e3", "1e+05"], [1e5, 1e4, 1e5], ""),
    "yes and no in Chinese": (["是", "否"], [1, 0], ""),
    "limits alone": (["<5", ">=5", "<5"], ["<5", ">=5", "<5"], ""),
}


@pytest.mark.parametrize("name", CELLS)
def test_what_stands_beside_a_number_is_read_with_it(name: str, tmp_path: Path) -> None:
    cells, wanted, said = CELLS[name]
    quoted = [f'"{cell}"' if {*cell} & {'"', ","} else cell for cell in cells]
    table = table_of(tmp_path, "x,y\n" + "".join(f"{cell},1\n" for cell in quoted))
    if isinstance(wanted[0], str):
        assert table["x"].tolist() == wanted
    else:
        np.testing.assert_allclose(table["x"], np.array(wanted, dtype=float), rtol=1e-12)
    assert said in "; ".join(table.origin.notes)


@pytest.mark.parametrize(
    ("cell", "day"),
    [
        ("3 March 2021", "2021-03-03"),
        ("Mar-21", "2021-03-01"),
        ("Wed, 3 Mar 2021", "2021-03-03"),
        ("03-Mar-21", "2021-03-03"),
        ("2021-W05", "2021-02-01"),
        ("Q2 2021", "2021-04-01"),
        ("5. března 2021", "2021-03-05"),
        ("3. Oktober 2022", "2022-10-03"),
        ("5 de mayo de 2021", "2021-05-05"),
        ("15 juillet 2020", "2020-07-15"),
        ("2020年7月15日", "2020-07-15"),
        ("2020년 7월 15일", "2020-07-15"),
        ("2020年7月", "2020-07-01"),
    ],
)
def test_a_date_is_read_in_words_and_weeks(cell: str, day: str, tmp_path: Path) -> None:
    column = table_of(tmp_path, f'x,y\n"{cell}",1\n"{cell}",2\n')["x"]
    assert column.astype("datetime64[D]").astype(str).tolist() == [day, day]


@pytest.mark.parametrize("cell", ["Room 12", "jui 2020", "2021-W54", "Marie 2020", "5 March"])
def test_what_only_resembles_a_date_is_text(cell: str, tmp_path: Path) -> None:
    assert table_of(tmp_path, f"x,y\n{cell},1\nother,2\n")["x"].tolist() == [cell, "other"]


def test_days_and_months_written_as_whole_numbers_are_dates_and_amounts_are_not(tmp_path: Path) -> None:
    months = [201901, 201902, 201911, 202001, 202005, 202012]
    rows = "".join(f"{20210301 + i},{month},{201901 + 13 * i}\n" for i, month in enumerate(months))
    table = table_of(tmp_path, "day,month,amount\n" + rows)
    assert [table[name].dtype.kind for name in table.names] == ["M", "M", "f"]
    assert table["month"].astype("datetime64[M]").astype(str).tolist()[:2] == ["2019-01", "2019-02"]


@pytest.mark.parametrize("cells", [["5 kg", "6"], ["5 °C", "47 °F"], ["5 kg", "7 m"]])
def test_units_that_do_not_go_together_are_refused(cells: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'5 .*' in line 2 and '.*' in line 3 differ in unit"):
        table_of(tmp_path, "x,y\n" + "".join(f"{cell},1\n" for cell in cells))


@pytest.mark.parametrize("unit", ["g", "kg", "lb", "km", "in", "h", "GB", "k", "mil.", "°"])
def test_a_factor_and_that_of_the_way_back_make_one(unit: str) -> None:
    small = common_unit({unit, {"k": "M", "mil.": "k"}.get(unit, unit)})
    assert small is not None
    there = factor(unit, small)
    assert there is not None and read_number(f"2 {unit}", unit=small) == pytest.approx(2 * there)


ROWS = "region,units,price\n" + "".join(f"{'NSWE'[i % 4]},{i},{i / 2}\n" for i in range(8))
AROUND: dict[str, tuple[str, str]] = {
    "a title": ("Sales 2023\n\n" + ROWS, "line 1 ('Sales 2023')"),
    "a title with delimiters": ("Sales 2023,,\nprinted 1.1.2024,,\n" + ROWS, "line 2 ('printed 1.1.2024')"),
    "remarks": ("# a logger\n# station 7\n" + ROWS, "line 2 ('# station 7')"),
    "an account above": (
        "Office;;;;\nNo;DE00 1234;;;\nfrom;1.1.2023 - 1.2.2023;;;\n" + ROWS.replace("\n", ",a,b\n").replace(",", ";"),
        "line 2 ('No DE00 1234')",
    ),
    "units below decimal commas": (
        ROWS.replace(",", ";").replace(".", ",").replace("price\n", "price\n;pcs;EUR\n"),
        "line 2 ('pcs EUR')",
    ),
    "questions above a column that nobody filled in": (
        ROWS.replace("\n", ",\n").replace("price,", "price,more\nWhere?,How many?,How much?,What?"),
        "line 2 ('Where? How many? How much? What?')",
    ),
    "names of groups": ("where,,how much\n" + ROWS, "line 1 ('where how much')"),
    "units below the header": (ROWS.replace("price\n", "price\n-,pcs,EUR\n"), "line 2 ('- pcs EUR')"),
    "totals": (ROWS + "Total,28,14\n", "line 10 below the table, 'Total 28 14'"),
    "a source": (ROWS + "\nSource: the office\n", "line 11 below the table, 'Source: the office'"),
    "a source with delimiters": (ROWS + ",,\nSource: the office,,\n", "'Source: the office'"),
    "the sign of a spreadsheet": ("sep=;\n" + ROWS.replace(",", ";"), ""),
    "questions in full and what a survey adds": (
        ROWS.replace("price\n", 'price\nWhere?,How many?,How much?\n"{""id"":1}","{""id"":2}","{""id"":3}"\n'),
        'line 3 (\'{"id":1}',
    ),
    "remarks among the rows": (
        "# a logger, once\n" + ROWS + "# restarted, twice\nN,8,4\n",
        "line 11, '# restarted twice'",
    ),
    "a remark among the rows": (ROWS + "# restarted\nN,8,4\n", "line 10, '# restarted'"),
    "names in a remark": ("# a logger\n# " + ROWS, "line 1 ('# a logger')"),
    "names in a remark with spaces": ("# " + ROWS.replace(",", " "), "separated by spaces"),
    "apostrophes around texts": (
        "'" + ROWS.replace(",", "','").replace("\n", "'\n'").removesuffix("'"),
        "",
    ),
    "a ruled line": (
        "".join(f"|{line}|\n" for line in ROWS.replace(",", "|").replace("\nN|0|", "\n--|--|--\nN|0|").splitlines()),
        "line 2 ('-- -- --')",
    ),
}


@pytest.mark.parametrize("name", AROUND)
def test_what_stands_around_a_table_is_left_out_and_said(name: str, tmp_path: Path) -> None:
    text, said = AROUND[name]
    table = table_of(tmp_path, text)
    assert {"region", "units", "price"} <= {*table.names}
    assert table["units"].tolist()[:8] == list(range(8)) and table["price"][7] == 3.5
    assert said in "; ".join(table.origin.notes)


@pytest.mark.parametrize("text", [ROWS + "Q,8\n", ROWS + "Q\n", "a,b\n1,2\n3\n", ROWS + "cut off\nN,8,4\n"])
def test_a_row_that_was_cut_short_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"line \d+: \d cells? where the header has"):
        table_of(tmp_path, text)


def test_a_total_that_is_a_name_like_others_stays(tmp_path: Path) -> None:
    assert len(table_of(tmp_path, "name,n,m\nSum,1,2\nMedia,3,4\n")) == 2
    assert len(table_of(tmp_path, "a,b,c\n1,2,3\n4,5,6\nnew york,,\n")) == 3
    assert len(table_of(tmp_path, ROWS.replace("N,0", "total,0") + "total,8,4\n")) == 9


@pytest.mark.parametrize("start", ['{"x": [1, 2]', "[[1, 2]]", "<html>", "%PDF-1.4", "SQLite format 3\0"])
def test_a_file_of_another_kind_is_named(start: str, tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"is (JSON|a web page|a PDF|a database)|line 1: not JSON"):
        table_of(tmp_path, start)


OTHERS: dict[str, tuple[bytes, str]] = {
    "SPSS": (b"$FL2@(#) IBM SPSS", "an SPSS file"),
    "Stata": (b"<stata_dta><header>", "a Stata file"),
    "SAS": (bytes(12) + b"\xc2\xea\x81\x60", "a SAS file"),
    "R, packed": (gzip.compress(b"RDX3\nX\n"), "a file of R"),
    "pickle": (b"\x80\x04\x95" + bytes(20), "a pickle"),
    "picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is no text"),
    "blanks": (b"   \n\n", "nothing but blanks"),
    "ARFF": (b"% of Weka\n@RELATION iris\n@ATTRIBUTE a NUMERIC\n@DATA\n1\n", "an ARFF file"),
    "LIBSVM": (b"+1 1:0.5 4:1e-3\n-1 2:0.25\n", "load_svmlight_file"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_file_of_another_program_is_named_with_a_way_out(name: str, tmp_path: Path) -> None:
    content, said = OTHERS[name]
    (tmp_path / "table.csv").write_bytes(content)
    with pytest.raises(FileFormatError, match=said):
        read_table(tmp_path / "table.csv")


def test_names_that_begin_with_a_percent_sign_are_read_at_once(tmp_path: Path) -> None:
    names = [f"% of {i}" for i in range(30)]  # a search that tries each as the end of a remark would try 2^30 ways
    (tmp_path / "shares.tsv").write_text("\n".join(["\t".join(names)] + ["\t".join("1" * 30)] * 3))
    command = "import sys; from chainrule.datasets import read_table; print(*read_table(sys.argv[1]).names, sep='|')"
    call = [sys.executable, "-c", command, str(tmp_path / "shares.tsv")]
    said = subprocess.run(call, timeout=60, capture_output=True, text=True, check=True)
    assert said.stdout.strip().split("|") == names


@pytest.mark.parametrize(
    "start", ["#id,name\n1,x\n2,y\n3,z\n", "# by us\n# id,name\n0,x\n1,y\n2,z\n", "#id,name\n1990,x\n1990,y\n"]
)
def test_names_behind_a_number_sign_stay_names_where_the_rows_below_are_numbered(start: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(start)
    table = read_table(tmp_path / "table.csv")
    assert table.names == ("id", "name") and table["name"].tolist() == ["x", "y", "z"][: len(table)]


WRITTEN = {  # encoding: a header and cells of people who write in it
    "cp1250": "Město;Obec\nPlzeň;Žďár\n",
    "cp1251": "Город;Цена\nДа;Нет\n",
    "cp1252": "Größe;año\nKöln;¿Qué?\n",
    "cp1253": "Πόλη;Τιμή\nΑθήνα;Πάτρα\n",
    "cp1254": "Şehir;İl\nIğdır;Çankırı\n",
    "cp1257": "Miestas;Šalis\nKėdainiai;Mažeikių\n",
    "cp932": "名前,性別\n佐藤,男\nひろし,カナ\n",
    "cp949": "이름,도시\n김,서울\n",
    "gb18030": "城市,价格\n北京,上海\n",
    "big5": "城市,價格\n臺北,高雄\n",
}


@pytest.mark.parametrize("cell", ["temp (°C)", "don’t", "2019–Q1", "a “word”", "l’été", "10°N", "5 ½A", "m²a"])
def test_signs_among_plain_letters_are_no_characters_of_east_asia(cell: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(f"{cell},n\nx,1\ny,2\nz,3\n".encode("cp1252"))
    assert read_table(tmp_path / "table.csv").names == (cell, "n")


WESTERN = [
    "5 µm",
    "µg/l",
    "±5",
    "4×4",
    "£5",
    "§12",
    "25 °C",
    "«oui»",
    "« oui »",
    "• item",
    "½ cup",
    "•a",
    "½A",
    "3¼",
    "¾",
    "© 2020",
    "Name®",
    "m²",
    "kg/m³",
    "1º",
    "Nº 5",
    "¥100",
    "90¢",
    "¿Cuánto?",
    "¡Hola!",
    "Höhe µm",
    "n = 5 ± 2",
    "mean±SD",
    "£m",
]


@pytest.mark.parametrize("text", ["{},n\nx,1\ny,2\n", "a,n\n{},1\n{},2\n", "a b,n\nx {},1\ny,2\n"])
def test_a_few_western_signs_tell_the_encoding_of_a_short_file(text: str) -> None:
    for cell in WESTERN:
        assert by_letters(text.replace("{}", cell).encode("cp1252")) == "cp1252", cell


CENTRAL = {
    "cp1250": ["mąż", "już", "są", "był", "płeć", "żona", "oraş", "ladný", "Škoda", "déšť"],
    "iso-8859-2": ["Łódź", "mąż", "Škoda", "ľudia", "plať", "Ťažký", "książka", "świat"],
}


@pytest.mark.parametrize("encoding", CENTRAL)
def test_letters_within_words_of_central_europe_are_no_western_signs(encoding: str) -> None:
    for word in CENTRAL[encoding]:
        content = f"{word},n\n{word},1\n".encode(encoding)
        assert content.decode(by_letters(content)) == f"{word},n\n{word},1\n"


@pytest.mark.parametrize(("encoding", "name"), [("cp932", "表"), ("cp949", "김"), ("cp932", "年"), ("big5", "城市")])
def test_a_name_in_characters_of_east_asia_above_numbers_tells_the_encoding(
    encoding: str, name: str, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_bytes(f"{name},n\n1,1\n2,2\n4,3\n".encode(encoding))
    assert read_table(tmp_path / "table.csv").names == (name, "n")


@pytest.mark.parametrize("encoding", WRITTEN)
def test_the_encoding_of_a_spreadsheet_is_told_by_its_letters(encoding: str, tmp_path: Path) -> None:
    text = WRITTEN[encoding]
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    table = read_table(tmp_path / "table.csv", header=True)
    assert list(table.names) == text.splitlines()[0].replace(";", ",").split(",")
    assert f"read as {encoding}" in table.origin.notes[0]


def test_a_model_finds_the_names_that_it_asks_for_below_a_remark_with_some_of_them(tmp_path: Path) -> None:
    text = "# columns: region, units, price\n" + ROWS
    table = table_of(tmp_path, text, expected=["region", "units", "price"])
    assert table.names == ("region", "units", "price") and len(table) == 8


@pytest.mark.parametrize(
    "above", ["# by us\nid,colour,y\n", "# by us\n#id,colour,y\n", "#id,colour,y\n", "# a\n# b, c\nid,colour,y\n"]
)
def test_rows_that_begin_with_a_hash_are_rows_below_remarks_too(above: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, above + "#1,red,1\n#2,blue,2\n#3,red,3\n# the end\n")
    assert table.names == ("id", "colour", "y") and table["id"].tolist() == ["#1", "#2", "#3"]


ROWS_ALONE = {  # without names of columns
    "a number and a time": "1 10:30\n2 11:45\n3 9:15\n",
    "a number and a time, with commas": "1,10:30\n2,11:45\n3,9:15\n",
    "a name and a duration": "a,1:05:00\nb,2:03:10\nc,0:59:00\n",
    "decimal commas": "1,5;2,5\n2,5;3,5\n4,5;3,5\n",
    "amounts with units": "5 kg,red\n6 kg,blue\n7 kg,green\n",
}


@pytest.mark.parametrize("name", ROWS_ALONE)
def test_a_first_row_of_times_and_amounts_is_a_row(name: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, ROWS_ALONE[name])
    assert len(table) == 3 and table.names == ("column_1", "column_2")
    assert "no header" in " ".join(table.origin.notes)


def test_a_stray_nul_makes_no_class_of_its_own(tmp_path: Path) -> None:
    table = table_of(tmp_path, "x,y\n" + "".join(f"{i},{'ab'[i % 2]}" + "\0" * (i == 7) + "\n" for i in range(60)))
    assert {*table["y"]} == {"a", "b"}


def test_names_that_are_times_stay_names_above_numbers(tmp_path: Path) -> None:
    assert table_of(tmp_path, "st,00:00,01:00\na,1,2\nb,3,4\n").names == ("st", "00:00", "01:00")


def test_a_column_named_with_a_hash_and_colours_in_cells_are_no_remarks(tmp_path: Path) -> None:
    table = table_of(tmp_path, "#,colour\n1,#ff0000\n2,#00ff00\n")
    assert table.names == ("#", "colour") and len(table) == 2
    assert len(table_of(tmp_path, "colour,n\n#ff0000,1\n#00ff00,2\n")) == 2


RECORDS = [{"x": 1.5, "at": {"city": "Oslo"}, "ok": True}, {"x": 2, "at": {"city": "Rome"}, "ok": None}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(RECORDS),
        json.dumps({"data": RECORDS}),
        json.dumps({"columns": ["x", "at.city", "ok"], "data": [[1.5, "Oslo", True], [2, "Rome", None]]}),
        "\n".join(map(json.dumps, RECORDS)) + "\n",
        json.dumps({"x": [1.5, 2], "at.city": ["Oslo", "Rome"], "ok": [True, None]}),
    ],
)
def test_json_is_a_table_of_records_or_columns(text: str, tmp_path: Path) -> None:
    table = table_of(tmp_path, text)
    assert table.names == ("x", "at.city", "ok") and table.at(1) == "record 2"
    assert table["x"].tolist() == [1.5, 2.0] and table["at.city"].tolist() == ["Oslo", "Rome"]
    np.testing.assert_array_equal(table["ok"], [1.0, NAN])


@pytest.mark.parametrize("ending", ["gz", "bz2", "xz", "zip"])
def test_a_compressed_table_is_unpacked_and_a_damaged_one_refused(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"t.csv.{ending}"
    content = b"x,y\n1,2\n3,4\n"
    if ending == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", content)
            archive.writestr("__MACOSX/._t.csv", b"junk")
    else:
        path.write_bytes({"gz": gzip, "bz2": bz2, "xz": lzma}[ending].compress(content))
    assert read_table(path)["y"].tolist() == [2.0, 4.0]
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(FileFormatError, match="damaged or cut short"):
        read_table(path)


def test_an_archive_of_several_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    with pytest.raises(FileFormatError, match=r"an archive of 2 files \(a.csv, b.csv\)"):
        read_table(tmp_path / "t.zip")


def test_dates_of_several_forms_in_one_column_are_read_each_by_its_own(tmp_path: Path) -> None:
    table = table_of(tmp_path, "d,y\n2020-01-05,1\n31.1.2020,2\n5 Jan 2020,3\n2020/02/01,4\n")
    assert table["d"].astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-05",
        "2020-01-31",
        "2020-01-05",
        "2020-02-01",
    ]


def test_text_among_numbers_of_a_later_file_is_missing_there_and_told_with_its_line(tmp_path: Path) -> None:
    table = table_of(tmp_path, "x,d,y\n" + "".join(f"{i}.5,2020-01-0{i},{i}\n" for i in range(1, 9)))
    fitted = Preprocessing.fit(table, "y")
    later = _written(tmp_path, 'x,d\n1.5,2020-01-01\nbroken,2020-01-02\n"3,5",soon\n4.5,2020-01-04\n')
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        X = fitted.transform(later, fill_gaps=True)
    assert np.isfinite(X).all() and X[1, 0] == X[2, 0] == 0 and X[0, 0] == fitted.transform(table)[0, 0]
    told = " ".join(str(each.message) for each in warned)
    assert "'x': 'broken' in line 3, '3,5' in line 4: no number" in told and "'d': 'soon' in line 4: no date" in told
    with pytest.raises(DataError, match="text where numbers belong"):
        fitted.transform(_written(tmp_path, "x,d\na,2020-01-01\nb,2020-01-02\n"), fill_gaps=True)


def test_decimal_commas_of_a_later_file_are_read_where_whole_numbers_stand_among_them(tmp_path: Path) -> None:
    fitted = Preprocessing.fit(table_of(tmp_path, "x;y\n1.5;1\n2.5;2\n3.25;3\n"), "y")
    assert fitted.read(_written(tmp_path, "x;z\n1,5;1\n4;2\n"))["x"].tolist() == [1.5, 4.0]


def test_notes_name_numbers_that_stand_for_missing_ones_and_texts_that_differ_in_case(tmp_path: Path) -> None:
    rows = "".join(f"{-999 if i in (3, 7) else i % 10},{('Rome', 'rome')[i % 2]},{i}\n" for i in range(40))
    (tmp_path / "t.csv").write_text("depth,city,y\n" + rows)
    notes = " ".join(read(tmp_path / "t.csv").notes)
    assert "depth: -999 stands in 2 rows" in notes and "'Rome' and 'rome' differ in case only" in notes


def test_the_unit_of_training_holds_for_a_later_file(tmp_path: Path) -> None:
    table = table_of(tmp_path, "mass,y\n" + "".join(f"{i} kg,{i}\n" for i in range(1, 20)))
    fitted = Preprocessing.fit(table, "y")
    assert Preprocessing.from_json(fitted.to_json()) == fitted
    later = fitted.read(_written(tmp_path, "mass\n5000 g\n1 t\n7\n"))
    np.testing.assert_allclose(later["mass"], [5, 1000, 7])
    with pytest.raises(DataError, match=r"differ in unit|holds text where numbers belong"):
        fitted.transform(_written(tmp_path, "mass\n5 m\n7 m\n"))


def _written(folder: Path, text: str) -> Path:
    (folder / "later.csv").write_text(text)
    return folder / "later.csv"


def test_a_gap_at_prediction_is_the_mean_of_training_and_counted() -> None:
    fitted = Preprocessing.fit(read_table({"x": [1, 3], "c": ["a", "b"], "y": ["no", "yes"]}), "y")
    new = {"x": [3, None], "c": [None, "b"]}
    with pytest.raises(DataError, match="missing values"):
        fitted.transform(new)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        X = fitted.transform(new, fill_gaps=True)
    np.testing.assert_array_equal(X, [[1, 0, 0], [0, 0, 1]])
    assert [str(one.message) for one in warned] == [
        "the table: 'x' is missing in row 2: taken as 2, the mean.",
        "the table: 'c' is missing in row 1: taken as none of the categories.",
    ]
    unscaled = Preprocessing.fit(read_table({"x": [1, 3], "y": ["no", "yes"]}), "y", standardize=False)
    with pytest.raises(DataError, match="missing values"):
        unscaled.transform({"x": [None]}, fill_gaps=True)


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table of two classes and the model that was trained on it."""
    folder = tmp_path_factory.mktemp("kinds")
    rows = "".join(f"{i % 20},{'high' if i % 20 > 9 else 'low'}\n" for i in range(60))
    (folder / "t.csv").write_text("x,kind\n" + rows)
    shell("train", str(folder / "t.csv"), "--out", str(folder / "run"), "--epochs", "40", "--json")
    return folder


def shell(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_a_file_with_a_gap_is_predicted_and_the_gap_counted(kinds: Path) -> None:
    (kinds / "new.csv").write_text('x\n3\n""\n15\n')
    answer = json.loads(shell("predict", str(kinds / "run/model.safetensors"), str(kinds / "new.csv"), "--json"))
    assert [answer["prediction"][i] for i in (0, 2)] == ["low", "high"] and len(answer["prediction"]) == 3
    assert answer["notes"][0].startswith("new.csv: 'x' is missing in line 3: taken as")


def test_a_model_is_measured_on_rows_whose_classes_are_known(kinds: Path) -> None:
    (kinds / "held.csv").write_text("x,kind\n3,low\n4,low\n15,high\n16,low\n17,\n")
    arguments = ("evaluate", str(kinds / "run/model.safetensors"), str(kinds / "held.csv"))
    numbers = json.loads(shell(*arguments, "--json"))
    assert numbers["rows"] == 4 and numbers["accuracy"] == 0.75
    assert numbers["classes"] == ["high", "low"] and numbers["confusion"] == [[1, 0], [1, 2]]
    assert numbers["balanced_accuracy"] == pytest.approx((1 + 2 / 3) / 2)
    assert numbers["notes"] == ["1 rows without the target are left out, the first is line 6."]
    shown = shell(*arguments)
    assert "Always guessing low is right in 75.00%." in shown and "66.67% of 3, most often taken for high" in shown
    (kinds / "other.csv").write_text("x,kind\n3,middling\n")
    result = CliRunner().invoke(app, [*arguments[:2], str(kinds / "other.csv")])
    assert isinstance(result.exception, DataError) and "unknown class 'middling' in line 2" in str(result.exception)
