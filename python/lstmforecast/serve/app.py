"""`create_app`: checks its arguments and builds the application."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from sklearn.utils.validation import check_is_fitted

from lstmforecast.ab import ForecastLog, Split
from lstmforecast.monitoring.drift import DriftMonitor
from lstmforecast.serve.hosts import Hosts
from lstmforecast.serve.limits import Limits
from lstmforecast.serve.served_model import ServedModel
from lstmforecast.serve.server import ForecastApp, RecordingOptions
from lstmforecast.serve.splitting import ServedSplit

if TYPE_CHECKING:
    from lstmforecast.estimators.forecaster import LSTMForecaster


# Options of a log given by its URL: seconds to wait for a lock of another process, and what is kept. 1,000,000
# forecasts of 24 steps take a gigabyte.
SERVED_LOG: dict[str, Any] = {"timeout": 1.0, "keep_days": 90, "max_rows": 1_000_000}


def create_app(
    models: Mapping[str, LSTMForecaster] | LSTMForecaster,
    *,
    api_key: str | None = None,
    limits: Limits | None = None,
    n_threads: int | None = 1,
    split: Mapping[str, float] | Split | None = None,
    shadow: bool = True,
    log: str | ForecastLog | None = None,
    monitors: Mapping[str, DriftMonitor] | None = None,
    allowed_hosts: Sequence[str] | None = None,
) -> FastAPI:
    """Make an application that forecasts over HTTP.

    Parameters
    ----------
    models : LSTMForecaster or mapping of str to LSTMForecaster
        Fitted, by their names; one alone is called ``"model"``. Requests have the covariates of `fit`, under the names
        of their columns.
    api_key : str or None, default=None
        The key that requests must send as ``X-API-Key`` or ``Authorization: Bearer``, except for ``/health``,
        ``/ready``, the pages and ``/openapi.json``; compared in constant time. None: no key is needed.
    limits : Limits or None, default=None
        Limits on requests; None: the defaults.
    n_threads : int or None, default=1
        Processor threads of the network, beside the one that reads and answers requests; None: ``n_threads`` of each
        model.
    split : mapping of str to float, Split or None, default=None
        Weights of models. Requests that name no model are divided between them: the same ``key`` always goes to the
        same model, requests without a key go to one at random.
    shadow : bool, default=True
        With both ``split`` and ``log``: the other models of the split forecast each request as well. Their forecasts
        are logged, not returned, so that models are compared on the same windows.
    log : str, ForecastLog or None, default=None
        Log of all forecasts from windows with times, and of the actual values posted to ``/actuals``. A `ForecastLog`
        stays open when the service stops. With a URL, as `ForecastLog` takes it, the log keeps 90 days and 1,000,000
        forecasts, and waits a second for a lock.
    monitors : mapping of str to DriftMonitor or None, default=None
        Fitted, by the names of models. They are updated with the new rows of requests and, if they were fitted to
        errors, with the mean absolute error of each forecast once the actual value of its last step is posted.
    allowed_hosts : sequence of str or None, default=None
        Host names that requests may use besides ``localhost``, such as that of a proxy. Another ``Host`` is answered
        with 421, an ``Origin`` that is neither the host nor one of these with 403. None: any name, but requests to a
        loopback address must name it, so that pages of other sites can't send requests through a browser.

    Returns
    -------
    fastapi.FastAPI
        With ``/predict``, ``/models``, ``/health``, ``/ready``, ``/metrics``, ``/openapi.json``, its examples at
        ``/docs`` and a page at ``/``; with a log ``/actuals`` and ``/compare``, with monitors ``/drift``.

    Raises
    ------
    ImportError
        Without the extra ``serve``.
    TypeError, ValueError, sklearn.exceptions.NotFittedError
        If a model can't be served, models of a split differ in what they read or forecast, or a monitor was fitted to
        another number of columns than its model.

    Examples
    --------
    >>> from lstmforecast import LSTMForecaster
    >>> model = LSTMForecaster(horizon=2, window_size=8, hidden_size=4, max_epochs=1, random_state=0)
    >>> app = create_app({"load": model.fit([float(i % 5) for i in range(100)])})
    >>> sorted(app.openapi()["paths"])
    ['/health', '/metrics', '/models', '/predict', '/ready']
    """
    if api_key is not None and not api_key.strip():
        raise ValueError("expected an api_key of at least one character, got an empty one")
    named = dict(models) if isinstance(models, Mapping) else {"model": models}
    if not named:
        raise ValueError("expected at least one model, got none")
    served = {str(name): ServedModel(str(name), model, n_threads) for name, model in named.items()}
    served_split = None if split is None else ServedSplit(served, split if isinstance(split, Split) else Split(split))
    _check_monitors(monitors or {}, served)
    recording = None
    if log is not None or monitors:
        opened = ForecastLog(log, **SERVED_LOG) if isinstance(log, str) else log
        recording = RecordingOptions(opened, monitors or {}, shadow, isinstance(log, str))
    return ForecastApp(served, api_key, limits or Limits(), served_split, recording, Hosts(allowed_hosts)).app


def _check_monitors(monitors: Mapping[str, DriftMonitor], models: Mapping[str, ServedModel]) -> None:
    for name, monitor in monitors.items():
        if name not in models:
            raise ValueError(f"expected monitors of {list(models)}, got one of {name!r}")
        check_is_fitted(monitor)
        if monitor.n_features_in_ != models[name].n_variables:
            raise ValueError(
                f"expected the monitor of {name!r} to be fitted to {models[name].n_variables} columns, as the model, "
                f"got {monitor.n_features_in_}"
            )
