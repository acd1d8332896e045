"""Execute notebooks in place and keep what reads well on a code host: pictures and tables, no widget state.

Usage: python .ci/execute_notebooks.py notebooks/*.ipynb
"""

import base64
import io
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

_LARGE = 100_000  # bytes
_WIDGET = "application/vnd.jupyter.widget-view+json"


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=7200, resources={"metadata": {"path": str(path.parent)}})
        client.execute()
        notebook.metadata.pop("widgets", None)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            if cell.cell_type == "code":
                cell.outputs = [output for output in cell.outputs if _lasts(output)]
                for output in cell.outputs:
                    _lighten(output.get("data", {}))
        nbformat.write(notebook, path)


def _lasts(output: nbformat.NotebookNode) -> bool:
    """Streams and progress displays are of the moment only; a widget's view is empty without a kernel.

    A panel's note on what to do without one is not needed, either: here the panel's picture stands in its place.
    """
    data = output.get("data", {})
    if "e2kd-saved-" in data.get("text/html", "") or (output.output_type == "display_data" and not data):
        return False
    return output.output_type != "stream" and not (_WIDGET in data and not {"image/png", "text/html"} & set(data))


def _lighten(data: dict) -> None:
    """Take away widget views, and keep large pictures as JPEG, a fifth of their size and as good to look at."""
    data.pop(_WIDGET, None)
    png = base64.b64decode(data.get("image/png", ""))
    if len(png) > _LARGE:
        with Image.open(io.BytesIO(png)) as picture:
            light = io.BytesIO()
            picture.convert("RGB").save(light, "JPEG", quality=85, subsampling=0)
        del data["image/png"]
        data["image/jpeg"] = base64.b64encode(light.getvalue()).decode() + "\n"


if __name__ == "__main__":
    main()
