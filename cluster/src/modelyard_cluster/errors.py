"""The one exception that a user of the command line is meant to see."""


class ClusterError(Exception):
    """Something that the user can act on, said in one or two sentences."""
