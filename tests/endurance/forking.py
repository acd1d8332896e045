"""Processes that start at once: a small server imports the lab a single time and forks a child for each attempt.

A fork copies one thread only. So the server must not have a second one, whose locks would stay locked in the child: it
computes with one thread, never runs a network itself, and refuses to fork if it finds that it has more threads. Its
children are ordinary processes with a PID, locks and memory of their own, and can be killed like any other.

Where the system allows it, the server lives in a mount namespace, so that children can mount small file systems that
nobody else sees and that are gone with the server.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TIMEOUT = 120.0


@dataclass(frozen=True)
class Outcome:
    """How a child ended: ``signal`` that killed it or 0, the ``value`` it returned, or the ``error`` it raised."""

    signal: int
    value: Any
    error: str | None
    error_kinds: tuple[str, ...]


class Child:
    """A forked process."""

    def __init__(self, forks: Forks, pid: int, answer: Path) -> None:
        self.forks, self.pid, self.answer = forks, pid, answer

    def kill(self) -> None:
        """SIGKILL; the process stays to be waited for."""
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> Outcome:
        """Wait for the end; a child that hangs is killed after a while, which fails the test."""
        ended = self.forks.ask({"wait": self.pid})
        assert not ended["hung"], f"process {self.pid} did not end within {TIMEOUT} s"
        answer = json.loads(self.answer.read_text()) if self.answer.is_file() else {}
        if ended["signal"] == 0:
            assert answer, f"process {self.pid} ended with status {ended['status']} and no answer"
        return Outcome(ended["signal"], answer.get("value"), answer.get("error"), tuple(answer.get("kinds", ())))


class Forks:
    """The server, from the side of the tests.

    Parameters
    ----------
    folder : Path
        For the children's answers.
    home : Path
        The children's workspace.
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

    def start(self, function: str, *, environment: dict[str, str] | None = None, **arguments: Any) -> Child:
        """Fork a child that calls a function of the modules ``*programs`` with arguments that JSON can express."""
        self.started += 1
        answer = self.folder / f"{self.started}.json"
        request = {"function": function, "arguments": arguments, "answer": str(answer)}
        return Child(self, self.ask({**request, "environment": environment or {}})["pid"], answer)

    def call(self, function: str, **arguments: Any) -> Any:
        """What the function returns in a child of its own."""
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
        """End the server; children must have been waited for."""
        self.server.communicate(timeout=TIMEOUT)


def _own_mounts() -> list[str]:
    """The command that gives a process mounts of its own, empty where that is not allowed."""
    if shutil.which("unshare") is None:
        return []
    prefix = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--mount"]
    test = [*prefix, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
    return prefix if subprocess.run(test, capture_output=True, check=False).returncode == 0 else []


def serve() -> None:
    """Answer requests until standard input ends."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    functions: dict[str, Any] = {}
    for module in ("programs", "troubled_programs", "parallel_programs"):
        functions |= vars(importlib.import_module(f"endurance.{module}"))
    while line := sys.stdin.readline():
        request = json.loads(line)
        answer = _wait(request["wait"]) if "wait" in request else {"pid": _fork(functions, request)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _fork(functions: dict[str, Any], request: dict[str, Any]) -> int:
    threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208 - no more than their number is wanted
    assert threads == 1, f"a fork of {threads} threads would not be sound"
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        os.environ.update(request["environment"])
        try:
            answer = {"value": functions[request["function"]](**request["arguments"])}
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
