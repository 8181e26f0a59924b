"""Hyper-parameter search by backtests, with Optuna.

May use `evaluation` and all before it. Start with `tuning`; a `trial` is one backtest, a `study` all of them.
"""
