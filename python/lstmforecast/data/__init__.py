"""Converts the user's data to the arrays that a network reads: frames, time indexes, panels, covariates, scalers.

May use `contract`. Start with `observations`, which reads ``y`` and keeps what is needed to label forecasts; `panel`
does the same for many series and `covariates` for ``X``. `dataset` joins them and adds the scales of each series.
"""
