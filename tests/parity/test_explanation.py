"""Contributions are those of integrated gradients by PyTorch's own derivatives."""

import numpy as np
import pandas as pd
import pytest
import torch

from lstmforecast import LSTM, LSTMForecaster, Sampling
from lstmforecast.fitting.roll import ends_of, first_inputs

N, HORIZON, SIZE = 200, 3, 12


@pytest.mark.parametrize(
    "parameters",
    [
        {"architecture": LSTM(linear_skip=False)},
        {"num_layers": 2, "normalize": None},
        # without the effect of known features, whose slope jumps where hinges bend
        {"architecture": LSTM(bidirectional=True), "normalize": None},
    ],
    ids=["no skip", "two layers", "bidirectional"],
)
def test_contributions_are_those_of_autograd(parameters):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(N + HORIZON, 2)), pd.date_range("2026-01-01", periods=N + HORIZON))
    y = (2 * X[0] + np.sin(np.arange(N + HORIZON) / 3) * X[1].shift(fill_value=0.0)).iloc[:N]
    model = LSTMForecaster(
        HORIZON, window_size=SIZE, hidden_size=8, max_epochs=20, sampling=Sampling(steps_per_epoch=10), random_state=0
    )
    model.set_params(**parameters).fit(y, X)
    explanation = model.explain(X=X)

    network, dataset = model.to_torch(), model.fitted_.dataset
    inputs = torch.tensor(first_inputs(model.model_, ends_of(model.model_, dataset, HORIZON, X)))
    baseline = torch.tensor(model.model_.scalers()["input_center"]).expand_as(inputs).clone()
    baseline[:, :, 0] = inputs[:, SIZE - 1, 0]
    baseline[inputs.isnan()] = torch.nan
    points, weights = np.polynomial.legendre.leggauss(32)
    for step in range(HORIZON):
        total = torch.zeros_like(inputs)
        for point, weight in zip(points, weights, strict=True):
            at = (baseline + (point + 1) / 2 * (inputs - baseline)).requires_grad_()
            [slope] = torch.autograd.grad(network(at)[:, step].sum(), at)
            total += weight / 2 * slope.nan_to_num() * (inputs - baseline).nan_to_num()
        expected = total[0].T.numpy()
        # differences in single precision, of forecasts of size 3
        np.testing.assert_allclose(explanation.contributions[0, step, 0], expected, atol=2e-4)
        assert np.abs(expected).max() > 0.05
