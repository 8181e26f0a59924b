"""Trains one network in several processes: ``torchrun --nproc-per-node 2 train_distributed.py [FOLDER]``.

On two machines, on each with its own rank: ``torchrun --nnodes 2 --node-rank 0 --nproc-per-node 2 --master-addr FIRST
--master-port 29500 train_distributed.py``. Writes model.safetensors into the folder; if a process dies,
with the best weights until then.
"""

import os
import signal
import sys
from pathlib import Path

import pandas as pd

from lstmforecast import Device, LSTMForecaster

DATA = Path(__file__).parent / "data" / "ETTh1.csv"


def main() -> None:
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    is_first = os.environ["RANK"] == "0"
    # torchrun stops all processes when one has died: wait until the weights are saved
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    y = pd.read_csv(DATA, index_col="date", parse_dates=True)["OT"]
    forecaster = LSTMForecaster(horizon=24, random_state=0, device=Device(distributed=True), verbose=1)
    try:
        forecaster.fit(y)
    finally:
        if is_first and hasattr(forecaster, "history_"):
            forecaster.save(folder / "model.safetensors")
    if is_first:
        print(forecaster.history_[["train_loss", "val_loss"]].tail(3).to_string())
        print(f"Wrote {folder / 'model.safetensors'}: the weights of epoch {forecaster.best_epoch_}.")


if __name__ == "__main__":
    main()
