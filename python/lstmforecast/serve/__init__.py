"""Forecasts over HTTP: `create_app` makes a FastAPI application from fitted forecasters.

Needs the extra ``serve``: ``pip install "lstmforecast[serve]"``. The command ``lstmforecast serve`` runs it.

May use all rooms except `command`. Start with `app`, then `server` for the paths. A request passes through `reading`,
`covariates`, `served_model` and `answering`.
"""

try:
    from lstmforecast.serve.app import create_app
except ModuleNotFoundError as error:
    if (error.name or "").startswith("lstmforecast"):
        raise
    raise ImportError(f'serving needs {error.name}: pip install "lstmforecast[serve]"') from error
from lstmforecast.serve.from_tables import request_windows
from lstmforecast.serve.limits import Limits

__all__ = ["Limits", "create_app", "request_windows"]
