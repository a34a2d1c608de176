"""The consumer: everything between the raw events on Kafka and the days, alerts and dead letters made of them.

Start reading at `consumer/tasks/gate.py` and `consumer/tasks/watch.py` (what is decided), then
`consumer/runtime/loop.py` (how it is committed exactly once). ARCHITECTURE.md has the map.
"""
