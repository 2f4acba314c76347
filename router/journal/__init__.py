"""Made durable: a log of envelopes with named cursors. `contract` says what a journal is, `sqlite` is the one we have."""
