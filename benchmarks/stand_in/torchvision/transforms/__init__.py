"""Nothing but the names that spandrel imports."""
