"""Models in use: anomalies, drift, and the log of forecasts that A/B tests compare.

May use `evaluation` and all before it. Start with `anomaly` for the detector and `drift` for the monitor; `ab_store`
keeps forecasts in a database.
"""
