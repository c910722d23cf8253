"""The object store, as the workloads see it: the only package that imports ``minio``.

Every failure leaves as a :class:`modelyard_algorithms.failure.WorkloadError` with one of the
contract's reasons; what is likely to pass is tried again first, for as long as the patience lasts.
"""

from modelyard_algorithms.storage.client import ObjectInfo, ObjectStore
from modelyard_algorithms.storage.errors import ObjectMissingError, ObjectNameError, ObjectTooLargeError
from modelyard_algorithms.storage.folder import Folder
from modelyard_algorithms.storage.retry import Patience
from modelyard_algorithms.storage.stores import Stores

__all__ = [
    "Folder",
    "ObjectInfo",
    "ObjectMissingError",
    "ObjectNameError",
    "ObjectStore",
    "ObjectTooLargeError",
    "Patience",
    "Stores",
]
