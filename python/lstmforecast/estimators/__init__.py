"""The estimators: forecaster, regressor, classifier and text model.

May use the rooms before it: `contract`, `data`, `fitting`, `uncertainty`, `export`. Start with `forecaster`: its class
has the parameters and the public methods. `fit` continues in `series_fit` and `training_run`, which calls the core.
"""
