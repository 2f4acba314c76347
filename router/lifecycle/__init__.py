"""Start, watch, drain: the router's life between two signals."""
