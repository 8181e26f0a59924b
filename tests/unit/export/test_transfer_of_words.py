"""Vectors of categories are taken over with their words, or not at all."""

import numpy as np
import pandas as pd
import pytest

from lstmforecast import LSTM, LSTMForecaster, Pretrained

OLD = [f"k{i:02}" for i in range(15)]
# the categories shift by a row
NEW = [*OLD[1:], "q00"]
VECTORS = "embeddings.0.weight"
NAMES = {"target": "y", "time": "day"}


def table(words):
    n = 150
    return pd.DataFrame(
        {
            "day": pd.date_range("2026-01-01", periods=n),
            "y": np.sin(np.arange(n) / 3),
            "kind": np.array(words)[np.arange(n) % len(words)],
        }
    )


def shops(words):
    part = pd.DataFrame({"day": pd.date_range("2026-01-01", periods=60), "y": np.sin(np.arange(60) / 3)})
    return pd.concat([part.assign(shop=word, kind=word) for word in words])


def small(**parameters):
    return LSTMForecaster(2, window_size=8, hidden_size=4, max_epochs=1, n_threads=1).set_params(
        **{"random_state": 3} | parameters
    )


def vectors(model):
    return model.model_.parameters()[VECTORS]


@pytest.fixture(scope="module")
def source():
    return small(random_state=0).fit(table(OLD), past="kind", **NAMES)


@pytest.fixture(params=["estimator", "file", "loaded weights", "state dict"])
def given(request, source, tmp_path):
    if request.param == "file":
        source.save(tmp_path / "model")
        return str(tmp_path / "model")
    if request.param == "loaded weights":
        return LSTMForecaster().load_pretrained(source).pretrained
    return source if request.param == "estimator" else source.model_.parameters()


def test_vectors_of_the_same_words_are_taken(given, source):
    model = small(pretrained=Pretrained(given, freeze="*", strict=True)).fit(table(OLD), past="kind", **NAMES)
    np.testing.assert_array_equal(vectors(model), vectors(source))
    assert VECTORS in model.pretrained_["taken"]


def test_vectors_of_other_words_are_left(given, source):
    data = {"past": "kind", **NAMES}
    if isinstance(given, dict) and getattr(given, "words", None) is None:
        # without words, by position, as documented
        model = small(pretrained=Pretrained(given, freeze="*")).fit(table(NEW), **data)
        np.testing.assert_array_equal(vectors(model), vectors(source))
        return
    with pytest.warns(UserWarning, match=r"of other categories: embeddings\.0\.weight\. Sizes"):
        model = small(pretrained=Pretrained(given, freeze="lstm.*"), learning_rate=1e-12).fit(table(NEW), **data)
    assert model.pretrained_["left"] == [VECTORS]
    assert "lstm.weight_ih_l0" in model.frozen_
    fresh = small(learning_rate=1e-12).fit(table(NEW), **data)
    # a step of 1e-12 is lost in rounding
    np.testing.assert_allclose(vectors(model), vectors(fresh), atol=1e-7)
    with pytest.raises(ValueError, match=r"with strict=True; of other categories: embeddings\.0\.weight; with strict"):
        small(pretrained=Pretrained(given, strict=True)).fit(table(NEW), **data)


def test_static_words_are_words_too():
    names = {"series": "shop", "static": "kind", **NAMES}
    source = small().fit(shops(OLD), **names)
    with pytest.warns(UserWarning, match="of other categories"):
        model = small(pretrained=source).fit(shops(NEW), **names)
    assert model.pretrained_["left"] == [VECTORS]
    with pytest.raises(ValueError, match=r"the categories of column 'kind' as before \('k00', .*\), got \('k01', "):
        source.set_params(warm_start=True).fit(shops(NEW), **names)


@pytest.mark.parametrize("n", [15, 3])
@pytest.mark.parametrize("embed", [12, None])
def test_a_warm_start_has_the_words_of_before(n, embed):
    names = {"past": "kind", **NAMES}
    model = small(warm_start=True, architecture=LSTM(embed=embed)).fit(table(OLD[:n]), **names)
    before = model.model_.parameters()
    with pytest.raises(
        ValueError,
        match=r"^expected the categories of column 'kind' as before \('k00', .*\), got \('k01', .*\); with "
        r"warm_start=False a new network is trained$",
    ):
        model.fit(table(OLD[1 : n + 1] if n < 15 else NEW), **names)
    assert all((model.model_.parameters()[name] == values).all() for name, values in before.items())
    model.fit(table(OLD[:n]), **names)
    numbers = pd.get_dummies(table(OLD[:n])["kind"])
    wide = table(OLD[:n]).drop(columns="kind").join(numbers)
    with pytest.raises(ValueError, match=r"(columns of words|embeddings=).* as before, got \[\]; with warm_start"):
        model.fit(wide, past=list(numbers), **NAMES)
