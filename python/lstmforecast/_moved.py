"""New names of the modules of version 0.1, so that pickles and imports with the old names still work."""

import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

MOVED = {
    "ab_database": "monitoring.ab_database",
    "ab_losses": "monitoring.ab_losses",
    "ab_store": "monitoring.ab_store",
    "anomaly": "monitoring.anomaly",
    "architecture": "fitting.architecture",
    "aside": "contract.aside",
    "backtest_result": "evaluation.backtest_result",
    "backtesting": "evaluation.backtesting",
    "bars": "data.bars",
    "bootstrap": "evaluation.bootstrap",
    "calibration": "uncertainty.calibration",
    "change": "monitoring.change",
    "checkpoint": "fitting.checkpoint",
    "classifier": "estimators.classifier",
    "cli_options": "command.options",
    "clock": "monitoring.row_times",
    "comparison": "evaluation.comparison",
    "container": "data.observations",
    "covariates": "data.covariates",
    "csvfile": "data.table_files",
    "diebold_mariano": "evaluation.diebold_mariano",
    "distribution": "fitting.distribution",
    "drift": "monitoring.drift",
    "drift_errors": "monitoring.drift_errors",
    "drift_inputs": "monitoring.drift_inputs",
    "ensemble": "fitting.ensemble",
    "estimator": "estimators.estimator",
    "events": "monitoring.events",
    "file_checks": "export.file_checks",
    "finite": "fitting.finite",
    "fit_tasks": "contract.fit_tasks",
    "fitted_forecaster": "estimators.forecaster",
    "forecaster": "estimators.forecaster",
    "form": "data.container",
    "frames": "data.frames",
    "frequency": "data.frequency",
    "html_repr": "contract.html_repr",
    "index": "data.index",
    "intervals": "uncertainty.intervals",
    "irregular": "data.resampling_advice",
    "labels": "estimators.labels",
    "losses": "evaluation.losses",
    "onnx_export": "export.onnx_export",
    "onnx_forecast": "export.onnx_forecast",
    "onnx_graph": "export.onnx_graph",
    "onnx_networks": "export.onnx_networks",
    "packing": "data.saved_labels",
    "panel": "data.panel",
    "panel_index": "data.panel_index",
    "parameters": "fitting.parameters",
    "period_days": "data.period_days",
    "persistence": "export.saving",
    "plain": "contract.plain",
    "probabilistic": "evaluation.probabilistic",
    "progress": "contract.progress",
    "pytorch": "export.pytorch",
    "pytorch_networks": "export.pytorch_networks",
    "pytorch_text": "export.pytorch_text",
    "quantization": "export.quantization",
    "quantization_cost": "evaluation.quantization_cost",
    "regressor": "estimators.regressor",
    "rolling": "evaluation.rolling",
    "rules": "contract.rules",
    "samples": "uncertainty.samples",
    "scalers": "data.scalers",
    "scoring": "evaluation.scoring",
    "search_space": "tuning.search_space",
    "season": "data.season",
    "seeds": "contract.seeds",
    "seen": "data.dataset",
    "sequential": "evaluation.sequential",
    "series_estimator": "estimators.forecaster",
    "serve_command": "command.serve",
    "sizing": "fitting.sizing",
    "static": "data.static",
    "study": "tuning.study",
    "tabular": "estimators.tabular",
    "temperature": "estimators.temperature",
    "text": "estimators.text",
    "time_column": "data.time_parsing",
    "trial": "tuning.trial",
    "tuning_result": "tuning.tuning_result",
    "units": "data.error_scale",
    "wallclock": "data.local_time",
    "watcher": "monitoring.online_detector",
    "windowing": "data.windowing",
}
# New names of classes of version 0.1 in pickles, by old module and old name.
RENAMED = {
    "clock": {"Clock": "RowTimes", "Report": "Irregularities"},
    "trial": {"WithinUnits": "SameUnitsPruner"},
}


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a module of version 0.1 as an alias of the new one."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, name = fullname.partition(".")
        if package != __package__ or name not in MOVED:
            return None
        return importlib.machinery.ModuleSpec(fullname, self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        module = ModuleType(spec.name, f"Moved to `{__package__}.{MOVED[spec.name.partition('.')[2]]}`.")
        renamed = RENAMED.get(spec.name.partition(".")[2], {})
        module.__getattr__ = lambda name: getattr(  # type: ignore[method-assign]
            _module_of(spec.name), renamed.get(name, name)
        )
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: attributes are looked up in the new module."""


def _module_of(name: str) -> ModuleType:
    return importlib.import_module(f"{__package__}.{MOVED[name.partition('.')[2]]}")


# once for a process: modules are executed once
sys.meta_path.append(_Finder())
