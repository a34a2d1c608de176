"""Sends what `reports/notify/` plans: a thread for each receiver, the channels, the durable record, the heartbeat."""
