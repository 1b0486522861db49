"""`python -m moshi_tui`: the same as the command `moshi-tui`."""

import sys

from moshi_tui.cli import main

sys.exit(main())
