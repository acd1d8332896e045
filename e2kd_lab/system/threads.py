"""How OpenMP's threads wait."""

import os


def let_threads_sleep() -> None:
    """Let OpenMP's threads sleep while they wait; a value that the user has set stays.

    By default they spin, so that two programs that share a laptop's cores (a notebook that trains, another one, a test
    run) slow each other down about tenfold. Sleeping costs a few per cent when there is only one. Call this before
    torch is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
