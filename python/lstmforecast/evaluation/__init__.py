"""Backtests, scores, and comparisons of forecasts.

May use the estimators and all rooms before them. Start with `backtesting`; `folds` holds the options of a split,
`rolling` applies them to series, `scoring` and `probabilistic` compute scores, `comparison` tests differences.
"""
