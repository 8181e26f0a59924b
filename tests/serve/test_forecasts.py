"""/predict returns the numbers of `predict` and `predict_interval`, to the last bit, for each kind of model."""

import asyncio

import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client, sentence
from tests.serve.conftest import SMALL, wave

from lstmforecast import LSTMForecaster
from lstmforecast.serve import create_app


def window(container) -> dict:
    """A series as a window of a request."""
    values = container.to_numpy() if hasattr(container, "to_numpy") else container
    found = {"values": [[None if np.isnan(x) else x for x in np.atleast_1d(row)] for row in values.tolist()]}
    if values.ndim == 1:
        found["values"] = [row[0] for row in found["values"]]
    if hasattr(container, "index"):
        found["times"] = [str(time) for time in container.index.get_level_values(-1)]
    return found


def asked(client: Client, model: str, *windows: dict, **more) -> list[dict]:
    response = client.predict({"model": model, "windows": list(windows), **more})
    assert response.status_code == 200, response.text
    assert response.json()["model"] == model
    return response.json()["forecasts"]


def assert_same(found: dict, model: LSTMForecaster, context, horizon=None, coverage=(0.5, 0.9)) -> None:
    """Equal, not close: both are float64, and JSON keeps all digits."""
    forecast = model.predict(horizon, context=context)
    np.testing.assert_array_equal(found["values"], forecast)
    interval = model.predict_interval(list(coverage), horizon, context=context).to_numpy()
    bounds = interval.reshape(len(interval), -1, len(coverage), 2)
    for i, each in enumerate(found["intervals"]):
        assert each["coverage"] == coverage[i]
        for side, name in enumerate(("lower", "upper")):
            np.testing.assert_array_equal(np.reshape(each[name], bounds.shape[:2]), bounds[:, :, i, side])
    assert len(found["intervals"]) == len(coverage)


def test_a_series_with_times(client, hourly):
    y = pd.Series(wave(40), pd.date_range("2026-05-01", periods=40, freq="h"), name="load")
    (found,) = asked(client, "hourly", window(y), coverage=[0.5, 0.9])
    assert_same(found, hourly, y)
    assert found["times"] == [time.isoformat() for time in hourly.predict(context=y).index]


def test_a_coverage_that_few_errors_cannot_promise_goes_on_and_is_logged_once(client, hourly, caplog):
    y = pd.Series(wave(40), pd.date_range("2026-05-01", periods=40, freq="h"), name="load")
    for _ in range(2):
        (found,) = asked(client, "hourly", window(y), coverage=[0.5, 0.996])
    assert caplog.text.count("coverage=0.996 needs 499") == 1
    with pytest.warns(UserWarning, match=r"coverage=0\.996 needs 499"):
        assert_same(found, hourly, y, coverage=(0.5, 0.996))


def test_intervals_depend_on_the_hour_as_those_of_predict():
    times = pd.date_range("2026-01-01", periods=800, freq="h", name="time")
    noise = np.random.default_rng(0).normal(size=800) * np.where(times.hour == 3, 3, 0.1)
    y = pd.Series(np.sin(times.hour * np.pi / 12) + noise, times, name="load")
    models = {loss: LSTMForecaster(horizon=6, window_size=24, loss=loss, **SMALL).fit(y) for loss in (None, "quantile")}
    client = Client(create_app({str(loss): model for loss, model in models.items()}))
    contexts = [y[:end] for end in (60, 61, 63, 84)]
    for loss, model in models.items():
        assert model.fitted_.calibration.by_phase is not None
        untimed = {"values": y[:60].tolist()}
        *found, of_all = asked(client, str(loss), *map(window, contexts), untimed, coverage=[0.5, 0.9])
        for each, context in zip(found, contexts, strict=True):
            assert_same(each, model, context)
        # without times, intervals are those of all hours
        assert_same(of_all, model, y[:60].to_numpy())
        assert of_all["intervals"] != found[0]["intervals"]


