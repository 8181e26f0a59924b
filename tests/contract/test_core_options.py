"""The dictionaries of options, configurations and results have the keys that the compiled core takes and gives."""

import re
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

import numpy as np
import pytest

from lstmforecast import _core
from lstmforecast.contract import core_options

MODEL: core_options.ModelConfig = {
    "architecture": "lstm",
    "hidden_size": 4,
    "num_layers": 1,
    "bidirectional": False,
    "dropout": 0.0,
    "window_size": 6,
    "horizon": 2,
    "n_features": 1,
    "n_targets": 1,
    "backend": "auto",
    "device": "cpu",
    "seed": 0,
}
SHARED = {
    "loss": "mse",
    "optimizer": "adam",
    "learning_rate": 0.01,
    "weight_decay": 0.0,
    "batch_size": 8,
    "max_epochs": 2,
    "min_delta": 0.0,
    "lr_factor": 0.5,
    "shuffle": True,
    "seed": 0,
    "validation_fraction": 0.2,
}
TRAINING = SHARED | {"gap": 0, "stride": 1}
TEXT_TRAINING = SHARED | {"loss": "cross_entropy", "sequence_length": 8}
TEXT_MODEL: core_options.TextModelConfig = {
    "characters": "ab",
    "counts": [40, 40],
    "embedding_size": 2,
    "hidden_size": 4,
    "num_layers": 1,
    "dropout": 0.0,
    "seed": 0,
}
ROWS = np.sin(np.arange(60.0))[:, np.newaxis]
WINDOWS = np.zeros((2, 6, 1))
THRESHOLDS: dict[str, dict[str, Any]] = {
    "dynamic": {"window": 20, "every": 5, "pruning": 0.1},
    "quantile": {"window": 20, "level": 0.9, "factor": 1.0},
    "ewma": {"span": 10.0, "n_sigmas": 3.0},
    "pot": {"risk": 0.01, "level": 0.9, "n_peaks": 10},
}
KINDS = {
    "dynamic": core_options.DynamicOptions,
    "quantile": core_options.QuantileOptions,
    "ewma": core_options.EwmaOptions,
    "pot": core_options.PotOptions,
}
AUGMENTATIONS = [
    (core_options.NoiseOptions, {"method": "jitter", "probability": 1.0, "sigma": 0.1}),
    (core_options.NoiseOptions, {"method": "scale", "probability": 1.0, "sigma": 0.1}),
    (core_options.WarpOptions, {"method": "magnitude_warp", "probability": 1.0, "knots": 2, "sigma": 0.1}),
    (core_options.WarpOptions, {"method": "time_warp", "probability": 1.0, "knots": 2, "sigma": 0.1}),
    (core_options.SliceOptions, {"method": "window_slice", "probability": 1.0, "size": 0.9}),
]


def train(options: dict[str, Any]) -> core_options.Outcome:
    return _core.Model(MODEL).fit_series(ROWS, options)


def train_text(options: dict[str, Any]) -> core_options.Outcome:
    return _core.CharModel(TEXT_MODEL).fit(["ab" * 40], options)


def generate(options: dict[str, Any]) -> str:
    return _core.CharModel(TEXT_MODEL).generator("a", options).take(2)


def write_checkpoints(options: dict[str, Any]) -> core_options.Outcome:
    with TemporaryDirectory() as folder:
        in_folder = options | ({"folder": folder} if options.get("folder") == "" else {})
        return train(TRAINING | {"checkpoint": in_folder})


def watch(options: dict[str, Any]) -> Any:
    return _core.Monitor.fit(_core.Model(MODEL), ROWS, options, 40)


