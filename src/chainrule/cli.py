"""The shell: `chainrule train DATA`, `chainrule datasets`."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app", "main"]

app = typer.Typer(
    name="chainrule",
    help="Neural networks in which backpropagation is written out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _commands() -> None:
    """Neural networks in which backpropagation is written out."""


@app.command()
def train(
    data: Annotated[str, typer.Argument(help="A shipped data set; `chainrule datasets` lists them.")],
    layers: Annotated[str, typer.Option(help="Neurons of the hidden layers, such as 128 or 128,64.")] = "128",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the training data.")] = 40,
    batch_size: Annotated[int, typer.Option(min=1, help="Samples in one step.")] = 32,
    lr: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 1e-3,
    seed: Annotated[int, typer.Option(min=0, help="First parameters and order of the batches.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results.  [default: runs/DATA]")] = None,
) -> None:
    """Train a dense network with ReLU on a data set, and test it on the part held out."""
    from rich.console import Console
    from rich.table import Table

    from . import Adam, Dense, Layer, Model, ReLU, SoftmaxCrossentropy, datasets

    hidden = _sizes(layers)
    loaded = datasets.load(data)
    sizes = [loaded.X_train.shape[1], *hidden, len(loaded.description.class_names)]
    network: list[Layer] = []
    for n_inputs, n_neurons in itertools.pairwise(sizes):
        network += [Dense(n_inputs, n_neurons), ReLU()]
    network.pop()  # the output layer has no activation: the loss takes logits
    model = Model(network, loss=SoftmaxCrossentropy(), optimizer=Adam(lr), seed=seed)

    console = Console()
    console.print(f"[bold]{data}[/]: {loaded.description.title}")
    console.print(
        f"{len(loaded.X_train)} samples to train on, {len(loaded.X_test)} held out; "
        f"network {'-'.join(map(str, sizes))}, "
        f"{sum(p.size for p in model.parameters.values()):,} parameters"
    )
    folder = out if out is not None else Path("runs") / data
    folder.mkdir(parents=True, exist_ok=True)
    history = model.fit(
        loaded.X_train,
        loaded.y_train,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=(loaded.X_test, loaded.y_test),
    )
    table = Table("", "loss", "accuracy")
    for name, X, y in (("train", loaded.X_train, loaded.y_train), ("test", loaded.X_test, loaded.y_test)):
        measured = model.evaluate(X, y)
        table.add_row(name, f"{measured['loss']:.4f}", f"{measured['accuracy']:.2%}")
    console.print(table)
    model.save_parameters(folder / "parameters.safetensors")
    (folder / "history.csv").write_text(history.to_csv())
    console.print(f"Saved {folder / 'parameters.safetensors'} and {folder / 'history.csv'}.")
    if history.interrupted:
        raise typer.Exit(130)


@app.command(name="datasets")
def list_datasets() -> None:
    """List the data sets inside the package, with source and licence."""
    from rich.console import Console
    from rich.table import Table

    from .datasets import SHIPPED

    table = Table("name", "samples", "features", "classes", "what it is", "source and licence")
    for name, d in SHIPPED.items():
        table.add_row(
            name, str(d.samples), str(d.features), str(len(d.class_names)), d.title, f"{d.source}; {d.licence}"
        )
    Console().print(table)


def _sizes(layers: str) -> list[int]:
    from .errors import ConfigurationError

    try:
        sizes = [int(part) for part in layers.split(",") if part.strip()]
    except ValueError:
        sizes = [0]
    if any(size < 1 for size in sizes):
        raise ConfigurationError(f"--layers: write whole numbers with commas, such as 128,64; not {layers!r}.")
    return sizes


def main() -> None:
    """Run the shell; an error of the library is one line on standard error and exit code 2."""
    from .errors import ChainruleError

    try:
        app()
    except (ChainruleError, OSError) as error:
        print(f"chainrule: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