def test_forecasts_are_not_below_zero_where_those_of_predict_are_not():
    fall = np.column_stack([np.arange(119.0, -1, -1), np.arange(59.0, -61, -1)])
    options = {"architecture": "linear", "window_size": 12, "n_threads": 1}
    table = pd.DataFrame(fall, pd.date_range("2026-01-01", periods=120, freq="h"), ["load", "change"])
    panel = pd.concat({name: table[name].rename("y") for name in table}, names=["unique_id", "ds"])
    models = {"one": table["load"], "both": table, "panel": panel}
    models = {name: LSTMForecaster(3, **options).fit(y) for name, y in models.items()}
    client = Client(create_app(models | {"strict": LSTMForecaster(3, non_negative=True, **options).fit(table["load"])}))
    for context in (table[-20:], table[-20:] - 30):
        (found,) = asked(client, "both", window(context), coverage=[0.5])
        assert_same(found, models["both"], context, coverage=(0.5,))
        (found,) = asked(client, "one", window(context["load"]), coverage=[0.5])
        assert_same(found, models["one"], context["load"], coverage=(0.5,))
        assert (np.array(found["values"]) == 0).all() == (context["load"] >= 0).all()
    contexts = {name: panel[panel.index.get_level_values(0) == name][-20:] for name in table}
    found = asked(client, "panel", *({**window(each), "series": name} for name, each in contexts.items()))
    assert np.ravel(found[0]["values"]).tolist() == [0, 0, 0]
    assert np.ravel(found[1]["values"]).tolist() == models["panel"].predict(context=contexts["change"]).tolist()
    request = {"model": "strict", "windows": [window(table["change"][-20:])]}
    assert "expected values from 0 on, as non_negative=True says, got -" in sentence(client.predict(request))


def test_without_times_the_answer_has_none(client, hourly):
    (found,) = asked(client, "hourly", window(wave(30)))
    np.testing.assert_array_equal(found["values"], hourly.predict(context=wave(30)))
    assert found["times"] is None
    assert found["intervals"] == []


def test_several_variables_and_windows(client, pair):
    tables = [np.column_stack([wave(n), wave(n) ** 2]) for n in (8, 20)]
    found = asked(client, "pair", *map(window, tables), coverage=[0.5, 0.9])
    for each, table in zip(found, tables, strict=True):
        assert_same(each, pair, table)


def test_a_longer_horizon_forecasts_from_forecasts(client, hourly):
    (found,) = asked(client, "hourly", window(wave(24)), horizon=15)
    np.testing.assert_array_equal(found["values"], hourly.predict(15, context=wave(24)))


def test_series_of_a_panel_known_and_new(client, panel):
    days = pd.date_range("2026-03-01", periods=20, freq="D")
    for name in ("b", "new"):
        y = pd.Series(50 * wave(20), pd.MultiIndex.from_product([[name], days], names=["store", "day"]), name="sales")
        (found,) = asked(client, "panel", window(y) | {"series": name}, coverage=[0.5, 0.8])
        assert_same(found, panel, y, coverage=(0.5, 0.8))
        assert found["times"][0] == "2026-03-21T00:00:00"


