"""Runs every notebook from top to bottom on one collected run, and fails if a cell does.

    python notebooks/execute.py [RUN] [--save DIR]

The notebooks of the repository stay as they are; with --save the executed ones, with their figures, go to a folder.
"""

import argparse
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description="Run every notebook on one collected run.")
    parser.add_argument("run", nargs="?", default="latest", help="id, beginning of an id, `latest`, or a dataset")
    parser.add_argument("--save", type=Path, help="folder for the executed notebooks")
    wanted = parser.parse_args()
    os.environ["TG_RUN"] = wanted.run
    os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    failed = []
    for path in sorted(HERE.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        if any(cell.get("outputs") for cell in notebook.cells):
            failed.append(f"{path.name}: it was committed with outputs")
        try:
            NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(HERE)}}).execute()
            print(f"{path.name}: {sum(cell.cell_type == 'code' for cell in notebook.cells)} cells ran")
        except CellExecutionError as error:
            failed.append(f"{path.name}: {error}")
        if wanted.save:
            wanted.save.mkdir(parents=True, exist_ok=True)
            nbformat.write(notebook, wanted.save / path.name)
    for problem in failed:
        print(problem, file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
