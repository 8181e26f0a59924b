"""Mutated files: each is refused in one sentence, or gives what works."""
