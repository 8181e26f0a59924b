"""One training of an estimator's network, from the options to the fitted attributes."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from lstmforecast import _core, transfer
from lstmforecast.contract import core_options
from lstmforecast.contract.aside import aside
from lstmforecast.contract.core_options import CheckpointOptions, EpochRecord, StopReason, TrainingOptions
from lstmforecast.contract.fit_tasks import FitTasks
from lstmforecast.contract.parameter_group import flat_parameters
from lstmforecast.contract.progress import ProgressBar
from lstmforecast.distributed import Processes, join, threads_of_process
from lstmforecast.fitting.embedding import Words
from lstmforecast.fitting.ensemble import Ensemble

# The core's `Outcome`, with the names of pretrained and frozen weights.
Outcome = dict[str, Any]
# Called by the core after each epoch. True ends the training; a list names parameters to train from now on.
OnEpoch = Callable[[EpochRecord], bool | list[str]]
# Reasons for the end of a training after which the estimator keeps the best weights so far.
KEPT = ("interrupted", "process_lost")


class TrainingRun:
    """One training: `run` calls `_train`, which calls the core, which calls `_on_epoch` after each epoch.

    Parameters
    ----------
    estimator : LSTMForecaster, LSTMRegressor or LSTMClassifier
        Has the parameters of the training, and keeps the result.
    model : Model or Ensemble
        The network, which is trained in place.
    core_fit : callable
        The method of the network that trains it.
    data : mapping
        The arrays with which it is called, by the names of its parameters.
    options : mapping
        The core's training options.
    learn : callable
        Called with a copy of the estimator, a trained network and the outcome; sets the fitted attributes.
    tasks : FitTasks or None, default=None
        Reports the training to scikit-learn's callbacks.
    words : dict or None, default=None
        The categories of the network's vectors, by the names of their weights.
    """

    def __init__(
        self,
        estimator: Any,
        model: _core.Model | Ensemble,
        core_fit: Callable[..., core_options.Outcome],
        data: Mapping[str, Any],
        options: TrainingOptions,
        learn: Callable[[Any, _core.Model | Ensemble, Outcome], None],
        tasks: FitTasks | None = None,
        words: Words | None = None,
    ) -> None:
        self.estimator, self.model, self.core_fit, self.data = estimator, model, core_fit, data
        self.options, self.learn, self.tasks, self.words = options.copy(), learn, tasks, words
        self.callbacks = list(estimator.callbacks or ())
        self.parameters = flat_parameters(estimator)
        self.warm = bool(estimator.warm_start and hasattr(estimator, "model_"))
        self.processes: Processes | None = None

    def run(self) -> None:
        """Train, in this process or in several, and set the fitted attributes of the estimator.

        An error that ended the training is raised at the end; after Ctrl-C or the loss of another process the best
        weights so far are kept, after other errors the estimator is unchanged.
        """
        outcome = self._train_together() if self.parameters["distributed"] else self._train()
        if outcome["error"] is None or outcome["stop_reason"] in KEPT:
            with aside(self.estimator) as fitted:
                self.learn(fitted, self.model, outcome)
        if outcome["error"] is not None:
            raise outcome["error"]
        if self.tasks is not None:
            self.tasks.end()

    def _train_together(self) -> Outcome:
        """Train in several processes with one seed; only the first process has callbacks."""
        tasks = self.tasks
        with join(self.parameters["device"], float(self.parameters["distributed_timeout"])) as self.processes:
            self.options["seed"] = self.processes.of_first(self.options["seed"])
            self.options["n_threads"] = threads_of_process(self.options["n_threads"])
            if self.processes.rank:
                self.callbacks, self.tasks = [], None
            outcome = self.processes.share_end(self._train())
        self.tasks = tasks
        return outcome

    def _train(self) -> Outcome:
        """Train from the pretrained weights, if there are any, with progress bar and callbacks."""
        estimator = self.estimator
        self.plan = transfer.prepare(
            self.model,
            pretrained=None if self.warm else self.parameters["pretrained"],
            freeze=self.parameters["freeze"],
            learning_rates=self.parameters["learning_rates"],
            strict=self.parameters["strict"],
            words=self.words,
        )
        self.options["transfer"] = self.plan.options
        asked = self.tasks is not None and self.tasks.asks_for_estimators
        self.pauses = asked and isinstance(self.model, _core.Model) and self.processes is None
        is_first = self.processes is None or self.processes.rank == 0
        n_epochs = estimator.max_epochs * getattr(estimator, "n_estimators", 1)
        with ProgressBar(n_epochs, shown=estimator.verbose > 0 and is_first) as self.bar:
            outcome = self._train_with_pauses() if self.pauses else self._call_core(self.options, self._listener)
        return self._complete(outcome)

    def _call_core(self, options: TrainingOptions, on_epoch: OnEpoch | None) -> core_options.Outcome:
        return self.core_fit(**self.data, training=options, on_epoch=on_epoch, processes=self.processes)

    def _on_epoch(self, record: EpochRecord) -> bool | list[str]:
        """Show an epoch to progress bar and callbacks, and give their answer."""
        self.bar.update(record)
        answer = self.plan.answer(callback(dict(record)) for callback in self.callbacks)
        if self.tasks is None or (self.pauses and not isinstance(answer, list)):
            return answer
        return self.tasks.epoch() or answer

    @property
    def _listener(self) -> OnEpoch | None:
        """`_on_epoch`, or None if it would have no effect: an ensemble may then train in other processes."""
        needed = self.callbacks or self.estimator.verbose or (self.tasks is not None and self.tasks.has_callbacks)
        return self._on_epoch if needed else None

    def _train_with_pauses(self) -> core_options.Outcome:
        """Train, and pause after each epoch to give callbacks the estimator as if its fit ended there.

        The training ends at each pause and continues from a checkpoint, with the same bits as without pauses. There is
        no pause after epochs in which callbacks unfreeze parameters.
        """
        weights, scalers = self.model.parameters(), self.model.scalers()
        with TemporaryDirectory() as folder:
            own: CheckpointOptions = self.options["checkpoint"] or {"folder": folder, "keep": 1, "resume": True}
            checkpoint: CheckpointOptions = {**own, "every_n_epochs": 1, "every_n_minutes": None}
            while True:
                outcome = self._call_core({**self.options, "checkpoint": checkpoint}, self._end_at_epoch)
                if outcome["stop_reason"] != "callback" or outcome["error"] is not None:
                    return outcome
                try:
                    ends = self._show(outcome) or self._answer is True
                except BaseException as error:
                    # the same as for an error in one of the estimator's own callbacks
                    reason: StopReason = "interrupted" if isinstance(error, KeyboardInterrupt) else "callback"
                    return {**outcome, "error": error, "stop_reason": reason}
                if ends:
                    return outcome
                self.model.load_parameters(weights)
                self.model.load_scalers(scalers)
                checkpoint["resume"] = True

    def _end_at_epoch(self, record: EpochRecord) -> bool | list[str]:
        """Call `_on_epoch`, then end the training for a pause."""
        self._answer = self._on_epoch(record)
        return self._answer or True

    def _show(self, outcome: core_options.Outcome) -> bool:
        """Give scikit-learn's callbacks the estimator as it is now; returns whether one ends the training."""
        assert self.tasks is not None
        fitted = copy.copy(self.estimator)
        self.learn(fitted, copy.deepcopy(self.model), self._complete(outcome))
        return self.tasks.epoch(dict(vars(fitted)))

    def _complete(self, outcome: core_options.Outcome) -> Outcome:
        """The outcome, with the names of pretrained and frozen weights."""
        pretrained = self.estimator.pretrained_ if self.warm else None
        return {"pretrained": pretrained, **outcome} | self.plan.outcome()


def keep_training(estimator: Any, model: Any, outcome: Mapping[str, Any]) -> None:
    """Set a trained network, and the history of its training, as attributes of an estimator."""
    estimator.model_ = model
    estimator.history_ = pd.DataFrame(outcome["history"])
    estimator.best_epoch_, estimator.n_epochs_ = outcome["best_epoch"], outcome["n_epochs"]
    estimator.stop_reason_ = outcome["stop_reason"]


def keep_network(estimator: Any, model: _core.Model | Ensemble, outcome: Mapping[str, Any]) -> None:
    """`keep_training`, and which weights were pretrained and frozen."""
    keep_training(estimator, model, outcome)
    estimator.pretrained_, estimator.frozen_, estimator.quantized_ = outcome["pretrained"], outcome["frozen"], None
