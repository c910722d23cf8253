"""The only package that talks to the platform's object store."""
