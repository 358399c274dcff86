"""Make the pictures of the docks: real napari windows, with every button pressed.

    python docs/screenshots.py [enhance|cracks|finetune] [FOLDER]

All by default. The enhance dock is shown on a screen of 1366 x 768, as a small laptop has, the others on one of
1400 x 1000; where there is none:

    xvfb-run -a -s "-screen 0 1400x1000x24" python docs/screenshots.py
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
import numpy as np
from napari.settings import get_settings
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget
from scipy.ndimage import distance_transform_edt

from napari_nanoct.docks.cracks.plots import PlotWindow
from napari_nanoct.docks.finetune.controls import TRAIN


def window_of(width: int, height: int) -> tuple[napari.Viewer, QWidget]:
    """Open napari at a size that does not depend on the last time."""
    get_settings().application.save_window_geometry = False
    viewer = napari.Viewer(title="napari", show=True, show_welcome_screen=False)
    window = viewer.window._qt_window
    window.setGeometry(0, 0, width, height)
    return viewer, window


def enhance(folder: Path) -> None:
    """Go through the enhance dock as a user does and save a picture of the window at each step."""
    work = Path(tempfile.mkdtemp(prefix="nanoct-"))
    viewer, window = window_of(1366, 768)
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


def cracks(folder: Path) -> None:
    """Go through the cracks dock: propose, scribble, preview, segment, click on a row, plots, original and enhanced."""
    work = Path(tempfile.mkdtemp(prefix="nanoct-"))
    viewer, window = window_of(1400, 1000)
    viewer.open_sample("napari-nanoct", "phantom-cracks")
    _, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Cracks")
    ui, scribbling = dock.ui, dock.scribbling
    ui.original.setCurrentIndex(ui.original.findText("cracked phantom, scanned"))
    ui.output.setText(str(work / "phantom-cracks.ome.zarr"))
    ui.output.editingFinished.emit()
    until(lambda: scribbling.brushes.store is not None)
    viewer.dims.set_current_step(0, 20)
    viewer.reset_view()

    ui.propose.click()
    until(lambda: dock.measures.shown is not None)
    save(window, folder / "cracks-proposal.png")
    dock.measures.shown.layer.visible = False

    truth = np.asarray(viewer.layers["crack truth"].data)
    image = np.asarray(viewer.layers["cracked phantom, enhanced"].data)
    for z in (20, 32):
        viewer.dims.set_current_step(0, z)
        for number, places in enumerate(strokes(truth[z], image[z]), 1):
            ui.classes.button(number).click()
            layer = scribbling.brushes.layer
            layer.brush_size = (1, 4, 6)[number - 1]
            with layer.block_history():
                for y, x in places:
                    layer.paint((z, y, x), number)
    viewer.dims.set_current_step(0, 20)
    ui.live.click()
    until(lambda: "to go" not in ui.status.text() and "% crack" in ui.status.text())
    save(window, folder / "cracks-live.png")
    ui.next.click()
    until(lambda: "least sure" in ui.status.text() or "% crack" in ui.status.text())
    ui.live.click()

    activity = viewer.window._qt_viewer.window()._activity_dialog
    ui.segment.click()
    until(lambda: dock.run.plan is not None)
    save(window, folder / "cracks-question.png")
    ui.start.click()
    activity.show()
    activity.move_to_bottom_right()
    until(lambda: ui.bar.maximum() > 0 and ui.bar.value() > 0.3 * ui.bar.maximum())
    save(window, folder / "cracks-running.png")
    until(lambda: not dock.run.running and "enhanced cracks”" in ui.summary.text(), 900)
    activity.hide()
    ui.table.selectRow(2)
    save(window, folder / "cracks-table.png")
    ui.aperture.click()
    viewer.layers["cracked phantom, enhanced cracks"].visible = False
    save(window, folder / "cracks-aperture.png")
    ui.plots.click()
    save(window, folder / "cracks-plots.png")
    (plots,) = ui.findChildren(PlotWindow)
    plots.close()
    viewer.layers.selection.active = viewer.layers["crack truth"]
    ui.compare.click()
    until(lambda: ui.findChildren(PlotWindow) and plots not in ui.findChildren(PlotWindow))
    save(window, folder / "cracks-compare.png")
    viewer.close()


def finetune(folder: Path) -> None:
    """Go through the fine-tune dock: pair, train, compare, and enhance the volume with the new model."""
    work = Path(tempfile.mkdtemp(prefix="nanoct-"))
    os.environ["NANOCT_MODELS"] = str(work / "models")
    viewer, window = window_of(1400, 1000)
    viewer.open_sample("napari-nanoct", "phantom-pairs")
    area, dock = viewer.window.add_plugin_dock_widget("napari-nanoct", "Fine-tune")
    window.resizeDocks([area], [430], Qt.Orientation.Horizontal)
    ui = dock.ui
    viewer.layers["zoom scan"].visible = False
    viewer.dims.set_point(0, 8 * 80.0)
    viewer.reset_view()
    ui.every.setValue(2)
    ui.add_every.click()
    until(lambda: not dock.pairs.busy and ui.pairs.count() > 0)
    ui.pairs.setCurrentRow(3)
    save(window, folder / "finetune-pairs.png")
    window_of_pair = dock.pairs.open_window(ui.pairs.item(3))
    window_of_pair.resize(480, 520)
    save_widget(window_of_pair, folder / "finetune-overlay.png")
    window_of_pair.close()

    ui.tabs.setCurrentIndex(TRAIN)
    ui.name.setText("my-cathode")
    ui.notes.setText("blurred scans of the sample data")
    ui.train.click()
    until(lambda: dock.run.plan is not None)
    save(window, folder / "finetune-question.png")
    ui.start.click()
    # Where the processor draws the screen, napari's turning wheel would take it from the training.
    window.setUpdatesEnabled(False)

    def trained() -> bool:  # a busy machine has time for fewer validations
        return sum(event.score is not None for event in ui.learning.losses) > 5 or not dock.run.running

    until(trained, 900)
    window.setUpdatesEnabled(True)
    save(window, folder / "finetune-training.png")
    window.setUpdatesEnabled(False)
    until(lambda: not dock.run.running, 1800)
    window.setUpdatesEnabled(True)
    save(window, folder / "finetune-result.png")

    ui.learning.use.click()
    enhancing = dock.use_in_enhance()
    enhancing.ui.output.setText(str(work / "wide-scan-enhanced.ome.zarr"))
    enhancing.ui.output.textEdited.emit(enhancing.ui.output.text())
    enhancing.ui.enhance.click()
    until(lambda: enhancing.plan is not None)
    enhancing.ui.start.click()
    window.setUpdatesEnabled(False)
    until(lambda: not enhancing.run.running and len(viewer.layers) == 3, 900)
    window.setUpdatesEnabled(True)
    save(window, folder / "finetune-enhanced.png")
    viewer.close()


def strokes(truth: np.ndarray, image: np.ndarray) -> list[np.ndarray]:
    """Return where a user would paint a slice: places (n, 2) along cracks, in pores and on what is sound."""
    random = np.random.default_rng(0)
    crack, far = truth > 0, distance_transform_edt(truth == 0)
    dark, bright = np.percentile(image, (2, 70))
    pore = distance_transform_edt((image < dark * 1.1) & (far > 5)) > 3
    sound = (image > bright) & (far > 6)
    between = (image < bright) & (far > 6) & ~pore
    picked = []
    for places, count in ((np.argwhere(crack), 150), (np.argwhere(pore), 25), (np.argwhere(sound | between), 60)):
        picked.append(places[random.choice(len(places), min(count, len(places)), replace=False)])
    return picked


def until(condition: Callable[[], bool], seconds: float = 240) -> None:
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


def save_widget(widget: QWidget, path: Path) -> None:
    """Save a window of its own."""
    QTest.qWait(600)
    widget.grab().save(str(path))
    print(path)


def main(words: list[str]) -> None:
    """Make the pictures that were asked for."""
    folder = Path(words.pop()) if words and words[-1] not in DOCKS else Path(__file__).parent / "images"
    folder.mkdir(parents=True, exist_ok=True)
    for name in words or DOCKS:
        DOCKS[name](folder)


DOCKS = {"enhance": enhance, "cracks": cracks, "finetune": finetune}

if __name__ == "__main__":
    main(sys.argv[1:])
