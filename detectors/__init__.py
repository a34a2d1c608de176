"""Pure rules and an alert's life: a library of its own that imports nothing else of this project."""
