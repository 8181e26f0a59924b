"""From forecasts to intervals, quantiles and sample paths.

May use `contract`, `data` and `fitting`. Start with `calibration`, which keeps the errors of held-out windows;
`intervals` adds them to forecasts, and `samples` draws paths from them.
"""
