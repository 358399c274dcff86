"""Make the pictures of the enhance dock: real napari windows, with every button pressed.

    python docs/screenshots.py [FOLDER]

Run it under a screen of 1366 x 768, as a small laptop has; where there is none:

    xvfb-run -a -s "-screen 0 1366x768x24" python docs/screenshots.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

if sys.platform.startswith("linux"):
    os.environ["QT_QPA_PLATFORM"] = "xcb"  # "offscreen" has no OpenGL: the canvas would stay blank

import napari
from napari.settings import get_settings
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget


def main(folder: Path) -> None:
    """Go through the dock as a user does and save a picture of the window at each step."""
    folder.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="nanoct-"))
    get_settings().application.save_window_geometry = False
    viewer = napari.Viewer(title="napari", show=True, show_welcome_screen=False)
    window = viewer.window._qt_window
    window.setGeometry(0, 0, 1366, 768)
    viewer.open_sample("napari-nanoct", "phantom-low")
    _, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Enhance")
    viewer.dims.set_current_step(0, 20)
    viewer.reset_view()
    ui = dock.ui
    ui.output.setText(str(work / "phantom-enhanced.ome.zarr"))
    ui.output.textEdited.emit(ui.output.text())
    viewer.scene.camera.zoom *= 2
    ui.preview.click()
    until(lambda: dock.preview_layer is not None)
    save(window, folder / "dock-preview.png")

    ui.region.setCurrentIndex(ui.region.findText("range of slices"))
    ui.first.setValue(16)
    ui.last.setValue(23)
    ui.enhance.click()
    until(lambda: dock.plan is not None)
    save(window, folder / "dock-question.png")

    activity = viewer.window._qt_viewer.window()._activity_dialog
    ui.start.click()
    activity.show()
    activity.move_to_bottom_right()
    until(lambda: "left" in ui.pace.text() and ui.bar.value() > 0.3 * ui.bar.maximum())
    save(window, folder / "dock-running.png")
    until(lambda: not dock.run.running and len(viewer.layers) == 3)
    activity.hide()
    save(window, folder / "dock-result.png")
    viewer.close()


def until(condition: Callable[[], bool], seconds: float = 600) -> None:
    """Let the window work until the condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError("the dock did not come to what was waited for")
        QTest.qWait(50)


def save(window: QWidget, path: Path) -> None:
    """Save what the screen shows of the window."""
    QTest.qWait(600)
    screen = QApplication.primaryScreen()
    assert screen is not None
    screen.grabWindow(0, 0, 0, window.frameGeometry().right() + 1, window.frameGeometry().bottom() + 1).save(str(path))
    print(path)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images")
