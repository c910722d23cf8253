"""What the operator and the workloads say to each other: tasks, reports, outcomes, stored objects.

Everything here is a pydantic model or a pure function of strings. Field names are camelCase on the
wire (``by_alias``) and snake_case in Python. Adding an optional field is compatible; renaming one
is not, because an old operator may run new images and the other way round during an upgrade.
"""
