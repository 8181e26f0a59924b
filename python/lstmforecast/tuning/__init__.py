"""Hyper-parameter search by backtests, with Optuna.

May use `evaluation` and all rooms before it. Start with `tuning`. A `trial` is one backtest, a `study` all of them.
"""
