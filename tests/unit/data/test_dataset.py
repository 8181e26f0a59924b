"""The data of a forecaster: what its parts are called in older pickles."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd

from lstmforecast.data.covariates import Covariates
from lstmforecast.data.dataset import Dataset, read_observations


def test_statistics_have_another_name_in_pickles_of_version_0_1():
    index = pd.MultiIndex.from_product([["a", "b"], pd.date_range("2026-01-01", periods=9, freq="D")])
    observations = read_observations(pd.Series(np.arange(18.0) % 7, index), missing="error")
    dataset = Dataset(observations, np.zeros((18, 0)), Covariates(), scaler="standard").with_statistics()
    older = copy.copy(vars(dataset))
    older["sizes"] = older.pop("statistics")
    read = Dataset.__new__(Dataset)
    read.__setstate__(older)
    assert dataset.statistics is not None
    assert vars(read).keys() == vars(dataset).keys()
    np.testing.assert_array_equal(read.statistics, dataset.statistics)
