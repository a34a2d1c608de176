"""Apache Kafka behind the transport seam: the only place that imports confluent_kafka for the daemon."""
