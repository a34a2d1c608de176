"""Pure renderers, one file per thing that is read."""
