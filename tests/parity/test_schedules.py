"""Learning-rate schedules against ``torch.optim.lr_scheduler``, step by step."""

import numpy as np
import pytest
import torch
from tests.parity.networks import TRAINING, pair

N_STEPS = 40


def _pytorchs(schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-2)
    if schedule == "cosine":
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=N_STEPS)
    else:
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, max_lr=1e-2, total_steps=N_STEPS, cycle_momentum=False
        )
    rates = []
    for _ in range(N_STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize("schedule", ["cosine", "onecycle"])
@pytest.mark.parametrize("steps_per_epoch", [1, 4])
def test_rates_are_pytorchs(schedule, steps_per_epoch, backend):
    model, _ = pair(backend=backend)
    rows = np.random.default_rng(0).normal(size=(200, 2))
    options = {"lr_schedule": schedule, "steps_per_epoch": steps_per_epoch, "max_epochs": N_STEPS // steps_per_epoch}
    history = model.fit_series(rows, TRAINING | options)["history"]
    # an epoch's record has the rate of its last step; PyTorch's cosine is a recursion that rounds at each step
    expected = _pytorchs(schedule)[steps_per_epoch - 1 :: steps_per_epoch]
    np.testing.assert_allclose(history["learning_rate"], expected, rtol=1e-9)
