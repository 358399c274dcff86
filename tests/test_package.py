"""What the distribution carries, declares and promises in its README."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "napari_nanoct"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def hatchling(kind: str, source: Path, target: Path) -> Path:
    """Build a wheel or an sdist from a source tree, without the network, and return the archive."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (archive,) = target.iterdir()
    return archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hatchling("sdist", ROOT, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hatchling("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


def package_files() -> set[str]:
    """List the files of the package as they stand in the source tree, relative to ``src``."""
    files = (path for path in SOURCE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(SOURCE.parent).as_posix() for path in files}


def wheel_files(wheel: Path) -> set[str]:
    """List the files of the package in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("napari_nanoct/")}


def test_wheel_carries_the_whole_package(wheel):
    assert wheel_files(wheel) == package_files()
    assert "napari_nanoct/napari.yaml" in wheel_files(wheel)
    with zipfile.ZipFile(wheel) as archive:
        entry_points = next(name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(entry_points).decode()
    assert "napari-nanoct = napari_nanoct:napari.yaml" in text
    assert "nanoct = napari_nanoct.cli:command" in text


def test_weights_ship_for_every_factor(wheel):
    weights = {Path(name).name for name in wheel_files(wheel) if "/weights/" in name}
    assert {f"utsr-light-x{factor}.safetensors" for factor in (1, 2, 4)} <= weights


def test_sdist_is_enough_to_build_the_same_wheel(sdist, wheel, tmp_path):
    # The first releases of Python 3.11 know no filters.
    safely = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", **safely)
    (source,) = (tmp_path / "source").iterdir()
    assert (source / "napari.yaml").read_bytes() == (SOURCE / "napari.yaml").read_bytes()
    for name in ("README.md", "LICENSE", "constraints.txt", "tox.ini", "tests/test_package.py"):
        assert (source / name).is_file(), name
    assert wheel_files(hatchling("wheel", source, tmp_path / "wheel")) == wheel_files(wheel)


def test_manifest_is_valid():
    command = [sys.executable, "-m", "npe2", "validate", "napari-nanoct"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "valid" in done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="a checkout on Windows may hold the link as a text file")
def test_manifest_at_the_top_is_the_package_s():
    assert (ROOT / "napari.yaml").resolve() == SOURCE / "napari.yaml"


def readme_commands() -> list[str]:
    """Return the shell lines of the README that make an environment."""
    blocks = re.findall(r"```(?:bash|sh|console)\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)
    return [
        line for block in blocks for line in block.splitlines() if line.startswith("python3 ") and " -m venv " in line
    ]


def test_readme_has_the_two_commands():
    demo, tests = readme_commands()
    assert "pip install -c constraints.txt" in demo
    assert demo.endswith("nanoct demo")
    assert tests.startswith("python3 tests/system_check.py && ")
    assert "pip install -c constraints.txt" in tests
    assert tests.endswith("tox")


def test_continuous_integration_runs_the_readme_s_command():
    lines = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert readme_commands()[1] in lines


def test_links_of_the_documents_lead_somewhere():
    documents = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), ROOT / "benchmarks" / "README.md"]
    broken = [
        f"{document.name}: {target}"
        for document in documents
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
        if "://" not in target and not (document.parent / target).exists()
    ]
    assert not broken


def declared(*extras: str) -> list[Requirement]:
    """Parse the dependencies of the project, and those of some extras, that hold on this Python."""
    listed = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    requirements = map(Requirement, listed)
    return [each for each in requirements if each.marker is None or each.marker.evaluate()]


def test_constraints_lock_every_dependency():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    locked = [Requirement(line) for line in lines if line and not line.startswith("#")]
    versions = {
        canonicalize_name(each.name): str(each.specifier).removeprefix("==")
        for each in locked
        if each.marker is None or each.marker.evaluate()
    }
    for each in declared("all", "test", "dev"):
        name = canonicalize_name(each.name)
        if name != "napari-nanoct":
            assert each.specifier.contains(versions[name]), f"{each} is not met by {name}=={versions.get(name)}"


def test_every_import_is_declared_and_every_dependency_used():
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in SOURCE.rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    roots = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names) - {"napari_nanoct"}
    distributions = packages_distributions()
    used = {canonicalize_name(name) for root in roots for name in distributions.get(root, [root])}
    named = {canonicalize_name(each.name) for each in declared()}
    # Its licence forbids commercial use: the evaluation takes it where it is, and says how to get it.
    optional = {"bm3d"}
    assert used - optional <= named
    # npe2 reads the manifest; tifffile needs imagecodecs for compressed files; napari shows settings with magicgui.
    assert named - used <= {"npe2", "imagecodecs", "magicgui"}
