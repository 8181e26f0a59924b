"""What scikit-learn expects of estimators, and what estimators expect of their parameters.

Nothing here knows a series or a network. Start with `rules`, which says what a parameter may be, and `plain`, which
turns NumPy's scalars and arrays into Python's before a rule sees them; then `fit_tasks`, which lets callbacks follow a
fit.
"""
