"""Where rendered reports go."""
