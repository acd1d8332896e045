"""The IPython shell that runs this program, as in a notebook."""

from __future__ import annotations

import sys
from typing import Any


def ipython_shell() -> Any:
    """The shell; None outside IPython, which is not imported to find out."""
    return sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
