"""The rooms of the package, who may know whom, and what each may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import napari_nanoct

PACKAGE = Path(napari_nanoct.__file__).parent
LAYERS = (
    {"errors"},
    {"utsr", "volumes", "quality", "jobs"},
    {"enhance", "cracks", "training", "phantoms"},
    {"evaluation", "finetune"},
    {"cli", "docks"},
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms}
BARE_ROOMS = ("utsr", "training", "quality")
# tifffile comes with scikit-image.
BARE_PACKAGES = {"numpy", "scipy", "skimage", "tifffile", "torch", "einops", "safetensors"}


def module_name(path: Path) -> str:
    """Return the dotted name of a source file."""
    parts = ["napari_nanoct", *path.relative_to(PACKAGE).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def room_of(module: str) -> str:
    """Return the room of a dotted module name: ``enhance`` for ``napari_nanoct.enhance.tiles``."""
    return module.split(".")[1] if "." in module else ""


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Walk a syntax tree, functions included, but not what stands under ``if TYPE_CHECKING``."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            continue
        yield child
        yield from statements(child)


@cache
def imports(module: str) -> frozenset[str]:
    """Return the dotted names that a module imports, at its top or inside its functions."""
    path = MODULES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found = set()
    for node in statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: package.count(".") + 2 - node.level] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{source}.{alias.name}" for alias in node.names]
            found.update(name if name in MODULES else source for name in names)
    return frozenset(found)


def run_python(code: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)


def test_every_room_has_its_place():
    rooms = {room_of(module) for module in MODULES} - {"", "__main__"}
    assert rooms <= set(LEVEL)


def test_no_room_knows_one_above_it():
    upward = [
        f"{module} imports {name}"
        for module in MODULES
        for name in imports(module)
        if name.startswith("napari_nanoct.") and LEVEL.get(room_of(name), 0) > LEVEL.get(room_of(module), 99)
    ]
    assert not upward


def test_cli_and_docks_do_not_know_each_other():
    pairs = {(room_of(module), room_of(name)) for module in MODULES for name in imports(module) if "nanoct." in name}
    assert not pairs & {("cli", "docks"), ("docks", "cli")}


def test_only_docks_name_qt_or_napari():
    gui = {"qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "napari", "magicgui", "superqt", "vispy"}
    named = {
        (module, name)
        for module in MODULES
        for name in imports(module)
        if room_of(module) != "docks" and name.split(".")[0] in gui
    }
    assert not named


@pytest.mark.parametrize("room", BARE_ROOMS)
def test_bare_rooms_need_few_packages(room):
    reached, waiting = set(), [name for name in MODULES if room_of(name) == room]
    while waiting:
        module = waiting.pop()
        if module not in reached:
            reached.add(module)
            waiting += [name for name in imports(module) if name in MODULES]
    outside = {name.split(".")[0] for module in reached for name in imports(module)} - {"napari_nanoct"}
    assert outside - set(sys.stdlib_module_names) <= BARE_PACKAGES


def test_everything_outside_docks_imports_without_qt_or_napari():
    modules = [name for name in MODULES if room_of(name) != "docks"]
    done = run_python(
        "import importlib, sys\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & "
        "{'napari', 'qtpy', 'PyQt5', 'PyQt6', 'PySide2', 'PySide6', 'magicgui', 'vispy'}))"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_help_imports_no_torch():
    done = run_python(
        "import sys; sys.argv = ['nanoct', '--help']\n"
        "from napari_nanoct.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "print('HEAVY', sorted({'torch', 'dask', 'zarr', 'skimage', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout
    assert done.stdout.strip().endswith("HEAVY []")


def test_reading_the_manifest_imports_no_torch():
    done = run_python(
        "import sys, warnings; warnings.simplefilter('ignore')\n"
        "from npe2 import PluginManifest\n"
        "manifest = PluginManifest.from_distribution('napari-nanoct')\n"
        "print(manifest.name, 'torch' in sys.modules)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["napari-nanoct", "False"]


def test_public_names_resolve_and_are_documented():
    for name in napari_nanoct.__all__:
        thing = getattr(napari_nanoct, name)
        assert name.startswith("__") or thing.__doc__, f"{name} has no docstring"
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir()}
    assert not rooms & set(napari_nanoct.__all__), "a function named like a folder would hide it"


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        napari_nanoct.nothing  # noqa: B018
