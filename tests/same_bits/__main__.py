"""Record the digests of this machine: `python -m tests.same_bits`, after a change that is meant to change numbers."""

import json

from tests.same_bits.digests import NAMES, of_kind
from tests.same_bits.machine import machine
from tests.same_bits.test_same_bits import RECORD, recorded

found = recorded() | {machine(): {name: of_kind(name) for name in NAMES}}
RECORD.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
print(f"recorded {len(NAMES)} kinds for {machine()}")
