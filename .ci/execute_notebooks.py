"""Execute notebooks in place and keep what reads well on a code host: pictures and tables, no widget state.

Usage: python .ci/execute_notebooks.py notebooks/*.ipynb
"""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient


def main() -> None:
    for name in sys.argv[1:]:
        path = Path(name)
        notebook = nbformat.read(path, as_version=4)
        client = NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(path.parent)}})
        client.execute()
        notebook.metadata.pop("widgets", None)
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            if cell.cell_type == "code":
                # Progress bars and other streams are of the moment only; a widget's view is empty without a kernel.
                cell.outputs = [output for output in cell.outputs if output.output_type != "stream"]
                for output in cell.outputs:
                    output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
