"""What every long task shares: progress events, the cancel token, the environment of a compute process.

A job is a plain generator of frozen events. Its last event is :class:`Done`; it raises :class:`Cancelled` when its
token was cancelled and any other exception when it failed. Whoever drives it (the shell, a dock) turns that into one
sentence.
"""

from napari_nanoct.jobs.cancel import Cancelled, CancelToken
from napari_nanoct.jobs.events import Done, Event, Failed, Loss, Preview, Progress, from_json, to_json
from napari_nanoct.jobs.process import process_environment

__all__ = [
    "CancelToken",
    "Cancelled",
    "Done",
    "Event",
    "Failed",
    "Loss",
    "Preview",
    "Progress",
    "from_json",
    "process_environment",
    "to_json",
]
