"""From what users pass to the numbers that a network reads: frames, indexes, panels, covariates, calendars, scalers.

May use `contract`. Start with `observations`, which reads ``y`` and remembers how forecasts of it are labelled; `panel`
is the same for many series, `covariates` for ``X``, and `dataset` joins them with the scales of a fitted model.
"""
