"""check: what a report says of given findings, word by word, in the terminal, in colour, as a page and as data."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from rich.console import Console

from chainrule.checking import Report
from chainrule.checking.findings import Checked, Diagnosis, Finding, Grid, Sample, number
from chainrule.checking.page import as_page
from chainrule.checking.report import joined
from chainrule.display.terminal import STYLES

GRID = Grid(
    cells=(("wrong", "right"), ("kink", "not checked")),
    expected=((1.0, 2.0), (0.5, None)),
    received=((-1.0, 2.0), (0.25, None)),
    more_rows=3,
    more_columns=4,
)
SIGN = Diagnosis("wrong_sign", "The sign is wrong.", "-1 for 1", "dw = d", 7, "dw = -d")
OTHER = Diagnosis("other", "It is something else.", "not told", "never = shown")
WRONG = Finding(
    kind="gradient", severity="error", where="dense_0", array="dweights", says="dweights is wrong in 3 of 12 entries.",
    wrong=3, checked=12, samples=tuple(Sample((0, i), 1.0 + i, -1.0 - i) for i in range(4)), diagnoses=(SIGN, OTHER),
    grid=GRID,
)  # fmt: skip
FOLLOWS = Finding("gradient", "error", "dense_0", "dbiases", "dbiases is wrong.", follows="dweights")
MIXED = Finding("batch", "warning", "dense_0", "", "Samples mix.")
GUESS = Finding("guess", "note", "relu_0", "", "A guess.")
MEANT = Finding("on_purpose", "note", "dense_0", "dx", "It is meant so.")
ENTRIES = Checked("dense_0", "dinputs", (5, 4), 20, 20, 40, 0, 2, "complex step", 1.23e-16)
ALONG = Checked("relu_0", "dweights", (30, 40), 64, 1200, 100, 3, 1, "central differences", 2e-9, kinks=2)
SOME = Checked("relu_0", "dx", (30,), 10, 30, 10, 0, 1, "central differences", 0.0)
BOTH = Checked("dense_0", "dweights", (4, 3), 12, 12, 12, 2, 1, "complex step", 2.0, passed=False)
REPORT = Report("Model", (ENTRIES, ALONG, SOME, BOTH), (WRONG, FOLLOWS, MIXED, GUESS), 1e-5, 1e-8, 3, 0.5)
TEXT = """\
Model: 1 thing is wrong.

✗ dense_0: dweights is wrong in 3 of 12 entries.
  what it is  The sign is wrong.
  evidence    -1 for 1
  write       line 7
              - dw = -d
              + dw = d
  or          It is something else.
  also        dbiases is wrong for the same reason, and right with it.
  the worst   [0, 0]: received -1, expected 1
              [0, 1]: received -2, expected 2
              [0, 2]: received -3, expected 3
  ✗ · …
  ∧   …
  … 3 more rows
  ✗ wrong   · right   ∧ kink   blank: not checked

! dense_0: Samples mix.

· relu_0: A guess.

✓  dense_0  dinputs  (5, 4)    all 20 entries in 2 settings, complex step, largest error
                               1e-16
✓  relu_0  dweights  (30, 40)  all 1200 entries along 3 random directions, 64 one by
                               one, central differences, largest error 2e-9, 2 on a kink
✓  relu_0  dx        (30,)     10 of 30 entries, 10 one by one, central differences,
                               largest error 0

