"""The YAML form of an activity: reading it, patching its lines, making a new one. Pure."""

from adapters.activity.activity_read import problems, read
from adapters.activity.activity_write import compose, patch, set_local

__all__ = ["compose", "patch", "problems", "read", "set_local"]
