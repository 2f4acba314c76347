"""Fanned out: one lane per sink reads the journal, delivers in batches, retries, parks, and settles what ended.

`lane` is the engine; `window`, `queue`, `holds`, `backoff`, `routes` are its decisions, pure and synchronous.
"""
