"""Covariates in requests: the numbers of `predict`, to the last bit, and refusals of one sentence."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.serve.client import Client, posted, sentence
from tests.serve.conftest import SMALL, wave
from tests.serve.fuzz import malformed

from lstmforecast import Calendar, LSTMForecaster
from lstmforecast.serve import create_app

N = 160
DAYS = pd.date_range("2026-01-01", periods=N + 20, freq="D")
DICE = np.random.default_rng(1)
# As users have it: truth values, words, numbers.
TABLE = pd.DataFrame(
    {
        "day": DAYS,
        "sales": wave(N + 20),
        "promo": DICE.random(N + 20) < 0.3,
        "weekday": DAYS.day_name().str[:3].str.lower(),
        "price": DICE.uniform(1, 2, N + 20),
        "visitors": DICE.uniform(50, 60, N + 20),
    }
)
KNOWN = ["promo", "weekday", "price"]
SHOPS = pd.concat(
    [
        TABLE.assign(shop=shop, sales=TABLE["sales"] * size, region=region, area=10.0 * size)
        for shop, size, region in (("north", 1.0, "A"), ("south", 20.0, "B"), ("new", 3.0, "A"))
    ],
    ignore_index=True,
)


def fitted(table: pd.DataFrame, options: dict | None = None, **roles) -> LSTMForecaster:
    names = [name for each in roles.values() for name in ([each] if isinstance(each, str) else each)]
    rows = table["day"] <= DAYS[N - 1]
    model = LSTMForecaster(horizon=4, window_size=10, **(options or {}), **SMALL)
    return model.fit(table.loc[rows, names], **roles)


MODELS = {
    "known": ({}, {"known": KNOWN}),
    "past": ({}, {"past": ["visitors", "weekday"]}),
    "both": ({"calendar": Calendar("auto")}, {"known": "promo", "past": "visitors"}),
    "mask": ({"missing": "mask"}, {"known": KNOWN}),
    "quantile": ({"loss": "quantile"}, {"known": "price"}),
    "two targets": ({}, {"target": ["sales", "visitors"], "known": "price"}),
}


def body_of(table: pd.DataFrame, n_rows: int, roles: dict, **more) -> dict:
    """A window of the first rows of a table; its other rows are the steps ahead."""
    window = table[:n_rows]
    target = roles.get("target", "sales")
    found = {"values": [[None if np.isnan(x) else x for x in np.atleast_1d(row)] for row in window[target].to_numpy()]}
    if isinstance(target, str):
        found["values"] = [row[0] for row in found["values"]]
    found["times"] = window["day"].dt.strftime("%Y-%m-%d").tolist()
    for role, rows in (("known", table), ("past", window)):
        names = roles.get(role, [])
        if names:
            found[role] = {name: rows[name].tolist() for name in ([names] if isinstance(names, str) else names)}
    return {"windows": [found], **more}


def assert_same(answer: dict, forecast: pd.DataFrame, interval: pd.DataFrame | None = None) -> None:
    """Equal, not close: both are float64, and JSON keeps all digits."""
    n_keys = sum(name in ("day", "shop") for name in forecast)
    values = forecast.iloc[:, n_keys:].to_numpy()
    np.testing.assert_array_equal(np.reshape(answer["values"], values.shape), values)
    assert [time[:10] for time in answer["times"]] == forecast["day"].dt.strftime("%Y-%m-%d").tolist()
    if interval is not None:
        (found,) = answer["intervals"]
        bounds = np.stack([np.reshape(found[side], values.shape) for side in ("lower", "upper")], axis=-1)
        np.testing.assert_array_equal(bounds.reshape(len(values), -1), interval.iloc[:, n_keys:].to_numpy())


@pytest.fixture(scope="module")
def served() -> tuple[dict[str, LSTMForecaster], Client]:
    models = {}
    for name, (options, roles) in MODELS.items():
        models[name] = fitted(TABLE, options, **{"target": "sales", "time": "day"} | roles)
    return models, Client(create_app(models))


@pytest.mark.parametrize("name", MODELS)
def test_the_columns_of_a_table(served, name):
    models, client = served
    roles = {"target": "sales"} | MODELS[name][1]
    table = TABLE[N - 14 : N + 4].reset_index(drop=True)
    if name == "mask":
        table.loc[[8, 13], "sales"] = np.nan
    names = [each for role in roles.values() for each in ([role] if isinstance(role, str) else role)]
    known = None
    if "known" in roles:
        known = table.loc[14:, ["day", *([roles["known"]] if isinstance(roles["known"], str) else roles["known"])]]
    given = {"context": table.loc[:13, ["day", *names]], "known": known}
    response = client.predict(body_of(table, 14, roles, model=name, coverage=0.8))
    assert response.status_code == 200, response.text
    forecast, interval = models[name].predict(**given), models[name].predict_interval(0.8, **given)
    assert_same(response.json()["forecasts"][0], forecast, interval)


def test_null_is_a_gap_where_fit_had_some_and_other_categories_may_be_ignored():
    table = TABLE.astype({"promo": float, "weekday": object})
    table.loc[table.index[::7], ["promo", "weekday"]] = [np.nan, None]
    names = ["day", "sales", *KNOWN]
    model = LSTMForecaster(horizon=4, window_size=10, missing="mask", **SMALL)
    model.fit(table.loc[: N - 1, names], target="sales", time="day", known=KNOWN, unknown="ignore")
    client = Client(create_app({"gaps": model}))
    rows = table[N - 12 : N + 4].reset_index(drop=True)
    rows.loc[[3, 14], "weekday"] = "holiday"
    rows.loc[[10, 13], "promo"] = np.nan
    body = body_of(rows, 12, {"known": KNOWN})
    known = body["windows"][0]["known"]
    known["promo"] = [None if value != value else value for value in known["promo"]]
    assert None in known["weekday"]
    forecast = model.predict(context=rows.loc[:11, names], known=rows.loc[12:, ["day", *KNOWN]])
    assert_same(client.predict(body).json()["forecasts"][0], forecast)
    known["price"][2] = None
    assert sentence(client.predict(body)).endswith("true or false in windows[0].known.price, got null in row 2")
    promo, weekday, price = client.get("/models").json()["models"][0]["covariates"]["known"]
    assert [column["nullable"] for column in (promo, weekday, price)] == [True, True, False]
    assert weekday["unknown"] == "ignore"


@pytest.mark.parametrize("missing", ["ffill", "interpolate"])
def test_longer_windows_are_filled_from_all_their_rows(missing):
    names = {"target": "sales", "time": "day", "known": KNOWN, "past": "visitors"}
    model = fitted(TABLE, {"missing": missing}, **names)
    client = Client(create_app({"filled": model}))
    for n_rows in (10, 14):
        table = TABLE[N - n_rows : N + 4].reset_index(drop=True)
        response = client.predict(body_of(table, n_rows, {"known": KNOWN, "past": ["visitors"]}))
        assert response.status_code == 200, response.text
        given = table.loc[n_rows:, ["day", *KNOWN]]
        context = table.loc[: n_rows - 1, ["day", "sales", *KNOWN, "visitors"]]
        assert_same(response.json()["forecasts"][0], model.predict(context=context, known=given))


@pytest.mark.parametrize(("horizon", "n_ahead"), [(2, 4), (4, 4), (7, 8)])
def test_known_covariates_cover_whole_horizons_of_the_network(served, horizon, n_ahead):
    models, client = served
    table = TABLE[N - 14 : N + n_ahead].reset_index(drop=True)
    response = client.predict(body_of(table, 14, {"known": KNOWN}, model="known", horizon=horizon))
    assert response.status_code == 200, response.text
    known = table.loc[14:, ["day", *KNOWN]]
    context = table.loc[:13, ["day", "sales", *KNOWN]]
    assert_same(response.json()["forecasts"][0], models["known"].predict(horizon, context=context, known=known))
    short = client.predict(body_of(table[:-1], 14, {"known": KNOWN}, model="known", horizon=horizon))
    rows = f"14 rows of the window and {n_ahead} steps ahead"
    rows += "" if horizon == n_ahead else " (the network forecasts 4 at once)"
    expected = (
        f"expected windows[0].known.promo to be an array of {14 + n_ahead} values, for {rows}, got {13 + n_ahead}"
    )
    assert sentence(short) == expected


def test_times_may_be_left_out_without_a_calendar(served):
    _, client = served
    table = TABLE[N - 10 : N + 4].reset_index(drop=True)
    with_times = body_of(table, 10, {"known": KNOWN}, model="known")
    without = body_of(table, 10, {"known": KNOWN}, model="known")
    del without["windows"][0]["times"]
    found = [client.predict(body).json()["forecasts"][0] for body in (with_times, without)]
    assert found[0]["values"] == found[1]["values"]
    assert found[1]["times"] is None
    del with_times["windows"][0]["known"], with_times["model"]
    assert "with times" in sentence(client.predict(without | {"model": "both"}))


@pytest.fixture(scope="module")
def shops() -> tuple[LSTMForecaster, Client]:
    roles = {"target": "sales", "series": "shop", "time": "day", "known": "promo", "static": ["region", "area"]}
    model = fitted(SHOPS[SHOPS["shop"] != "new"], {"calendar": "auto"}, **roles)
    return model, Client(create_app(model))


def shop(name: str, n_rows: int, **window) -> tuple[pd.DataFrame, dict]:
    rows = SHOPS[SHOPS["shop"] == name][N - n_rows : N + 4]
    body = body_of(rows, n_rows, {"known": "promo"}, coverage=0.8)
    body["windows"][0] |= {"series": name, **window}
    return rows, body


@pytest.mark.parametrize(
    ("name", "n_rows", "static"),
    [
        ("south", 12, None),
        ("south", 12, {"area": 30, "region": "A"}),
        ("new", 20, {"region": "A", "area": 30.0}),
        ("new", 5, {"region": "B", "area": 7}),
    ],
)
def test_series_of_a_panel_with_static_features(shops, name, n_rows, static):
    model, client = shops
    rows, body = shop(name, n_rows, **({} if static is None else {"static": static}))
    response = client.predict(body)
    assert response.status_code == 200, response.text
    context = rows[:n_rows][["shop", "day", "sales", "promo"]]
    given = {"context": context, "known": rows[n_rows:][["shop", "day", "promo"]]}
    if static is not None:
        given["static"] = pd.DataFrame([static], index=[name])
    forecast, interval = model.predict(**given), model.predict_interval(0.8, **given)
    assert_same(response.json()["forecasts"][0], forecast, interval)


def test_requests_at_once_share_a_call_with_the_same_bits(shops):
    model, _ = shops
    app = create_app(model)
    bodies = [
        shop(name, 12 + i, **({"static": {"region": "A", "area": i}} if name == "new" else {}))[1]
        for i in range(4)
        for name in ("north", "south", "new")
    ]
    bodies.insert(3, shop("new", 12)[1])
    alone = [Client(app).predict(body).content for body in bodies]
    together = Client(app).together(*[("POST", "/predict", {"json": body}) for body in bodies])
    assert [each.content for each in together] == alone
    assert [each.status_code for each in together] == [422 if i == 3 else 200 for i in range(13)]
    counted = dict(line.rsplit(" ", 1) for line in Client(app).get("/metrics").text.splitlines() if line[0] != "#")
    assert float(counted["lstmforecast_batch_windows_count"]) <= 13 + 2


def test_data_without_names_of_roles():
    """A Series with frames beside it, and arrays, whose columns are called x0 and x1."""
    y = pd.Series(TABLE["sales"].to_numpy(), DAYS, name="sales")
    X = pd.DataFrame({"price": TABLE["price"].to_numpy(), "tax": TABLE["visitors"].to_numpy() / 10}, DAYS)
    past = pd.Series(TABLE["visitors"].to_numpy(), DAYS, name="visitors")
    options = {"horizon": 4, "window_size": 10, **SMALL}
    framed = LSTMForecaster(**options).fit(y[:N], X, X_past=past)
    arrays = LSTMForecaster(**options).fit(y[:N].to_numpy(), X[:N].to_numpy(), X_past=past[:N].to_numpy())
    client = Client(create_app({"framed": framed, "arrays": arrays}))
    rows = slice(N - 12, N)
    known, values = X[N - 12 : N + 4], y[rows].tolist()
    window = {
        "values": values,
        "times": [day.isoformat() for day in DAYS[rows]],
        "past": {"visitors": past[rows].tolist()},
    }
    window["known"] = {name: known[name].tolist() for name in reversed(list(known))}
    found = client.predict({"model": "framed", "windows": [window]})
    assert found.status_code == 200, found.text
    expected = framed.predict(context=y[rows], X=X, X_past=past)
    np.testing.assert_array_equal(found.json()["forecasts"][0]["values"], expected)

    window = {"values": values, "past": {"x0": past[rows].tolist()}}
    window["known"] = {"x0": known["price"].tolist(), "x1": known["tax"].tolist()}
    found = client.predict({"model": "arrays", "windows": [window]})
    assert found.status_code == 200, found.text
    expected = arrays.predict(context=y[rows].to_numpy(), X=known.to_numpy(), X_past=past[rows].to_numpy())
    np.testing.assert_array_equal(found.json()["forecasts"][0]["values"], expected)


def test_times_with_offsets_of_a_model_with_a_time_zone():
    hours = pd.date_range("2026-10-20", periods=150, freq="h", tz="Europe/Berlin")
    y = pd.Series(wave(150), hours, name="load")
    X = pd.DataFrame({"price": DICE.uniform(1, 2, 150)}, hours)
    model = LSTMForecaster(horizon=4, window_size=10, calendar="auto", **SMALL).fit(y[:120], X)
    # clocks are put back after the window
    rows = slice(112, 123)
    values = y[rows].tolist()
    known = X["price"][112:127].tolist()
    expected = model.predict(context=y[rows], X=X)
    for zone in ("UTC", "Europe/Berlin"):
        times = [time.isoformat() for time in hours[rows].tz_convert(zone)]
        window = {"values": values, "times": times, "known": {"price": known}}
        answer = Client(create_app(model)).predict({"windows": [window]})
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()["forecasts"]
        np.testing.assert_array_equal(found["values"], expected)
        assert found["times"] == [time.isoformat() for time in expected.index]


def test_categories_of_numbers_and_truth_values_are_sent_as_they_are():
    table = TABLE.assign(
        level=pd.Categorical(np.arange(len(TABLE)) % 3), is_open=pd.Categorical(np.arange(len(TABLE)) % 5 > 0)
    )
    model = fitted(table, target="sales", time="day", known=["level", "is_open"])
    client = Client(create_app(model))
    rows = table[N - 10 : N + 4].reset_index(drop=True)
    body = body_of(rows, 10, {"known": ["level", "is_open"]})
    expected = model.predict(
        context=rows.loc[:9, ["day", "sales", "level", "is_open"]], known=rows.loc[10:, ["day", "level", "is_open"]]
    )
    as_text = {name: [str(value) for value in column] for name, column in body["windows"][0]["known"].items()}
    for known in (body["windows"][0]["known"], as_text):
        body["windows"][0]["known"] = known
        assert_same(client.predict(body).json()["forecasts"][0], expected)
    body["windows"][0]["known"]["level"][2] = True
    assert sentence(client.predict(body)) == (
        "expected a category of fit ('0', '1', '2') in windows[0].known.level, got True in row 2"
    )


def test_a_saved_model_reads_the_same_requests(shops, tmp_path):
    model, client = shops
    model.save(tmp_path / "model.safetensors")
    again = Client(create_app(LSTMForecaster.load(tmp_path / "model.safetensors")))
    _, body = shop("new", 15, static={"region": "A", "area": 30})
    assert again.predict(body).content == client.predict(body).content
    assert again.get("/models").content == client.get("/models").content


def test_the_window_of_the_documentation_is_forecast():
    """Written there for a model of a horizon of 2."""
    text = (Path(__file__).parents[2] / "docs/how-to/serving.md").read_text(encoding="utf-8")
    (example,) = re.findall(r'^    (\{"series": "north".+?)\n\n', text, re.M | re.S)
    rows = SHOPS[SHOPS["day"] < DAYS[N]]
    model = LSTMForecaster(horizon=2, window_size=10, **SMALL)
    names = ["shop", "day", "sales", "promo", "visitors", "region"]
    model.fit(rows[names], target="sales", series="shop", time="day", known="promo", past="visitors", static="region")
    response = Client(create_app(model)).predict({"windows": [json.loads(example)]})
    assert response.status_code == 200, response.text
    (said,) = re.findall(r"`(expected windows\[0\]\.known[^`]+)`", text)
    window = json.loads(example)
    window["known"]["promo"].pop()
    assert sentence(Client(create_app(model)).predict({"windows": [window]})) == said


def known(**changed) -> dict:
    """Changes of the known columns of the first model; None takes one out."""
    body = body_of(TABLE[N - 10 : N + 4], 10, {"known": KNOWN}, model="known")
    columns = body["windows"][0]["known"] | changed
    body["windows"][0]["known"] = {name: each for name, each in columns.items() if each is not None}
    return body


def changed(column: str, row: int, value) -> dict:
    body = known()
    body["windows"][0]["known"][column][row] = value
    return body


def window(name: str, **fields) -> dict:
    roles = MODELS[name][1]
    body = body_of(TABLE[N - 10 : N + 4], 10, roles, model=name)
    body["windows"][0] |= fields
    return body


WRONG = {
    "no object": (window("known", known=[1]), "expected windows[0].known to be an object, got an array"),
    "no column": (
        known(price=None),
        "expected windows[0].known.price, an array of 14 values, for 10 rows of the window and 4 steps ahead, got none",
    ),
    "another column": (
        known(cost=[1.0] * 14),
        "expected windows[0].known with no fields but promo, weekday, price, got 'cost'",
    ),
    "no array": (known(price=1.5), "expected windows[0].known.price to be an array of 14 values, for 10 rows"),
    "too many": (known(price=[1.0] * 15), "and 4 steps ahead, got 15"),
    "unseen": (
        changed("weekday", 12, "holiday"),
        "('fri', 'mon', 'sat', 'sun', 'thu', 'tue', 'wed') in windows[0].known.weekday, got 'holiday' in row 12",
    ),
    "null word": (changed("weekday", 0, None), "in windows[0].known.weekday, got null in row 0"),
    "null": (
        changed("price", 13, None),
        "expected numbers between -1e+15 and 1e+15, true or false in windows[0].known.price, got null in row 13",
    ),
    "word": (changed("promo", 1, "yes"), "in windows[0].known.promo, got a string in row 1"),
    "list": (changed("promo", 1, [1]), "in windows[0].known.promo, got an array in row 1"),
    "too large": (changed("price", 1, 1e300), "in windows[0].known.price, got others"),
    "past of a model without": (
        window("known", past={"visitors": [1] * 10}),
        "expected windows[0] with no fields but values, times, series, known, got 'past'",
    ),
    "past beyond": (window("past") | {"horizon": 5}, "expected horizon to be at most 4, as past covariates aren't"),
    "past of the steps ahead": (
        window("past", past={"visitors": [1] * 14, "weekday": ["mon"] * 10}),
        "expected windows[0].past.visitors to be an array of 10 values, for the rows of the window, got 14",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_in_one_sentence(served, name):
    body, words = WRONG[name]
    said = sentence(served[1].predict(body))
    assert words in said
    assert "\n" not in said


def test_covariates_that_are_left_out_are_named(served):
    body = known()
    del body["windows"][0]["known"]
    assert sentence(served[1].predict(body)) == (
        "expected windows[0].known with promo, weekday, price, as at fit, got none"
    )


def test_a_missing_row_must_be_sent_for_its_covariates(served):
    table = TABLE[N - 12 : N + 4]
    body = body_of(table, 12, {"known": KNOWN}, model="mask")
    for each in (body["windows"][0]["values"], body["windows"][0]["times"]):
        del each[5]
    for column in body["windows"][0]["known"].values():
        del column[5]
    time = table["day"].iloc[5]
    assert sentence(served[1].predict(body)) == (
        "windows[0]: expected known with a row for each of the steps of the window (a missing one is a row with null "
        f"in values), got none for {time}; fill it: the column had no gap at fit, so the network can't read one"
    )


@pytest.mark.parametrize(
    ("static", "words"),
    [
        (None, "expected windows[0].static with region, area, as fit had no series 'new', got none"),
        ({"region": "A"}, "expected windows[0].static.area, as at fit, got none"),
        ({"region": "C", "area": 1}, "expected a category of fit ('A', 'B') in windows[0].static.region, got 'C'"),
        ({"region": "A", "area": "big"}, "true or false in windows[0].static.area, got a string"),
        ({"region": "A", "area": None}, "in windows[0].static.area, got null"),
        ({"region": "A", "area": 1, "x": 1}, "windows[0].static with no fields but region, area, got 'x'"),
        ("A", "expected windows[0].static to be an object, got a string"),
    ],
)
def test_static_features_of_a_new_series_are_checked(shops, static, words):
    _, body = shop("new", 12, **({} if static is None else {"static": static}))
    assert words in sentence(shops[1].predict(body))


def test_malformed_covariates_are_never_a_server_error(served, shops):
    good = [window("known"), window("past"), window("both"), shop("new", 12, static={"region": "A", "area": 3})[1]]
    _, shop_client = shops
    for client, bodies in ((served[1], good[:3]), (shop_client, good[3:])):
        sent = malformed([json.dumps(body).encode() for body in bodies], 200)
        answers = client.together(*[posted("/predict", body) for body in sent])
        assert {answer.status_code for answer in answers} <= {200, 422, 503}
        assert all(set(answer.json()) == {"detail"} for answer in answers if answer.status_code != 200)


def test_models_describe_their_covariates(served, shops):
    found = {model["name"]: model for model in served[1].get("/models").json()["models"]}
    (promo, weekday, price) = found["known"]["covariates"]["known"]
    number = {"kind": "number", "categories": None, "nullable": False, "unknown": "error"}
    assert promo == {"name": "promo", **number}
    assert weekday["categories"] == ["fri", "mon", "sat", "sun", "thu", "tue", "wed"]
    assert price["kind"] == "number"
    assert (found["known"]["known_steps"], found["past"]["known_steps"]) == (4, None)
    (model,) = shops[1].get("/models").json()["models"]
    assert [column["name"] for column in model["covariates"]["static"]] == ["region", "area"]
