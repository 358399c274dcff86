"""The cracks dock, one file a part of it."""
