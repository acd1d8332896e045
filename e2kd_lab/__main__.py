"""``python -m e2kd_lab`` is ``e2kd-lab``."""

from e2kd_lab.cli import main

main()
