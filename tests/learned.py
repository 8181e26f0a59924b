"""All that an estimator has learned, as bytes: for tests that it is the same before and after."""

import copy
import pickle
import tempfile
from pathlib import Path
from unittest import mock

from lstmforecast import _core


def learned(estimator):
    """Names of attributes, and what a file of the estimator holds, or pickles where there are no files."""
    parameters = estimator.get_params(deep=False)
    attributes = {name: value for name, value in vars(estimator).items() if name not in parameters}
    if not attributes or not hasattr(estimator, "save"):
        return {name: pickle.dumps(value) for name, value in attributes.items()}
    # a file holds the parameters too, which may have been changed since: here the defaults, whether they fit or not
    other = copy.copy(estimator).set_params(**type(estimator)().get_params(deep=False))
    with tempfile.TemporaryDirectory() as folder, mock.patch("lstmforecast.export.saving._estimator_of"):
        other.save(Path(folder, "model"))
        tensors, words = _core.read_file(Path(folder, "model"))
    arrays = {name: (tensor.dtype, tensor.shape, tensor.tobytes()) for name, tensor in tensors.items()}
    return {"names": sorted(attributes)} | arrays | words
