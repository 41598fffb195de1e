"""The YAML form of an activity: reading it, patching its lines, making a new one. Pure."""

from adapters.activity_read import problems, read

__all__ = ["problems", "read"]