def follow(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda options: _core.follow_scores({name: options}, np.ones(30), np.ones(3))


def augment(options: dict[str, Any]) -> Any:
    return _core.augment_windows(WINDOWS, None, [options], 0)


def transferred(options: dict[str, Any]) -> core_options.Outcome:
    return train(TRAINING | {"transfer": options})


class Wrong:
    """A value of no type that the core knows; it isn't true or false either."""

    def __bool__(self) -> bool:
        raise TypeError("neither")


# What takes options, the kind that describes them, and the least that is needed.
TAKERS: dict[str, tuple[Callable[[dict[str, Any]], Any], Any, dict[str, Any]]] = {
    "model": (_core.Model, core_options.ModelConfig, dict(MODEL)),
    "text model": (_core.CharModel, core_options.TextModelConfig, dict(TEXT_MODEL)),
    "training": (train, core_options.TrainingOptions, TRAINING),
    "text training": (train_text, core_options.TextTrainingOptions, TEXT_TRAINING),
    "sampling": (generate, core_options.SamplingOptions, {"temperature": 1.0, "seed": 0, "unknown": "error"}),
    "checkpoint": (write_checkpoints, core_options.CheckpointOptions, {"folder": "", "keep": 1, "resume": False}),
    "transfer": (transferred, core_options.TransferOptions, {}),
    "monitor": (watch, core_options.MonitorOptions, {"smoothing": 5.0, "threshold": {"ewma": THRESHOLDS["ewma"]}}),
    **{f"{name} threshold": (follow(name), KINDS[name], THRESHOLDS[name]) for name in THRESHOLDS},
    **{f"{options['method']}": (augment, kind, options) for kind, options in AUGMENTATIONS},
}
# Structures of the core whose fields are the keys of a kind, with those that Python doesn't set.
FIELDS = {
    core_options.ModelConfig: ["ModelConfig"],
    core_options.TrainingOptions: ["DataConfig", "TrainConfig"],
    core_options.TextTrainingOptions: ["CutConfig", "TrainConfig"],
    core_options.TextModelConfig: ["CharConfig", "CharNetworkConfig"],
    core_options.SamplingOptions: ["SamplingConfig", "Request"],
    core_options.CheckpointOptions: ["CheckpointConfig"],
    core_options.TransferOptions: ["Transfer"],
    core_options.MonitorOptions: ["MonitorConfig"],
    core_options.DynamicOptions: ["DynamicConfig"],
    core_options.QuantileOptions: ["QuantileConfig"],
    core_options.EwmaOptions: ["EwmaConfig"],
    core_options.PotOptions: ["PotConfig"],
}
SOURCE = "".join(path.read_text() for path in sorted((Path(__file__).parents[2] / "src").rglob("*.rs")))


def keys_of(kind: Any, *, required: bool | None = None) -> list[str]:
    keys = {True: kind.__required_keys__, False: kind.__optional_keys__, None: kind.__annotations__}[required]
    return sorted(keys)


def each_key(*, required: bool | None = None) -> list[Any]:
    """Pairs of what takes options and one key of them."""
    each = ((name, key) for name, (_, kind, _) in TAKERS.items() for key in keys_of(kind, required=required))
    return [pytest.param(name, key, id=f"{name}: {key}") for name, key in each]


def fields_of(structure: str) -> set[str]:
    """The fields of a structure of the core that are read from a dictionary."""
    found = re.search(rf"struct {structure} \{{(.*?)\n\}}", SOURCE, re.DOTALL)
    assert found is not None, structure
    # what is skipped or flattened is no key
    body = re.sub(r"#\[serde\((?:skip|flatten)\)\]\s*(?:pub )?\w+:", "", found[1])
    return set(re.findall(r"^ {4}(?:pub(?:\(super\))? )?(\w+):", body, re.MULTILINE))


@pytest.mark.parametrize("name", TAKERS)
def test_options_are_taken_without_optional_keys(name: str) -> None:
    take, kind, least = TAKERS[name]
    assert sorted(least) == keys_of(kind, required=True)
    take(least)


@pytest.mark.parametrize(("name", "key"), each_key())
def test_every_key_is_read(name: str, key: str) -> None:
    take, _, least = TAKERS[name]
    with pytest.raises((TypeError, ValueError)):
        take(least | {key: Wrong()})


@pytest.mark.parametrize(("name", "key"), each_key(required=True))
def test_a_required_key_is_required(name: str, key: str) -> None:
    take, _, least = TAKERS[name]
    with pytest.raises((TypeError, ValueError), match=f"missing field `{key}`"):
        take({other: value for other, value in least.items() if other != key})


@pytest.mark.parametrize("kind", FIELDS, ids=lambda kind: kind.__name__)
def test_the_core_knows_no_other_key(kind: Any) -> None:
    assert set().union(*map(fields_of, FIELDS[kind])) == set(kind.__annotations__)


@pytest.mark.parametrize("name", ["model", "monitor", *(f"{name} threshold" for name in THRESHOLDS)])
def test_unknown_keys_are_refused(name: str) -> None:
    take, _, least = TAKERS[name]
    with pytest.raises((TypeError, ValueError), match="unknown field `hidden`"):
        take(least | {"hidden": 1})


def test_configurations_round_trip() -> None:
    config = _core.Model(MODEL).config
    # left out where there are none
    absent = {"embeddings": [], "interpolate_gaps": False, "known_effect": False}
    assert sorted(config | absent) == keys_of(core_options.ModelConfig)
    assert _core.Model(config).config == config
    assert config | MODEL == config
    text = _core.CharModel(TEXT_MODEL).config
    assert text == TEXT_MODEL == _core.CharModel(text).config


@pytest.mark.parametrize(
    ("fit", "options"),
    [(_core.Model(MODEL).fit_series, TRAINING), (_core.CharModel(TEXT_MODEL).fit, TEXT_TRAINING)],
    ids=["series", "text"],
)
def test_results_have_the_keys_that_are_told(fit: Callable[..., core_options.Outcome], options: dict[str, Any]) -> None:
    records: list[core_options.EpochRecord] = []
    outcome = fit(ROWS if options is TRAINING else ["ab" * 40], options, records.append)
    assert sorted(outcome) == keys_of(core_options.Outcome)
    assert sorted(outcome["history"]) == keys_of(core_options.History)
    assert [sorted(record) for record in records] == [keys_of(core_options.EpochRecord, required=True)] * 2
    assert outcome["stop_reason"] in get_args(core_options.StopReason)
