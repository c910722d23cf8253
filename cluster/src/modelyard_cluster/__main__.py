"""`python -m modelyard_cluster`."""

import sys

from modelyard_cluster.cli import main

sys.exit(main())
