"""The shell: `chainrule train | predict | evaluate | check | explain | compare | exercise | export | bench | info`.

The work is done in `commands`.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "main"]

_NARROWEST, _WIDEST = 40, 400  # characters in a line

_UNREAD = 128 + 13  # the exit code of a process that SIGPIPE has ended

_STARTING = "{}; more for spiral, sine"  # see `datasets.STARTS`

app = typer.Typer(
    name="chainrule",
    help="Neural networks in which backpropagation is written out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        from . import __version__

        print(f"chainrule {__version__}")
        raise typer.Exit


@app.callback()
def _commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Neural networks in which backpropagation is written out."""


@app.command()
def train(
    data: Annotated[
        str, typer.Argument(help="A data set by name (see `chainrule datasets`) or a CSV, .xlsx, JSON or Parquet file.")
    ],
    target: Annotated[
        str | None, typer.Option(help="Column to predict; several with commas.", show_default="the last")
    ] = None,
    task: Annotated[str | None, typer.Option(help="classes or values.", show_default="as the target looks")] = None,
    missing: Annotated[str, typer.Option(help="error, or impute missing values.")] = "error",
    drop: Annotated[str, typer.Option(help="Columns to leave out, with commas.")] = "",
    text: Annotated[str, typer.Option(help="Columns of numbers that are names, with commas.")] = "",
    header: Annotated[
        str | None, typer.Option(help="yes or no: whether line 1 names the columns.", show_default="as it looks")
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Of a file of text, such as cp1250.", show_default="by its bytes")
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help=", ; tab pipe or space.", show_default="as the lines look")
    ] = None,
    sheet: Annotated[str | None, typer.Option(help="Of a workbook.", show_default="the first with a table")] = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Read a table (a file, a folder of shards) in pieces, in so much memory, such as 500MB.",
            show_default="all at once",
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(help="Neurons of the hidden layers, such as 128 or 128,64.", show_default=_STARTING.format("100")),
    ] = None,
    activation: Annotated[
        str | None,
        typer.Option(help="relu, leaky_relu, elu, gelu, silu, sigmoid or tanh.", show_default=_STARTING.format("relu")),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data, at most.", show_default="500, or 2,000 steps")
    ] = None,
    optimizer: Annotated[
        str | None,
        typer.Option(help="sgd, adagrad, rmsprop, adam or adamw.", show_default="adamw for classes, adam for values"),
    ] = None,
    lr: Annotated[float | None, typer.Option(help="Learning rate.", show_default="the optimizer's")] = None,
    schedule: Annotated[
        str | None,
        typer.Option(
            help="Of the rate: constant, cosine, onecycle, step, exponential or inverse.",
            show_default=_STARTING.format("constant"),
        ),
    ] = None,
    dropout: Annotated[float, typer.Option(help="Part of the activations set to 0 in training.")] = 0.0,
    class_weights: Annotated[str, typer.Option(help="balanced, or weights such as no:1,yes:20.")] = "",
    early_stopping: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Stop after so many epochs without a better val_loss, and take the best; 0: go through to the end.",
            show_default="50",
        ),
    ] = None,
    validation: Annotated[
        float | None,
        typer.Option(
            help="Part of the training samples that val_loss is measured on.", show_default="0.1; 0 of fewer than 100"
        ),
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Samples in one step.", show_default="a 200th of all, 32 to 200")
    ] = None,
    members: Annotated[int, typer.Option(min=1, help="Networks whose answers are averaged.")] = 1,
    engine: Annotated[str, typer.Option(help="auto, numpy, fused or jax.")] = "auto",
    seed: Annotated[
        int,
        typer.Option(min=0, help="First parameters, order of batches, split of a table; points that are made stay."),
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.", show_default="runs/DATA")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in the folder.")] = False,
    distributed: Annotated[
        bool, typer.Option("--distributed", help="Share the work among the ranks that mpirun or srun has started.")
    ] = False,
    recipe: Annotated[bool, typer.Option("--recipe", help="Print the same run as Python and stop.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Train a dense network on data, test it on the part held out, and save what it learned."""
    from . import commands

    settings = commands.Settings(
        layers=layers,
        activation=activation,
        epochs=epochs,
        optimizer=optimizer,
        lr=lr,
        batch_size=batch_size,
        engine=engine,
        seed=seed,
        regime=commands.Regime(dropout, class_weights, schedule, early_stopping, validation),
        members=members,
        distributed=distributed,
    )
    reading: dict[str, object] = {"target": target, "task": task, "missing": missing, "drop": commands.listed(drop)}
    reading |= {
        "text": commands.listed(text),
        "header": commands.yes_or_no("--header", header),
        "encoding": encoding,
        "delimiter": delimiter,
        "sheet": sheet,
        "memory": memory,
    }
    interrupted = commands.train(data, reading, settings, out, resume, json, recipe)
    if interrupted:
        raise typer.Exit(130)


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model file that `chainrule train` or `Model.save` wrote.")],
    data: Annotated[str, typer.Argument(help="A CSV or Parquet file with the model's columns, or a data set by name.")],
    out: Annotated[Path | None, typer.Option(help="CSV file for the predictions.", show_default="print them")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Predict with a trained model; where the target's column is there, say how good it was."""
    from . import commands

    commands.predict(model, data, out, json)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model file that `chainrule train` or `Model.save` wrote.")],
    data: Annotated[str, typer.Argument(help="A data set by name, or a table with the column to predict.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Measure a trained model on a table whose targets are known: metrics, each class, what is taken for what."""
    from . import commands

    commands.evaluate(model, data, json)


@app.command()
def check(
    target: Annotated[str, typer.Argument(help="FILE.py, FILE.py:Class, or a folder of submissions.")],
    inputs: Annotated[
        str | None, typer.Option(help="Shape of the inputs, such as 5x4.", show_default="found out")
    ] = None,
    arguments: Annotated[
        str | None, typer.Option(help="Arguments of the constructor, such as 4,3.", show_default="by their names")
    ] = None,
    rtol: Annotated[
        float | None, typer.Option(min=0, help="Relative tolerance of an entry.", show_default="1e-5")
    ] = None,
    reduction: Annotated[str | None, typer.Option(help="mean or sum: what a loss for each sample means.")] = None,
    at_kinks: Annotated[str | None, typer.Option(help="zero, or any slope between the two sides.")] = None,
    on_purpose: Annotated[
        str | None, typer.Option(help="Why gradients are not meant to be derivatives: declared, and not judged.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=1, help="Time for each submission of a folder.")] = 60,
    megabytes: Annotated[int, typer.Option(min=128, help="Memory for each submission of a folder.")] = 2048,
    html: Annotated[Path | None, typer.Option(help="Write the report of a file as a page.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON and nothing else.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print a folder's results as CSV and nothing else.")] = False,
) -> None:
    """Check backward passes written by hand: which gradient is wrong, and what the mistake is.

    Exit code 0: all is right; 1: something is wrong; 3: something could not be checked, or needs a look; 2: bad usage.
    """
    from . import commands
    from .checking.submissions import Limits

    settings = {"rtol": rtol, "reduction": reduction, "at_kinks": at_kinks, "on_purpose": on_purpose}
    code = commands.check(target, inputs, arguments, settings, Limits(seconds, megabytes), json, csv, html)
    if code:
        raise typer.Exit(code)


@app.command()
def explain(
    model: Annotated[Path, typer.Argument(help="A model file that `chainrule train` or `Model.save` wrote.")],
    data: Annotated[str, typer.Argument(help="A data set by name, or a CSV or Parquet file with the target's column.")],
    weight: Annotated[
        str | None,
        typer.Option(
            help="Which gradient: dense_0.weights[20,5], or with the names of columns and classes, "
            r"dense_0.weights\[petal length,5]; inputs[3,7]; a node's output, relu_0[3,5].",
            show_default="the largest of all weights",
        ),
    ] = None,
    sample: Annotated[int | None, typer.Option(help="Take the loss of this row alone, counted from 0.")] = None,
    samples: Annotated[int, typer.Option(min=1, help="How many rows, from the first on.")] = 128,
    member: Annotated[int, typer.Option(min=0, help="Of an ensemble, the network, counted from 0.")] = 0,
    training: Annotated[bool, typer.Option("--training", help="Layers run as in training, not inference.")] = False,
    max_terms: Annotated[int, typer.Option(min=1, help="Terms shown of each sum; the rest is folded.")] = 5,
    full: Annotated[
        bool, typer.Option("--full", help="Unfold witnesses, paths, the optimizer's step and factors of one.")
    ] = False,
    notation: Annotated[
        str, typer.Option(help="book (dvalues, dweights), calculus (∂L/∂w), or numpy (lines of code).")
    ] = "book",
    html: Annotated[Path | None, typer.Option(help="Also write a page with the network's picture.")] = None,
    latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX and nothing else.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Write one gradient out: the chain rule with its numbers, from the loss down to the weight."""
    from . import commands

    commands.explain(
        model,
        data,
        weight,
        sample,
        samples,
        training,
        max_terms,
        html,
        latex,
        json,
        full=full,
        notation=notation,
        member=member,
    )


@app.command()
def play(
    data: Annotated[
        str | None,
        typer.Argument(help="A data set, a CSV file, a model file, or a page's link.", show_default="the lessons"),
    ] = None,
    rows: Annotated[
        str | None, typer.Option("--data", help="With a model file: the data set or table to show it on.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port.", show_default="a free one")] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in the browser.")] = True,
) -> None:
    """Open a page on which backpropagation can be touched: step, click, drag and break, on this machine alone."""
    from . import commands

    commands.play(data, rows, port, browser)


@app.command()
def export(
    model: Annotated[Path, typer.Argument(help="A model file that `chainrule train` or `Model.save` wrote.")],
    to: Annotated[str, typer.Option(help="The kind of file: onnx.")] = "onnx",
    out: Annotated[Path | None, typer.Option(help="The file.", show_default="MODEL with .onnx")] = None,
    logits: Annotated[bool, typer.Option("--logits", help="Give the network's own outputs.")] = False,
    arrays: Annotated[
        bool, typer.Option("--arrays", help="Take the array that the network reads, not the table's columns.")
    ] = False,
    shape: Annotated[
        str | None, typer.Option(help="Shape of one sample, such as 28x28.", show_default="the network's")
    ] = None,
) -> None:
    """Write a trained model, with the preprocessing of its table, as one file that other programs run."""
    from . import commands

    commands.export(model, to, out, logits, arrays, shape)


@app.command()
def compare(
    program: Annotated[Path, typer.Argument(help="A program of the book's kind, with classes of its own.")],
    seconds: Annotated[float, typer.Option(min=1, help="Time for each run of it.")] = 60,
) -> None:
    """Run a program of the book's kind beside the library: the first number that differs, and the likely cause."""
    from . import commands

    if not commands.compare(program, seconds):
        raise typer.Exit(1)


exercises = typer.Typer(
    name="exercise", help="Exercises in backpropagation: files to fill in, grades, worksheets.", no_args_is_help=True
)
app.add_typer(exercises)


@exercises.command(name="list")
def list_exercises() -> None:
    """List the exercises, from one neuron to layer normalization."""
    from . import commands

    commands.list_exercises()


@exercises.command()
def start(
    name: Annotated[str, typer.Argument(help="The exercise (see `chainrule exercise list`).")],
    out: Annotated[Path | None, typer.Option(help="The file.", show_default="NAME.py")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
) -> None:
    """Write a file with the task in words, a number worked by hand, and what is to be filled in."""
    from . import commands

    commands.start_exercise(name, out, force)


@exercises.command()
def grade(
    file: Annotated[Path, typer.Argument(help="The file that was filled in.")],
    exercise: Annotated[
        str | None, typer.Option(help="Which exercise it is.", show_default="as its first line says")
    ] = None,
    hint: Annotated[bool, typer.Option("--hint", help="Also give the next stronger hint.")] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Time for the file.")] = 60,
    megabytes: Annotated[int, typer.Option(min=128, help="Memory for the file.")] = 2048,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Say what is right, what is wrong, and what to think about; never what to write.

    Exit code 0: all is right; 1: something is wrong; 3: something could not be checked, or needs a look; 2: bad usage.
    """
    from . import commands
    from .checking.submissions import Limits

    code = commands.grade_exercise(file, exercise, hint, Limits(seconds, megabytes), json)
    if code:
        raise typer.Exit(code)


@exercises.command()
def worksheet(
    name: Annotated[str, typer.Argument(help="The exercise (see `chainrule exercise list`).")],
    seed: Annotated[int, typer.Option(min=0, help="The number of the sheet: each has numbers of its own.")] = 0,
    problems: Annotated[int, typer.Option(min=1, max=20, help="How many problems.")] = 4,
    solutions: Annotated[bool, typer.Option("--solutions", help="The same problems, solved step by step.")] = False,
    out: Annotated[Path | None, typer.Option(help="The page.", show_default="NAME-SEED.html")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a page that is there.")] = False,
) -> None:
    """Write a page of problems to be printed and solved on paper."""
    from . import commands

    commands.write_worksheet(name, seed, problems, solutions, out, force)


@app.command()
def info(
    model: Annotated[Path | None, typer.Argument(help="A model file.", show_default="what is installed here")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
) -> None:
    """Show what a model file holds: layers, parameters, classes, columns, training; or what runs on this machine."""
    from . import commands

    commands.info(model, json)


@app.command(name="datasets")
def list_datasets() -> None:
    """List the data sets by name, with source and licence."""
    from . import commands

    commands.list_datasets()


@app.command()
def bench(
    peers: Annotated[
        str, typer.Option(help="torch, jax, keras, sklearn, with commas.", show_default="all that are installed")
    ] = "",
    workload: Annotated[
        str,
        typer.Option(
            help="notes, spiral, dense, wide, huge, gradient-large, gradient-small, predict.",
            show_default="all, huge with a GPU",
        ),
    ] = "",
    repeats: Annotated[int, typer.Option(min=1, help="Times that each is measured, in turn.")] = 7,
    engine: Annotated[str, typer.Option(help="Engine of our fit: auto, numpy, fused or jax.")] = "auto",
    grid: Annotated[bool, typer.Option("--grid", help="24 networks, as ratio to the best peer.")] = False,
    session: Annotated[
        bool, typer.Option("--session", help="Single steps of each engine and peer instead of whole runs of fit.")
    ] = False,
    busy: Annotated[bool, typer.Option("--busy", help="With one core taken by another process.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="A hundredth of the epochs: to try it out.")] = False,
    memory: Annotated[bool, typer.Option("--memory", help="Also measure the memory that the engines take.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")] = False,
    plot: Annotated[Path | None, typer.Option(help="PNG file for a picture of the timings.")] = None,
) -> None:
    """Measure whole runs of fit beside other libraries on this machine, from the same start to the same loss."""
    from . import commands

    asked = commands.Asked(
        peers, workload, repeats, engine, session, grid, busy, memory, 100 if quick else 1, json, plot
    )
    if commands.bench(asked):
        raise typer.Exit(130)


_NO_MEMORY = "there is not enough memory for this; `chainrule train TABLE --memory 500MB` reads a table in pieces"


def main() -> None:
    """Run the shell; an error of the library is one line on standard error and exit code 2."""
    from .display.spelling import SPELLED
    from .errors import ChainruleError

    _require_readable_width()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=SPELLED)  # a terminal that cannot show × shows x instead
    try:
        with _as_long_as_it_is_read():
            app()
    except (ChainruleError, OSError, MemoryError) as error:
        from .ranks import quiet

        if quiet():
            raise SystemExit(2) from None
        message = _NO_MEMORY if isinstance(error, MemoryError) else str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            message = f"{error.filename}: {error.strerror}."
        from .commands.console import in_the_shell
        from .display.terminal import visible

        print(f"chainrule: {visible(in_the_shell(message))}", file=sys.stderr)
        raise SystemExit(2) from None


@contextlib.contextmanager
def _as_long_as_it_is_read() -> Iterator[None]:
    """A program whose output nobody reads any more ends without a word, with the exit code that SIGPIPE gives."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (SystemExit, BrokenPipeError) as error:
        if not isinstance(error.__context__ if isinstance(error, SystemExit) else error, BrokenPipeError):
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in (sys.stdout, sys.stderr):  # what they still hold is written when Python ends
            with contextlib.suppress(OSError):
                os.dup2(nowhere, stream.fileno())
        raise SystemExit(_UNREAD) from None


def _require_readable_width() -> None:
    """Lines of 40 to 400 characters, whatever COLUMNS or the terminal says: at a width of 0 nothing is printed."""
    width = shutil.get_terminal_size().columns  # 80 where COLUMNS is no number above 0 and there is no terminal
    if "COLUMNS" in os.environ or width < _NARROWEST:
        os.environ["COLUMNS"] = str(min(max(width, _NARROWEST), _WIDEST))


if __name__ == "__main__":
    main()
