"""Backtests, scores, and comparisons of forecasts.

May use the estimators and all before them. Start with `backtesting`; `rolling` says which rows a fold sees, `scoring`
how errors become scores.
"""
