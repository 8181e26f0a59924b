"""What every estimator computes, as digests: a change of the source that should change no number is held to them."""
