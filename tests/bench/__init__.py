"""Measurements: `make bench` prints them all, and every figure in the documentation comes from there."""
