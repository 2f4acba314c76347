"""The image's health check: asks the admin port where the router was told to listen. Exit status 0: healthy."""

import http.client
import os
import sys


def main() -> int:
    """Ask `/healthz`; an admin port that is switched off counts as healthy."""
    listen = os.environ.get("FER_ADMIN__LISTEN", "127.0.0.1:9464")
    if not listen:
        return 0
    connection = http.client.HTTPConnection(listen, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return 0 if connection.getresponse().status == http.HTTPStatus.OK else 1
    except OSError:
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
