"""Who is told of which alert, when and in which words. PURE: alerts and the time go in, messages come out.

Read in this order: `policy.py` (what a receiver wants), `told.py` (what it knows already), `hearing.py` (what it has yet
to hear, and from when on), `people.py`, `pager.py` and `standing.py` (the next message for the three sorts of
receivers), `notice.py` (the words), then a file for each channel. Sending is `consumer/runtime/notify/`.
"""
