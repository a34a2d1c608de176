"""What runs on a laptop with nothing installed: the embedded Apache Kafka, a seeded shop, the demo."""
