"""Intervals, quantiles and sample paths of forecasts.

May use `contract`, `data` and `fitting`. Start with `fitted_series`: a fitted forecaster's network, data and errors.
`errors` chooses the forecasts that are compared with the truth, `calibration` keeps their errors, `intervals` adds them
to forecasts, and `samples` draws paths from them.
"""
