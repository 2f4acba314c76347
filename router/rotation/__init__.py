"""Keys, passwords and certificates that are taken up from changed files while the router runs."""

from router.rotation.rotation import Rotation
from router.rotation.takers import Roads, takers

__all__ = ["Roads", "Rotation", "takers"]
