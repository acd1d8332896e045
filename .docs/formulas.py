"""Formulas of docstrings, which are TeX in reStructuredText, as MathML, which browsers draw without a script."""

import re
import textwrap
from typing import Any

from griffe import Extension, Object
from latex2mathml.converter import convert

_BLOCK = re.compile(r"^\.\. math::(.*(?:\n[ \t]+.*|\n(?=\n[ \t]+\S))*)", re.MULTILINE)
_INLINE = re.compile(r":math:`([^`]+)`")


class Formulas(Extension):
    """Rewrites ``.. math::`` and ``:math:`` in every docstring."""

    def on_object(self, *, obj: Object, **kwargs: Any) -> None:
        if obj.docstring is not None:
            text = _BLOCK.sub(lambda found: f"\n{_mathml(found[1], 'block')}\n", obj.docstring.value)
            obj.docstring.value = _INLINE.sub(lambda found: _mathml(found[1], "inline"), text)


def _mathml(tex: str, display: str) -> str:
    return convert(textwrap.dedent(tex).strip(), display=display)
