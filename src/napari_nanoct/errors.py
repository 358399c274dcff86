"""The one exception that carries a sentence meant for the user."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the user can mend: its message names the file, the problem and the way out.

    The shell prints it without a traceback and exits with 1; a dock shows it as it is.
    """
