"""Stands in for torchvision, so that spandrel can be imported without it; nothing that is measured calls it."""
