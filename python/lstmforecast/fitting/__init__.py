"""What a fit needs besides data: checked parameters, sizes chosen from the data, ensembles, distributions, checkpoints.

May use `contract` and `data`. Start with `parameters`, the rules of the estimators' parameters, and `sizing`, which
chooses what was left to the data; `roll` forecasts with a trained network.
"""
