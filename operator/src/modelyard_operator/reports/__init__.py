"""Progress reports: HTTP in, the newest one of each object in memory, and a look at the object soon."""
