"""Ids and names out of events as keys of our state: as they are, unless they are so long that state would grow with
them, or nothing can be seen of them."""

from __future__ import annotations

import hashlib

MOST_ID = 256
"""Characters. Ids of real sites have less than a hundred."""


def shortened(text: str) -> str:
    """A long id by its beginning and a hash of all of it; a short one as it is.

    >>> shortened("ORD-1"), len(shortened("x" * 1_000_000))
    ('ORD-1', 97)
    """
    if len(text) <= MOST_ID:
        return text
    return f"{text[:64]}…{hashlib.blake2b(text.encode(), digest_size=16).hexdigest()}"


MOST_NAME = 64
"""Characters of an event's or a field's name."""

BLANK = "(blank)"
"""Stands for a name of white space or of nothing, which would be a hole in every sentence about it."""


def told(name: str) -> str:
    """A name of an event or a field as it is counted and shown.

    >>> told("page_viewed"), told(" "), len(told("x" * 1000))
    ('page_viewed', '(blank)', 64)
    """
    return name[:MOST_NAME] if name and not name.isspace() else BLANK
