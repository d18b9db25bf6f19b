"""A process of the laboratory that can be started, killed, frozen and thawed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import network


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """Sends a signal to processes, some of which may be gone."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Service:
    """One process in a namespace. Its command is asked for at each start."""

    def __init__(self, name: str, namespace: str, command: Callable[[], list[str]], log: Path) -> None:
        self.name = name
        self.namespace = namespace
        self.command = command
        self.log = log
        self.environment: dict[str, str] = {}
        # What is kept open for it while it restarts, as systemd does with a socket unit.
        self.listener: socket.socket | None = None
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, unless it runs."""
        if self.runs():
            return
        command, kept = self.command(), []
        if self.listener is not None:
            kept = [self.listener.fileno()]
            command = ["bash", "-c", f'exec 3<&{kept[0]}; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@"', "kept", *command]
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(
                network.inside(self.namespace, *command),
                pass_fds=kept,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def runs(self) -> bool:
        """Whether it is there; a frozen one is."""
        return self.child is not None and self.child.poll() is None

    @property
    def pid(self) -> int:
        """Its number. `ip netns exec` becomes the command, so the child is the process itself."""
        if self.child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self.child.pid

    def signal(self, number: signal.Signals) -> None:
        """Sends it a signal."""
        send([self.pid], number)

    def kill(self) -> None:
        """SIGKILL."""
        self.signal(signal.SIGKILL)
        if self.child is not None:
            self.child.wait()

    def stop(self, patience: float = 40) -> None:
        """SIGTERM, and waits for its end."""
        self.signal(signal.SIGTERM)
        self.wait(patience)

    def wait(self, patience: float) -> None:
        """Waits for its end."""
        if self.child is not None:
            self.child.wait(patience)


def alive_for(service: Service, seconds: float) -> bool:
    """Whether it still runs after that long: a wrong setting ends a process at once."""
    time.sleep(seconds)
    return service.runs()
