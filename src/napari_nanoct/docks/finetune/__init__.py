"""The fine-tune dock, one file a part of it."""
