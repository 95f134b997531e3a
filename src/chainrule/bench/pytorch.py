"""PyTorch on the workloads: eager, compiled, and on a GPU also as a captured CUDA graph."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from .contender import Contender, Opened, repeated
from .gpu import torch_device
from .workloads import Gradient, Prediction, Training, Weights, Workload

__all__ = ["CONTENDERS"]


def network_of(torch: Any, workload: Training) -> Any:
    """The network with the first weights."""
    layers: list[Any] = []
    for w, b in workload.weights:
        dense = torch.nn.Linear(*w.shape)
        with torch.no_grad():
            dense.weight.copy_(torch.from_numpy(w.T.copy()))
            dense.bias.copy_(torch.from_numpy(b))
        layers += [dense, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1]).to(torch_device())


def optimizer_of(torch: Any, network: Any, workload: Training, **options: Any) -> Any:
    """Its optimizer, in the fastest form."""
    if workload.adam:
        return torch.optim.Adam(network.parameters(), lr=workload.rate, fused=True, **options)
    return torch.optim.SGD(network.parameters(), lr=workload.rate, fused=True)


def tensors(torch: Any, *arrays: Any) -> list[Any]:
    """Arrays where PyTorch computes."""
    return [torch.from_numpy(array).to(torch_device()) for array in arrays]


def weights_of(network: Any) -> Weights:
    """Weights and biases of the dense layers."""
    dense = [layer for layer in network if hasattr(layer, "weight")]
    return [(d.weight.detach().cpu().numpy().T, d.bias.detach().cpu().numpy()) for d in dense]


def wait(torch: Any) -> None:
    """Wait until the GPU has finished."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def _opened(torch: Any, workload: Training, network: Any, step: Callable[[Any], object]) -> Opened:
    """Training with `step(rows)`; `rows` is None if a batch is all samples."""
    (order,) = tensors(torch, workload.order)
    done = 0

    def run(steps: int) -> None:
        nonlocal done
        for number in range(done, done + steps):
            begin = number % workload.per_epoch * workload.batch
            step(None if workload.per_epoch == 1 else order[begin : begin + workload.batch])
        wait(torch)
        done += steps

    def answer() -> float:
        run(workload.checked)
        return workload.loss(weights_of(network))

    return Opened(run, answer)


def _training(workload: Training, compiled: bool) -> Opened:
    torch: Any = import_module("torch")
    network = network_of(torch, workload)
    optimizer = optimizer_of(torch, network, workload)
    X, y = tensors(torch, *workload.data)
    loss_of = torch.nn.CrossEntropyLoss()

    def objective(x: Any, target: Any) -> Any:
        return loss_of(network(x), target)

    function = torch.compile(objective) if compiled else objective

    def step(rows: Any) -> None:
        optimizer.zero_grad(set_to_none=True)
        function(*((X, y) if rows is None else (X[rows], y[rows]))).backward()
        optimizer.step()

    return _opened(torch, workload, network, step)


def _eager(workload: Workload) -> Opened:
    torch: Any = import_module("torch")
    if isinstance(workload, Training):
        return _training(workload, compiled=False)
    if isinstance(workload, Gradient):
        z, y = tensors(torch, *workload.data)
        z.requires_grad_(True)
        criterion = torch.nn.CrossEntropyLoss()

        def gradient() -> Any:
            (found,) = torch.autograd.grad(criterion(z, y), z)
            wait(torch)
            return found

        return Opened(repeated(gradient).run, lambda: gradient().cpu().numpy())
    assert isinstance(workload, Prediction)
    network = network_of(torch, workload.training)

    def predict() -> Any:
        with torch.inference_mode():
            return network(*tensors(torch, workload.sample)).cpu().numpy()

    return repeated(predict)


def _compiled(workload: Workload) -> Opened | None:
    return _training(workload, compiled=True) if isinstance(workload, Training) else None


def _graph(workload: Workload) -> Opened | None:
    """A step that was captured once and is replayed, with its batch copied into the captured arrays."""
    torch: Any = import_module("torch")
    if not isinstance(workload, Training) or not torch.cuda.is_available():
        return None
    network = network_of(torch, workload)
    optimizer = optimizer_of(torch, network, workload, capturable=True)
    X, y = tensors(torch, *workload.data)
    x, target = X[: workload.batch].clone(), y[: workload.batch].clone()
    graph = _captured(torch, network, optimizer, x, target)

    def step(rows: Any) -> None:
        if rows is not None:
            torch.index_select(X, 0, rows, out=x)
            torch.index_select(y, 0, rows, out=target)
        graph.replay()

    return _opened(torch, workload, network, step)


def _captured(torch: Any, network: Any, optimizer: Any, x: Any, target: Any) -> Any:
    """The CUDA graph of one step, captured after a few steps on a side stream, as PyTorch requires.

    The state changed by those steps is reset afterwards.
    """
    start = [parameter.detach().clone() for parameter in network.parameters()]
    loss_of = torch.nn.CrossEntropyLoss()
    graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            optimizer.zero_grad(set_to_none=True)
            loss_of(network(x), target).backward()
            optimizer.step()
    torch.cuda.current_stream().wait_stream(stream)
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss_of(network(x), target).backward()
        optimizer.step()
    with torch.no_grad():
        for parameter, first in zip(network.parameters(), start, strict=True):
            parameter.copy_(first)
        for slot in (slot for slots in optimizer.state.values() for slot in slots.values()):
            if torch.is_tensor(slot):
                slot.zero_()
    return graph


def threads(count: int) -> None:
    """Set the number of threads."""
    import_module("torch").set_num_threads(count)


CONTENDERS = [
    Contender("torch", "PyTorch eager", _eager, threads),
    Contender("torch", "PyTorch compiled", _compiled, threads),
    Contender("torch", "PyTorch CUDA graph", _graph),
]
