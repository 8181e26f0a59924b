"""The estimators: forecaster, regressor, classifier and text model.

May use the rooms before it: `contract`, `data`, `fitting`, `uncertainty`, `export`. Start with `forecaster`, whose
class holds the parameters; `series_estimator` follows ``y`` from ``fit`` to the core.
"""
