"""One file per command; `exits.py` has the exit codes and their meaning."""
