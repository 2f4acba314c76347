"""Keys, passwords and certificates that are taken up from changed files while the router runs."""

from router.rotation.rotation import Rotation
from router.rotation.takers import Ingress, takers

__all__ = ["Ingress", "Rotation", "takers"]
