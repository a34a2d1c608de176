"""What kept the demo from its end, for the person in front of it."""

from __future__ import annotations


class DemoError(Exception):
    """The demo cannot go on; the message is one sentence that says why."""