CONTAINERS = {
    "zone": (pd.date_range("2026-03-27", periods=120, freq="h", tz="Europe/Berlin"), {}),
    "business days": (pd.date_range("2026-01-01", periods=120, freq="B"), {}),
    "minutes": (pd.date_range("2026-01-01", periods=120, freq="15min"), {"transform": "log"}),
    "period": (pd.period_range("2020-01", periods=120, freq="M"), {}),
    "integers": (pd.RangeIndex(5, 365, 3), {}),
    "calendar": (pd.date_range("2026-01-01", periods=120, freq="h"), {"calendar": "auto"}),
    "gaps": (pd.date_range("2026-01-01", periods=120, freq="D"), {"missing": "interpolate"}),
    "mask": (pd.date_range("2026-01-01", periods=120, freq="D"), {"missing": "mask"}),
    "quantile": (pd.date_range("2026-01-01", periods=120, freq="D"), {"loss": "quantile"}),
    "ensemble": (pd.date_range("2026-01-01", periods=120, freq="D"), {"n_estimators": 2}),
    "libtorch": (pd.date_range("2026-01-01", periods=120, freq="D"), {"architecture": "transformer"}),
    "counts": (pd.date_range("2026-01-01", periods=120, freq="D"), {"loss": "negative_binomial"}),
    "counts with zeros": (
        pd.date_range("2026-01-01", periods=120, freq="D"),
        {"loss": "zero_inflated_negative_binomial"},
    ),
    "amounts": (pd.date_range("2026-01-01", periods=120, freq="D"), {"loss": "tweedie"}),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.torch) if name == "libtorch" else name for name in CONTAINERS]
)
def test_every_index_and_option(name):
    index, options = CONTAINERS[name]
    y = pd.Series(wave(120).round() if "counts" in name else wave(120), index, name="y")
    model = LSTMForecaster(horizon=3, window_size=12, **options, **SMALL).fit(y)
    context = y[-30:].copy()
    if name in ("gaps", "mask"):
        context.iloc[[5, 20]] = np.nan
        context = context.drop(context.index[25])
    given = window(context)
    given["times"] = [int(time) for time in context.index] if name == "integers" else given["times"]
    (found,) = asked(Client(create_app(model)), "model", given, coverage=[0.5])
    assert_same(found, model, context, coverage=(0.5,))
    expected = model.predict(context=context).index
    written = [time.isoformat() if hasattr(time, "isoformat") else time for time in expected]
    assert found["times"] == ([str(time) for time in expected] if name == "period" else written)


def test_requests_at_once_share_a_call_with_the_same_bits(hourly, pair):
    app = create_app({"hourly": hourly, "pair": pair})
    bodies = [{"model": "hourly", "windows": [window(wave(24 + i))], "horizon": 6 + i % 2} for i in range(20)]
    bodies.insert(7, {"model": "pair", "windows": [{"values": [[1, 2]] * 8}]})
    bodies.insert(3, {"model": "hourly", "windows": [{"values": [1.0] * 24, "times": ["2026-01-01T00:00"] * 24}]})
    alone = [Client(app).predict(body) for body in bodies]
    together = Client(app).together(*[("POST", "/predict", {"json": body}) for body in bodies])
    assert [each.content for each in together] == [each.content for each in alone]
    assert [each.status_code for each in together] == [422 if i == 3 else 200 for i in range(22)]
    # of the windows that waited together there are fewer turns than requests
    counted = dict(line.rsplit(" ", 1) for line in Client(app).get("/metrics").text.splitlines() if line[0] != "#")
    assert float(counted["lstmforecast_batch_windows_count"]) <= 22 + 2
    assert float(counted['lstmforecast_windows_total{model="hourly"}']) == 40


def test_a_model_that_cant_be_served_is_refused(hourly):
    index = pd.RangeIndex(240)
    alike = pd.DataFrame({1: wave(), "1": wave()[::-1]}, index)
    with pytest.raises(ValueError, match="known columns whose names differ as text"):
        create_app({"m": LSTMForecaster(window_size=8, **SMALL).fit(pd.Series(wave(), index), X=alike)})
    with pytest.raises(TypeError, match="LSTMForecaster for the model 'm', got int"):
        create_app({"m": 1})
    with pytest.raises(ValueError, match="at least one model"):
        create_app({})
    with pytest.raises(ValueError, match="api_key"):
        create_app(hourly, api_key=" ")


def test_infinite_forecasts_are_refused():
    """Values that are infinite in single precision once they are divided by 1e-30."""
    model = LSTMForecaster(horizon=2, window_size=4, **SMALL).fit(1e-30 * wave())
    assert "infinity" in sentence(Client(create_app(model)).predict({"windows": [{"values": [1e15, 1, 1e15, -1e15]}]}))


def test_the_application_warms_up_before_it_is_ready(hourly):
    app = create_app(hourly)
    client = Client(app)
    refused = client.get("/ready")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert client.get("/health").json() == {"status": "ok"}

    async def started() -> int:
        async with app.router.lifespan_context(app):
            return (await client.gather((("GET", "/ready", {}),)))[0].status_code

    assert asyncio.run(started()) == 200
