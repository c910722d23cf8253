"""``python -m modelyard_operator``: the operator; with ``buckets`` as first argument, its buckets."""

import sys

from modelyard_operator import buckets, command

if sys.argv[1:2] == ["buckets"]:
    sys.exit(buckets.main(sys.argv[2:]))
if sys.argv[1:]:
    sys.stderr.write("usage: python -m modelyard_operator [buckets {list,delete,give} ...]\n")
    sys.exit(2)
sys.exit(command.main())
