"""``python -m napari_nanoct`` is the shell command ``nanoct``."""

from napari_nanoct.cli import command

if __name__ == "__main__":
    command()
