"""A cost that was not measured."""

from e2kd_lab.runs.costs import Cost

COST = Cost(
    device="a CPU",
    steps=100,
    step_seconds=0.5,
    batch=64,
    measured_batch=64,
    images_needed=128.0,
    images_given=640.0,
    waits=True,
    start_seconds=3.0,
    evaluation_seconds=7.0,
    memory=10**9,
    checkpoint_bytes=4_000_000,
    frozen_bytes=0,
    is_drawn=False,
)
