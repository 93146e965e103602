"""`python -m inhouse.cli` is `inhouse`."""

import sys

from inhouse.cli import main

sys.exit(main())
