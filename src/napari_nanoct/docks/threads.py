"""Work in a thread whose outcome comes back to the window as a value or as one sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari_nanoct.errors import UserError
from napari_nanoct.jobs import Cancelled, CancelToken

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """What a piece of work came to: its value, or one sentence on why there is none ("" after a cancel)."""

    value: Any = None
    problem: str | None = None


def attempt(function: Callable[..., Any], *args: Any) -> Outcome:
    """Call the function; errors become sentences."""
    try:
        return Outcome(function(*args))
    except Cancelled:
        return Outcome(problem="")
    except UserError as error:
        return Outcome(problem=str(error))
    except Exception as error:  # a thread's error must reach the status line, whatever it is
        logger.exception("unexpected error in %s", getattr(function, "__name__", function))
        return Outcome(problem=f"Unexpected {type(error).__name__}: {' '.join(str(error).split())}")


def in_thread(then: Callable[[Outcome], None], function: Callable[..., Any], *args: Any) -> None:
    """Run the function in a thread of napari's and call `then` with its outcome on the main thread."""
    from napari.qt.threading import create_worker

    create_worker(attempt, function, *args, _connect={"returned": then})


class Latest:
    """Work of which only the latest piece counts."""

    def __init__(self) -> None:
        self._token = CancelToken()

    def start(self, then: Callable[[Outcome], None], function: Callable[..., Any], *args: Any) -> None:
        """Run ``function(*args, token)`` in a thread, then `then` on the main thread; what runs already is cancelled.

        The function checks the token now and then. `then` is not called once newer work was started, or after `cancel`.
        """
        self.cancel()
        token = self._token = CancelToken()

        def deliver(outcome: Outcome) -> None:
            if not token.cancelled:
                then(outcome)

        in_thread(deliver, function, *args, token)

    def cancel(self) -> None:
        """Let what is running end soon, and unheard."""
        self._token.cancel()
