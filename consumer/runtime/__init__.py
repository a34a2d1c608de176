"""Input and output, small and without decisions about the data: the loop, the transport, metrics, endpoints."""
