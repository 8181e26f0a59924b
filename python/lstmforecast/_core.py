"""The compiled core: one of two builds of the same crate, chosen when it is first imported."""

import sys

from lstmforecast import _load_core

sys.modules[__name__] = _load_core.load()