Compared in float64: |received - expected| <= 1e-5 · the larger + 1e-8 · the array's
largest; random upstream gradients, seed 3; 0.50 s.
"""


def lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines()]


def test_a_report_in_the_terminal() -> None:
    assert lines(str(REPORT)) == lines(TEXT)


def test_a_report_on_one_place_does_not_repeat_it_and_shows_little_of_little() -> None:
    small = replace(WRONG, diagnoses=(), grid=replace(GRID, more_rows=0, more_columns=0), samples=WRONG.samples[:1])
    text = lines(str(replace(REPORT, arrays=(ENTRIES,), findings=(small,))))
    assert text[2:7] == [
        "✗ dweights is wrong in 3 of 12 entries.",
        "  ✗ ·",
        "  ∧",
        "  ✗ wrong   · right   ∧ kink   blank: not checked",
        "",
    ]
    assert text[7].startswith("✓  dinputs  (5, 4)  all 20 entries in 2 settings, complex step")


def test_a_picture_of_one_number_is_no_picture() -> None:
    one = replace(REPORT, findings=(replace(WRONG, checked=1),))
    assert "∧" not in str(one) and "∧" in str(REPORT)
    assert "<s>" not in one.to_html() and "<s>" in REPORT.to_html()


def test_a_diagnosis_that_says_no_more_than_the_finding_is_not_repeated() -> None:
    same = replace(WRONG, diagnoses=(replace(SIGN, says=WRONG.says), OTHER))
    report = replace(REPORT, findings=(same,), arrays=())
    assert str(report).count(WRONG.says) == 1 and "evidence   -1 for 1" in str(report)
    assert report.to_html().count(WRONG.says) == 1


HEADLINES = {
    "nothing": (Report("Dense"), "Dense: nothing was compared."),
    "one": (Report("Dense", (ENTRIES,)), "Dense: 1 gradient is right."),
    "to know": (Report("Dense", (ENTRIES, SOME), (GUESS, MIXED)), "Dense: 2 gradients are right, 2 things to know."),
    "only to know": (Report("Dense", (), (GUESS,)), "Dense: nothing was compared, 1 thing to know."),
    "meant": (Report("Own", (), (MEANT,)), "Own: 1 gradient is declared on purpose and not judged."),
    "some meant": (
        Report("Own", (SOME,), (MEANT, replace(MEANT, array="dw"), GUESS)),
        "Own: 1 gradient is right, 2 gradients are declared on purpose and not judged, 1 thing to know.",
    ),
    "two wrong": (Report("Own", (BOTH,), (WRONG, MIXED, replace(WRONG, array="dx"))), "Own: 2 things are wrong."),
}


@pytest.mark.parametrize(("report", "says"), HEADLINES.values(), ids=HEADLINES)
def test_the_first_line_says_whether_all_is_right(report: Report, says: str) -> None:
    assert " ".join(str(report).split("\n\n")[0].split()) == says
    assert f"<title>{says}</title>" in report.to_html()


TONES = {
    "wrong": (REPORT, "bad", STYLES["bad"]),
    "right": (Report("Dense", (ENTRIES,)), "good", f"bold {STYLES['good']}"),
    "nothing": (Report("Dense"), None, STYLES["title"]),
}


@pytest.mark.parametrize(("report", "tone", "style"), TONES.values(), ids=TONES)
def test_the_first_line_has_the_colour_of_its_verdict(report: Report, tone: str | None, style: str) -> None:
    assert styles(report)[0][1] == style
    assert parsed(report).found[0][0] == ("h1", tone)


def styles(report: Report) -> list[tuple[str, str]]:
    """The pieces of a report on a console as (text, style)."""
    console = Console(width=88, color_system="truecolor", force_terminal=True)
    pieces = [(piece.text.strip(), str(piece.style)) for piece in console.render(report)]
    return [(text, style) for text, style in pieces if text]


def test_signs_have_the_colours_of_what_they_mean() -> None:
    wanted = {
        ("✗", "bad"), ("!", "warn"), ("·", "note"), ("·", "good"), ("∧", "warn"), ("✓", "good"),
        ("what it is", "faint"), ("or", "faint"), ("The sign is wrong.", "title"), ("… 3 more rows", "faint"),
        ("+ dw = d", "code"), ("✗ wrong   · right   ∧ kink   blank: not checked", "faint"),
        ("largest; random upstream gradients, seed 3; 0.50 s.", "faint"),
    }  # fmt: skip
    console = Console()
    assert {(text, str(console.get_style(STYLES[name]))) for text, name in wanted} <= {*styles(REPORT)}
    assert dict(styles(REPORT))["It is something else."] == "None"


class Parts(HTMLParser):
    """The texts of a page, each with the innermost element around it and that one's class."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.titles: list[str | None] = []
        self.found: list[tuple[tuple[str, str | None], str]] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in ("meta", "br"):
            self.open.append((tag, dict(attrs).get("class")))
        self.titles += [dict(attrs)["title"]] if "title" in dict(attrs) else []

    def handle_endtag(self, tag: str) -> None:
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] not in ("style", "title"):
            self.found.append((self.open[-1], data))


def parsed(report: Report) -> Parts:
    parser = Parts()
    parser.feed(report.to_html())
    return parser


