"""The interfaces to scikit-learn and to the compiled core, and the checks of parameters.

Nothing here depends on a series or a network. Start with `rules`, which checks parameters, and `plain`, which converts
NumPy's scalars and arrays to Python values first; then `fit_tasks`, which reports a fit to scikit-learn's callbacks,
and `core_options`, the dictionaries that the compiled core takes and gives.
"""
