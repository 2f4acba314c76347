"""Envelopes for tests: those that the suite of sinks sends."""

from sinks.testing.events import TYPE, make_envelope

__all__ = ["TYPE", "make_envelope"]
