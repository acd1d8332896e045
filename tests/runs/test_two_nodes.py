"""One run on two "nodes", which are two torchruns on this machine that meet over the loopback."""

import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import e2kd_lab as lab
from e2kd_lab.runs import find_runs


@pytest.mark.slow
@pytest.mark.endurance
def test_two_nodes_train_what_one_does(workspace, tmp_path):
    lab.experiments.get("waterbirds", "smoke").dataset("test")  # makes the embedded data before two need them
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["waterbirds", "--scale", "smoke", "--method", "kd", "--device", "cpu", "--set", "optimizer=sgd"]
    options += ["--set", "lr=0.02", "--epochs", "2"]
    train = ["e2kd_lab", "train", *options, "--runs", str(tmp_path / "two")]
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1"]
    launch += ["--master-addr=127.0.0.1", f"--master-port={port}"]
    environment = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen(
            [*launch, f"--node-rank={rank}", "-m", *train],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )
        for rank in range(2)
    ]  # fmt: skip
    said = [node.communicate(timeout=400)[0] for node in nodes]
    assert [node.returncode for node in nodes] == [0, 0], said
    alone = [sys.executable, "-m", "e2kd_lab", "train", *options, "--runs", str(tmp_path / "one")]
    subprocess.run(alone, env=environment, check=True, capture_output=True)
    ones, twos = find_runs(tmp_path / "one"), find_runs(tmp_path / "two")
    assert [run.folder.name for run in ones] == [run.folder.name for run in twos]
    assert {run.status for run in twos} == {"done"}
    for one, two in zip(ones, twos, strict=True):
        expected, found = one.metrics(), two.metrics()
        losses = (expected["metric"] == "loss").to_numpy()
        assert losses.any()
        np.testing.assert_allclose(found["value"][losses], expected["value"][losses], rtol=1e-3)
