"""Models in use: the anomaly detector, the drift monitor, and the log of forecasts for A/B tests.

May use `tuning` and all rooms before it. Start with `anomaly` for the detector, `drift` for the monitor, and `ab_store`
for the log, which `lstmforecast.ab` opens.
"""
