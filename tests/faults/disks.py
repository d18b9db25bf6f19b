"""Disks that can lose power: what PostgreSQL has not synced, and the kernel has not written by itself, is gone."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import network
from layout import NODES, Places
from service import send

# Bytes of the file system that a node lives on, here and in memory; small, so that it can be filled. And of the memory
# that bears all of these.
ROOM = "768m"
SHELF = "6g"
# Seconds until a dead process has let go of its files.
PATIENCE = 20.0


class Disks:
    """A block device for each node: a file that can be cloned in one moment. The file system on the device holds back
    what it was not asked to write, as on any machine; a clone has only what has reached the device."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.shelf = places.state / "shelf"

    def prepare(self) -> None:
        """Makes a disk for each node and mounts it."""
        memory = self.places.state / "memory"
        memory.mkdir()
        network.run("mount", "-t", "tmpfs", "-o", f"size={SHELF}", "disks", str(memory))
        store = memory / "shelf"
        network.run("truncate", "-s", SHELF, str(store))
        # This file system knows clones: two files share their blocks until one of them is written to.
        network.run("mkfs.xfs", "-q", "-m", "reflink=1", str(store))
        self.shelf.mkdir()
        network.run("mount", "-o", "loop", str(store), str(self.shelf))
        for node in NODES:
            network.run("truncate", "-s", ROOM, str(self._disk(node)))
            network.run("mkfs.ext4", "-q", "-m", "0", str(self._disk(node)))
            self._mount(node)
            folder = self.places.folder(node)
            network.run("chown", "postgres:postgres", str(folder))
            folder.chmod(0o700)
            # PostgreSQL makes its folder in an empty one.
            (folder / "lost+found").rmdir()

    def _disk(self, node: str) -> Path:
        return self.shelf / f"{node}.disk"

    def _mount(self, node: str) -> None:
        network.run("mount", "-o", "loop", str(self._disk(node)), str(self.places.folder(node)))

    async def fail(self, node: str) -> None:
        """The power of a node fails: nothing more is said, and the disk stays as it is at this moment."""
        network.cut(node, "both")
        pids = network.pids(node)
        send(pids, signal.SIGSTOP)
        # Whoever was told that something is written was told so before this.
        left = self.shelf / f"{node}.left"
        await asyncio.to_thread(network.run, "cp", "--reflink=always", str(self._disk(node)), str(left))
        send(pids, signal.SIGKILL)
        send(network.pids(node), signal.SIGKILL)
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while network.pids(node):
            if asyncio.get_running_loop().time() > deadline:
                raise TimeoutError(f"processes of {node} do not end")
            await asyncio.sleep(0.1)
        # Writes out what the kernel still held, to a disk that nobody will look at again.
        await asyncio.to_thread(network.run, "umount", str(self.places.folder(node)))
        left.rename(self._disk(node))

    def restore(self, node: str) -> None:
        """The power is back."""
        self._mount(node)
        network.mend(node)
