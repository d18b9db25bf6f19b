"""The wires: a bridge, a namespace with a cable for each name, and cables that are cut."""

from __future__ import annotations

import ctypes
import socket
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path

from layout import ADDRESSES

BRIDGE = "hub"
# The kernel's name of a namespace of networks, for setns.
CLONE_NEWNET = 0x40000000


def run(*command: str, check: bool = True) -> str:
    """Runs a command to its end and gives what it printed."""
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def build() -> None:
    """Makes the bridge and all namespaces. We are alone in a network namespace already, so nothing can collide."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", BRIDGE, "type", "bridge")
    run("ip", "address", "add", f"{ADDRESSES['hub']}/24", "dev", BRIDGE)
    run("ip", "link", "set", BRIDGE, "up")
    for name, address in ADDRESSES.items():
        if name == "hub":
            continue
        run("ip", "netns", "add", name)
        run("ip", "link", "add", f"v-{name}", "type", "veth", "peer", "name", "eth0", "netns", name)
        run("ip", "link", "set", f"v-{name}", "master", BRIDGE, "up")
        run("ip", "-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        run("ip", "-n", name, "link", "set", "eth0", "up")
        run("ip", "-n", name, "link", "set", "lo", "up")


def inside(name: str, *command: str) -> list[str]:
    """The command line that runs a command in a namespace."""
    return ["ip", "netns", "exec", name, *command]


def listen(name: str, port: int) -> socket.socket:
    """A listener in a namespace. A thread of its own enters it, and leaves it by ending."""
    found: Future[socket.socket] = Future()

    def enter() -> None:
        try:
            with Path(f"/run/netns/{name}").open() as namespace:
                if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {name}")
            found.set_result(socket.create_server((ADDRESSES[name], port), backlog=4096))
        except OSError as error:
            found.set_exception(error)

    threading.Thread(target=enter).start()
    return found.result()


def pids(name: str) -> list[int]:
    """All processes in a namespace."""
    return [int(line) for line in run("ip", "netns", "pids", name).split()]


def cut(name: str, direction: str, peer: str | None = None) -> None:
    """Drops packets without a word: what comes `in`, what goes `out`, or `both`; of one peer, or of everybody."""
    rules = ["add table inet cut"]
    for hook, word, side in (("input", "in", "saddr"), ("output", "out", "daddr")):
        if direction not in (word, "both"):
            continue
        which = f"ip {side} {ADDRESSES[peer]} " if peer else ""
        device = "iifname" if hook == "input" else "oifname"
        rules.append(f"add chain inet cut {hook} {{ type filter hook {hook} priority 0; }}")
        rules.append(f"add rule inet cut {hook} {device} eth0 {which}drop")
    run(*inside(name, "nft", "; ".join(rules)))


def mend(name: str) -> None:
    """Lets all packets through again."""
    run(*inside(name, "nft", "delete table inet cut"), check=False)
