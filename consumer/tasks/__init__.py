"""Pure roles: the gate (one task per input partition) and the watch (one task), and both joined in memory."""
