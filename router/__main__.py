"""`python -m router` is the same as `feishu-event-router`."""

from router.cli import main

if __name__ == "__main__":
    main()
