"""Pure vocabulary and arithmetic: no clock, no network, no files. Read in this order: record, contract, decode, events,
rejection, attribution, sessions, purchases, watermark, facts, days, state, wire."""