def test_a_report_as_a_page() -> None:
    page = parsed(REPORT)
    assert page.found[:17] == [
        (("h1", "bad"), "Model: 1 thing is wrong."),
        (("p", None), "dense_0: dweights is wrong in 3 of 12 entries."),
        (("p", "strong"), "The sign is wrong."),
        (("p", "soft"), "-1 for 1"),
        (("pre", None), "line 7\n- dw = -d\n+ dw = d"),
        (("p", "soft"), "or: It is something else."),
        (("p", None), "dbiases is wrong for the same reason, and right with it."),
        (("s", None), "-1"),
        (("td", "wrong"), "1"),
        (("td", "right"), "2"),
        (("td", None), "…"),
        (("td", "kink"), "0.25"),
        (("td", None), "…"),
        (("td", None), "… 3 more rows"),
        (("p", "soft"), "Received; where it is wrong, struck through, and the expected number under it."),
        (("p", None), "dense_0: Samples mix."),
        (("p", None), "relu_0: A guess."),
    ]
    assert page.titles == [
        "wrong: received -1, expected 1",
        "right: received 2, expected 2",
        "kink: received 0.25, expected 0.5",
        "not checked",
    ]
    assert [text for (tag, _), text in page.found if tag in ("span", "td")][-16:] == [
        "✓", "dense_0: dinputs", "(5, 4)", "all 20 entries in 2 settings, complex step, largest error 1e-16",
        "✓", "relu_0: dweights", "(30, 40)",
        "all 1200 entries along 3 random directions, 64 one by one, central differences, largest error 2e-9, "
        "2 on a kink",
        "✓", "relu_0: dx", "(30,)", "10 of 30 entries, 10 one by one, central differences, largest error 0",
        "✗", "dense_0: dweights", "(4, 3)",
        "all 12 entries one by one and along 2 random directions, complex step, largest error 2",
    ]  # fmt: skip
    assert [cls for (tag, cls), _ in page.found if tag == "span"] == ["good", "good", "good", "bad"]
    assert 'colspan="3"' in REPORT.to_html() and 'class="finding warning"' in REPORT.to_html()


def test_many_right_gradients_are_folded_only_beside_a_finding() -> None:
    many = replace(REPORT, arrays=(ENTRIES,) * 8 + (BOTH,))
    assert "8 of 9 gradients are right" in many.to_html()
    assert "<details" not in replace(many, findings=()).to_html()
    assert "<details" not in replace(many, arrays=many.arrays[1:]).to_html()


def test_a_page_of_several_checks_counts_those_with_something_wrong() -> None:
    right = Report("Dense", (ENTRIES,), (MIXED,))
    page = as_page(REPORT, right, right)
    assert "<title>3 checks, 1 with something wrong</title>" in page
    assert page.count("<article") == 3
    assert REPORT._repr_html_().startswith("<") and "<title>" not in REPORT._repr_html_()


def test_what_follows_is_told_with_its_cause_and_nowhere_else() -> None:
    elsewhere = replace(FOLLOWS, where="dense_1")
    two = replace(REPORT, findings=(WRONG, FOLLOWS, replace(FOLLOWS, array="dx"), elsewhere, MIXED))
    assert "also        dbiases, dx are wrong for the same reason, and right with it." in str(two)
    assert "for the same reason" not in str(replace(REPORT, findings=(WRONG, elsewhere)))
    assert two.causes == (WRONG,) and two.mistakes == ("wrong_sign",) and len(two.errors) == 4
    assert "dbiases is wrong." not in str(two) + two.to_html()


def test_reports_joined_have_all_findings_and_the_sum_of_the_seconds() -> None:
    first = Report("dense_0", (ENTRIES,), (WRONG,), seconds=1.5)
    both = joined([first, replace(REPORT, seconds=2.0)])
    assert (both.subject, both.rtol, both.atol, both.seed, both.seconds) == ("Model", 1e-5, 1e-8, 3, 3.5)
    assert both.arrays == first.arrays + REPORT.arrays and both.findings == first.findings + REPORT.findings


def test_a_report_as_data_has_the_verdict_and_what_is_declared() -> None:
    data = Report("Own", (SOME,), (MEANT, MEANT)).to_json()
    assert data["passed"] is True and data["declared"] == ["dx"] and data["subject"] == "Own"
    assert REPORT.to_json()["passed"] is False and REPORT.to_json()["findings"][0]["grid"]["more_rows"] == 3


def test_a_change_is_shown_line_by_line() -> None:
    assert SIGN.change == "line 7\n- dw = -d\n+ dw = d"
    assert replace(SIGN, was="", write="a = 1\nb = 2").change == "line 7\n+ a = 1\n+ b = 2"
    assert replace(SIGN, line=0).change == "dw = d"
    assert number(1 / 3) == "0.3333333"
