"""What ends the demo early."""


class DemoError(Exception):
    """A sentence for the user: what went wrong and what to do about it."""
