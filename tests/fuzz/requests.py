"""Whole requests, as they come through a connection: what its parser makes of them."""

from tests.fuzz.http import raw_seeds as seeds
from tests.fuzz.http import run_one_raw as run_one

__all__ = ["run_one", "seeds"]
