"""The only package that talks to the API server.

Objects are plain dicts over aiohttp; the official client's model classes would be more than half of
the operator's memory. ``client`` has the verbs, ``watch`` a reflector, ``store`` the cache that
reflectors fill, ``queue`` the work queue, ``election`` the Lease, ``own_kinds`` kopf.
"""
