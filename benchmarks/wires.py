"""Several hosts on one machine: network namespaces whose wires are as slow as you like, and what a step takes there.

    python benchmarks/wires.py                       # as root, on Linux, with the extra mpi; two hosts, three wires
    python benchmarks/wires.py --hosts 2 --rate 1gbit -- python benchmarks/distributed.py fit

A host is a namespace with a name, an address and one wire, a veth pair to a bridge; tc's tbf limits both directions.
mpirun starts the ranks of the other hosts by an agent that enters their namespace, as it would by ssh. All share the
processor and the disk. What the kernel adds as delay is a few µs: of a real wire only the bandwidth is imitated.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

RATES = ("none", "1gbit", "100mbit")
PLACE = Path("/etc/netns")  # what stands in NAME/hosts is /etc/hosts in that namespace
AGENT = '#!/bin/sh\nhost=$1; shift\nexec ip netns exec "$host" unshare --uts sh -c "hostname $host; $*"\n'
ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}


def call(command: str, *, check: bool = True) -> None:
    """Run a command. Ends the program with what it said where it fails."""
    done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
    if check and done.returncode:
        sys.exit(f"{command}: exit code {done.returncode}: {done.stderr.strip()}; this needs root and Linux.")


def limit(device: str, rate: str, prefix: str = "") -> None:
    """What leaves a device by the second; the burst is what a host's network card would send at once."""
    if rate != "none":
        call(f"{prefix}tc qdisc add dev {device} root tbf rate {rate} burst 128kb latency 200ms")


@contextlib.contextmanager
def hosts(count: int, rate: str) -> Iterator[list[str]]:
    """The names of hosts that are joined by a switch and gone afterwards."""
    own = os.getpid()
    bridge, names = f"crb{own}", [f"cr{own}h{i}" for i in range(count)]
    table = "127.0.0.1 localhost\n" + "".join(f"10.77.0.{i + 1} {name}\n" for i, name in enumerate(names))
    try:
        call(f"ip link add {bridge} type bridge")
        call(f"ip link set {bridge} up")
        for i, name in enumerate(names):
            (PLACE / name).mkdir(parents=True)
            (PLACE / name / "hosts").write_text(table)
            port, inside = f"crp{own}h{i}", f"ip netns exec {name} "
            call(f"ip netns add {name}")
            call(f"ip link add {port} type veth peer name eth0 netns {name}")
            call(f"ip link set {port} master {bridge} up")
            for line in ("link set lo up", f"addr add 10.77.0.{i + 1}/24 dev eth0", "link set eth0 up"):
                call(f"ip -n {name} {line}")
            limit(port, rate)
            limit("eth0", rate, inside)
        yield names
    finally:
        for i, name in enumerate(names):
            call(f"ip link del crp{own}h{i}", check=False)
            call(f"ip netns del {name}", check=False)
            with contextlib.suppress(OSError):
                (PLACE / name / "hosts").unlink()
                (PLACE / name).rmdir()
        call(f"ip link del {bridge}", check=False)


def run(names: list[str], command: list[str], *, options: str = "") -> subprocess.CompletedProcess[str]:
    """`mpirun` on the first host, one rank on each."""
    with tempfile.TemporaryDirectory() as folder:
        agent = Path(folder) / "agent"
        agent.write_text(AGENT)
        agent.chmod(0o755)
        mpirun = str(Path(sys.executable).with_name("mpirun"))
        passed = [f"-x {name}" for name in ("PYTHONPATH", "PATH", *ROOT) if name in os.environ | ROOT]
        words = f"--prtemca plm_ssh_agent {agent} --host {','.join(names)} --bind-to none {' '.join(passed)} {options}"
        line = " ".join([f"exec {mpirun}", words, *command])
        entered = ["ip", "netns", "exec", names[0], "unshare", "--uts", "sh", "-c", f"hostname {names[0]}; {line}"]
        return subprocess.run(entered, capture_output=True, text=True, check=False, env=os.environ | ROOT)


def main() -> int:
    """Measure, or run the command given after `--`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, default=2)
    parser.add_argument("--rate", action="append", help="such as 1gbit, or none; may be given again")
    parser.add_argument("command", nargs="*")
    given, own = parser.parse_args(), str(Path(__file__).with_name("distributed.py"))
    commands = [given.command] if given.command else [[sys.executable, own, what] for what in ("sum", "fit")]
    code = 0
    for rate in given.rate or RATES:
        with hosts(given.hosts, rate) as names:
            for command in commands:
                done = run(names, command)
                code = code or done.returncode
                said = re.sub(r"^", f"{given.hosts} hosts, {rate}: ", done.stdout.strip(), flags=re.M)
                print(said if done.returncode == 0 else f"{said}\n{done.stderr.strip()}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
