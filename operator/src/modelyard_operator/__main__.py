"""``python -m modelyard_operator``: the operator; with ``buckets`` as first argument, its buckets."""

import sys

from modelyard_operator import buckets
from modelyard_operator.main import main

sys.exit(buckets.main(sys.argv[2:]) if sys.argv[1:2] == ["buckets"] else main())
