"""sktime's own suite, with nothing excluded."""

import pytest
from sktime.utils.estimator_checks import check_estimator

from lstmforecast.sktime import LSTMForecaster

pytestmark = [
    # sktime 1.2 concatenates the forecasts of update_predict in a way that pandas 3 will change
    pytest.mark.filterwarnings("ignore:Sorting by default when concatenating"),
    # the suite asks for distributions whether or not their package is there
    pytest.mark.filterwarnings("ignore:Forecasters' predict_proba requires skpro"),
    # its series are short for the levels that it asks for
    pytest.mark.filterwarnings("ignore:.* held out, and .* needs"),
]


def test_the_suite_for_forecasters_passes() -> None:
    results = check_estimator(LSTMForecaster, raise_exceptions=True, verbose=False)
    assert len(results) > 800  # 890 in sktime 1.2: that it has found forecaster, panels and hierarchies
    assert set(results.values()) == {"PASSED"}


def test_it_passes_with_a_fixed_horizon() -> None:
    small = LSTMForecaster.get_test_params()[0]
    # the tests whose data hold a window and the errors of five steps
    tests = [
        "test_fh_attribute",
        "test_fh_not_passed_error_handling",
        "test_predict_interval",
        "test_predict_quantiles",
        "test_update_predict_single",
        "test_cutoff",
        "test_score",
        "test_deepcopy_fitted",
    ]
    results = check_estimator(
        LSTMForecaster(**small, horizon=5), raise_exceptions=True, verbose=False, tests_to_run=tests
    )
    assert len({name.split("[")[0] for name in results}) == len(tests)
    assert set(results.values()) == {"PASSED"}
