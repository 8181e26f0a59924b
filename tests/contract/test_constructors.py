"""Constructors have few parameters, and docstrings list each of them, in order, with its default."""

import ast
import inspect
import re

import pytest

import lstmforecast
from lstmforecast import CharLSTM, LSTMClassifier, LSTMForecaster, LSTMRegressor
from lstmforecast.contract.parameter_group import ParameterGroup, groups_of, names_of
from lstmforecast.estimators.parameter_docs import SHARED

ESTIMATORS = [LSTMForecaster, LSTMRegressor, LSTMClassifier, CharLSTM]
OBJECTS = [*{kind: None for each in ESTIMATORS for group in groups_of(each).values() for kind in group.kinds}]


def listed(kind: type) -> dict[str, str]:
    """Each parameter that a docstring lists, with what stands after its name."""
    section = re.search(
        r"^Parameters\n-+\n(.*?)(?=^\w+\n-+\n|\Z)", inspect.getdoc(kind) or "", re.DOTALL | re.MULTILINE
    )
    assert section is not None
    entries = re.findall(r"^(\w.*?)(?: : (.*))?$", section[1], re.MULTILINE)
    return {name: words for names, words in entries for name in names.split(", ")}


@pytest.mark.parametrize(("kind", "most"), [(LSTMForecaster, 34), (LSTMRegressor, 24), (LSTMClassifier, 24)])
def test_constructors_have_few_parameters(kind, most):
    assert len(inspect.signature(kind).parameters) <= most


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_docstring_lists_every_parameter_in_order_with_its_default(kind):
    parameters = inspect.signature(kind).parameters
    found = listed(kind)
    assert list(found) == list(parameters)
    for name, words in found.items():
        default = re.search(r"default=(.+)$", words)
        assert default is not None, name
        assert ast.literal_eval(default[1]) == parameters[name].default, name


@pytest.mark.parametrize("kind", OBJECTS)
def test_the_docstring_of_an_object_lists_its_parameters(kind):
    parameters = inspect.signature(kind).parameters
    found = listed(kind)
    assert sorted(found) == sorted(parameters)
    assert parameters.keys() == names_of(kind).keys()
    positional = [each.name for each in parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    assert list(found)[: len(positional)] == positional
    # others are explained by another object
    own = {name: words for name, words in found.items() if words}
    for name, words in own.items():
        default = re.search(r"default=(.+)$", words)
        assert default is not None, name
        assert ast.literal_eval(default[1]) == parameters[name].default, name


def test_no_docstring_has_a_place_that_was_not_filled():
    assert set(SHARED) <= {name for kind in ESTIMATORS for name in inspect.signature(kind).parameters}
    for name in lstmforecast.__all__:
        value = getattr(lstmforecast, name)
        documents = [value.__doc__, *(member.__doc__ for _, member in inspect.getmembers(value, callable))]
        for document in documents:
            assert not re.search(r"^\s*\{\w+\}\s*$", document or "", re.MULTILINE), name


@pytest.mark.parametrize("kind", [LSTMForecaster, LSTMRegressor, LSTMClassifier])
def test_what_is_shared_reads_the_same_everywhere(kind):
    document = inspect.getdoc(kind) or ""
    for name in SHARED.keys() & inspect.signature(kind).parameters.keys():
        _, _, text = SHARED[name].partition("\n")
        assert " ".join(text.split()) in " ".join(document.split()), name


def test_objects_are_public():
    public = {getattr(lstmforecast, name) for name in lstmforecast.__all__}
    assert public >= {*OBJECTS}
    assert all(issubclass(kind, ParameterGroup) for kind in OBJECTS)
