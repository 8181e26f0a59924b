"""What a fit needs besides data: checked parameters, sizes chosen from the data, networks, checkpoints, forecasts.

May use `contract` and `data`. Start with `parameters`, the rules of the estimators' parameters, and `sizing`, which
chooses the sizes that the user did not; `options` converts parameters for the core, `roll` forecasts with a network.
"""
