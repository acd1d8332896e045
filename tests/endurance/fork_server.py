"""A fork server: it imports the lab once and forks a child process for each attempt, which starts at once.

A fork copies one thread only, and the locks of others would stay locked in the child. So the server must be
single-threaded: it never runs a network itself, and refuses to fork if it has more than one thread. Children are
ordinary processes with their own PID, locks and memory, and can be killed like any other.

Where the system allows it, the server has a mount namespace of its own: children can mount small file systems that
nobody else sees and that vanish with the server.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 120.0


@dataclass(frozen=True)
class Outcome:
    """How a child ended: the ``signal`` that killed it or 0, and the ``value`` it returned or ``error`` it raised."""

    signal: int
    value: Any
    error: str | None
    error_kinds: tuple[str, ...]


class Child:
    """A forked process."""

    def __init__(self, forks: Forks, pid: int, answer: Path) -> None:
        self.forks, self.pid, self.answer = forks, pid, answer

    def kill(self) -> None:
        """Send SIGKILL; `wait` must still be called."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Outcome:
        """Wait for the end; a child that hangs is killed after a while and fails the test."""
        ended = self.forks.ask({"wait": self.pid})
        assert not ended["hung"], f"process {self.pid} did not end within {TIMEOUT} s"
        answer = json.loads(self.answer.read_text()) if self.answer.is_file() else {}
        if ended["signal"] == 0:
            assert answer, f"process {self.pid} ended with status {ended['status']} and no answer"
        return Outcome(ended["signal"], answer.get("value"), answer.get("error"), tuple(answer.get("kinds", ())))


class Forks:
    """The tests' side of the server.

    Parameters
    ----------
    folder : Path
        Receives the children's answers.
    home : Path
        Workspace of the children.
    """

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder, self.started = folder, 0
        prefix = _own_mounts()
        self.can_mount = bool(prefix)
        one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.server = subprocess.Popen(
            [*prefix, sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, **one, "E2KD_LAB_HOME": str(home)},
        )

    def start(
        self, function: Callable[..., Any], *, environment: dict[str, str] | None = None, **arguments: Any
    ) -> Child:
        """Fork a child that calls a function of this folder; arguments and result pass through JSON."""
        self.started += 1
        answer = self.folder / f"{self.started}.json"
        place = [Path(function.__code__.co_filename).stem, function.__name__]
        request = {"function": place, "arguments": arguments, "answer": str(answer)}
        return Child(self, self.ask({**request, "environment": environment or {}})["pid"], answer)

    def call(self, function: Callable[..., Any], **arguments: Any) -> Any:
        """Run a function in a child of its own and return its result."""
        outcome = self.start(function, **arguments).wait()
        assert outcome.signal == 0
        assert outcome.error is None, outcome.error
        return outcome.value

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request to the server and wait for its answer."""
        assert self.server.stdin is not None
        assert self.server.stdout is not None
        self.server.stdin.write(json.dumps(request) + "\n")
        self.server.stdin.flush()
        line = self.server.stdout.readline()
        assert line, "the fork server has ended"
        return json.loads(line)

    def close(self) -> None:
        """Stop the server; all children must have been waited for."""
        self.server.communicate(timeout=TIMEOUT)


def _own_mounts() -> list[str]:
    """The command prefix that gives a process its own mount namespace; empty where that is not allowed."""
    if shutil.which("unshare") is None:
        return []
    prefix = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    test = [*prefix, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return prefix if subprocess.run(test, capture_output=True, check=False).returncode == 0 else []


def serve() -> None:
    """Answer requests until standard input ends."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    while line := sys.stdin.readline():
        request = json.loads(line)
        answer = _wait(request["wait"]) if "wait" in request else {"pid": _fork(request)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _fork(request: dict[str, Any]) -> int:
    module, name = request["function"]
    function = getattr(importlib.import_module(f"endurance.{module}"), name)
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - only their number is needed
    assert threads == 1, f"forking {threads} threads is not safe"
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.environ.update(request["environment"])
        try:
            answer = {"value": function(**request["arguments"])}
        except BaseException as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
            text = str(error) if "LabError" in kinds else traceback.format_exc()
            answer = {"error": text, "kinds": kinds}
        temporary = Path(request["answer"] + ".part")
        temporary.write_text(json.dumps(answer))
        temporary.replace(request["answer"])
        status = 0
    finally:
        os._exit(status)


def _wait(pid: int) -> dict[str, Any]:
    deadline, hung = time.monotonic() + TIMEOUT, False
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > deadline and not hung:
            hung = True
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    return {"signal": number, "status": os.waitstatus_to_exitcode(status), "hung": hung}


if __name__ == "__main__":
    serve()
