"""Formulas of docstrings, which are reStructuredText, as Markdown that MathJax reads."""

import re
import textwrap
from typing import Any

from griffe import Extension, Object

_BLOCK = re.compile(r"^\.\. math::(.*(?:\n[ \t]+.*|\n(?=\n[ \t]+\S))*)", re.MULTILINE)
_INLINE = re.compile(r":math:`([^`]+)`")


class Formulas(Extension):
    """Rewrites ``.. math::`` and ``:math:`` in every docstring."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            text = _BLOCK.sub(lambda found: f"$$\n{textwrap.dedent(found[1]).strip()}\n$$", obj.docstring.value)
            obj.docstring.value = _INLINE.sub(r"$\1$", text)
