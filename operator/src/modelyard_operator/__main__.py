"""``python -m modelyard_operator``."""

import sys

from modelyard_operator.main import main

sys.exit(main())
