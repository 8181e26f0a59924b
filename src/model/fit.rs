//! From raw rows to a trained model: split, scale on training rows only, cut windows, train.

use super::config::{Channels, Supervision};
use super::data_config::{DataConfig, ScalerChoice, TableRows};
use super::effect::Parts;
use super::engine::Engine;
use super::{fingerprint, Model};
use crate::array::Array;
use crate::error::{check_positive, Error, Result};
use crate::kernel::pool;
use crate::kernel::workspace::Needs;
use crate::network::fused::FusedNetwork;
use crate::series::augment::Augmenter;
use crate::series::lens::{Lens, WindowLayout};
use crate::series::scale::Scaler;
use crate::series::split::{panel_split, time_split, TimeSplit};
use crate::series::table::Table;
use crate::series::window::Span;
use crate::series::{Matrix, Panel, Samples};
use crate::train::config::Precision;
use crate::train::fused::FusedLearner;
use crate::train::fused_gradient::FusedGradient;
use crate::train::loss::Loss;
use crate::train::processes::Share;
use crate::train::sample_batch::SampleBatch;
use crate::train::together::Together;
use crate::train::{self, Checkpoints, Observer, Outcome, TrainConfig};

/// Held-out windows that an epoch of a few steps is judged by, evenly spread: neighbours are much alike, and an
/// evaluation of all of a long series would take longer than the steps.
const MOST_HELD_OUT: usize = 4096;

impl Model {
    /// Trains on the windows of series `(n_rows, n_features)`; the last rows of each are held out.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns, [`Error::TooShort`] when a part holds no window.
    pub fn fit_series(
        &mut self,
        panel: &Panel,
        data: &DataConfig,
        training: &TrainConfig,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        self.config.check_trainable()?;
        training.check()?;
        check_positive([("stride", data.stride)])?;
        let augmenter = Augmenter::new(&data.augment, self.config.supervised_layout(), training.seed)?;
        self.check_columns(panel.n_columns())?;
        augmenter.check_weights(panel)?;
        self.check_loss(&training.loss)?;
        let splits = self.splits(panel, data, training)?;
        let n_targets = self.config.n_targets;
        let checkpoints = self.checkpoints((data, training), || fingerprint::of_panel(panel, n_targets))?;
        self.fit_scalers(panel, data.scaler, &splits);
        // beside the model, which is changed while it is looked through
        let (input_scaler, output_scaler) = (self.input_scaler.clone(), self.output_scaler.clone());
        let layout = WindowLayout { filled_gaps: data.filled_gaps, ..self.config.layout() };
        let lens = Lens { panel, scaler: &input_scaler, output_scaler: &output_scaler, layout, effects: None };
        let parts = self.parts(lens, &splits, data, training)?;
        self.find_effect(&parts, training)?;
        let effects = self.row_effects(panel);
        let (train, validation) = parts.windows(effects.as_ref())?;
        let validation = validation.as_ref().map(|windows| windows as &dyn Samples);
        self.train((&train, validation), &augmenter, training, observer, checkpoints)
    }

    /// The rows to train on, and those held out: the inputs may reach back into the part before, only targets must be unseen.
    fn parts<'p>(
        &self,
        lens: Lens<'p>,
        splits: &[TimeSplit],
        data: &DataConfig,
        training: &TrainConfig,
    ) -> Result<Parts<'p>> {
        let panel = lens.panel;
        let train: Vec<Span> = splits.iter().map(|split| self.first_span(panel, split.train_end)).collect();
        check_weights(panel, &train, "the training part")?;
        let held_out: Vec<Span> = (splits.iter().enumerate())
            .map(|(i, split)| {
                let end = panel.series(i).n_rows();
                Span { first: split.validation_start.max(self.first_span(panel, end).first), end }
            })
            .collect();
        let n_held_out: usize =
            held_out.iter().zip(splits).map(|(span, split)| span.end - split.validation_start).sum();
        let stride = match training.steps_per_epoch {
            None => 1,
            Some(_) => (n_held_out * lens.layout.n_channels()).div_ceil(MOST_HELD_OUT),
        };
        if n_held_out > 0 {
            check_weights(panel, &held_out, "the validation part")?;
        }
        let held_out = (n_held_out > 0).then_some((held_out, stride));
        let supervised = WindowLayout { filled_gaps: data.filled_gaps, ..self.config.supervised_layout() };
        Ok(Parts { lens, supervised, train: (train, data.stride), held_out })
    }

    /// Where each series is split.
    fn splits(&self, panel: &Panel, data: &DataConfig, training: &TrainConfig) -> Result<Vec<TimeSplit>> {
        let fraction = Self::held_out(data, training);
        let split = |i: usize| {
            let n_rows = panel.series(i).n_rows();
            if panel.reaches_back {
                panel_split(n_rows, fraction, data.gap, self.config.horizon)
            } else {
                time_split(n_rows, fraction, data.gap)
            }
        };
        (0..panel.n_series()).map(split).collect()
    }

    /// The windows of a series of `n_rows`: from the first whole one on or, in a panel, from the last, if none is whole.
    fn first_span(&self, panel: &Panel, n_rows: usize) -> Span {
        let (window_size, horizon) = (self.config.window_size, self.config.horizon);
        let first =
            if panel.reaches_back { window_size.min(n_rows.saturating_sub(horizon)).max(1) } else { window_size };
        Span { first, end: n_rows }
    }

    /// Learns from the training rows of all series; what has its own scale is left as it is.
    fn fit_scalers(&mut self, panel: &Panel, choice: Option<ScalerChoice>, splits: &[TimeSplit]) {
        let rows: Vec<Matrix<f64>> =
            splits.iter().enumerate().map(|(i, split)| panel.series(i).rows(0, split.train_end)).collect();
        self.input_scaler = Self::choose(choice, &self.input_scaler, &rows);
        if panel.has_scales() {
            self.input_scaler.center[..self.config.n_targets].fill(0.0);
            self.input_scaler.scale[..self.config.n_targets].fill(1.0);
        }
        // columns of categories stay as they are: each is as important as the others, however rare it is
        for &column in self.config.embeddings.iter().flat_map(|table| &table.columns) {
            (self.input_scaler.center[column], self.input_scaler.scale[column]) = (0.0, 1.0);
        }
        self.output_scaler = self.input_scaler.first(self.config.n_targets);
    }

    /// Trains on a table of windows.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another length, [`Error::TooShort`] when a part is empty.
    pub fn fit_windows(
        &mut self,
        rows: TableRows,
        data: &DataConfig,
        training: &TrainConfig,
        observer: &mut dyn Observer,
    ) -> Result<Outcome> {
        self.config.check_trainable()?;
        training.check()?;
        self.check_loss(&training.loss)?;
        self.check_table(&rows, &training.loss)?;
        let layout = WindowLayout::windows_alone(self.config.window_size, self.config.n_features);
        let augmenter = Augmenter::new(&data.augment, layout, training.seed)?;
        let checkpoints = self.checkpoints((data, training), || fingerprint::of_table(&rows))?;
        let n_rows = rows.inputs.n_rows();
        let split = time_split(n_rows, Self::held_out(data, training), data.gap)?;
        let steps = Matrix::new(rows.inputs.rows(0, split.train_end).values(), self.config.n_features)?;
        self.input_scaler = Self::choose(data.scaler, &self.input_scaler, &[steps]);
        if training.loss != Loss::CrossEntropy {
            let steps = Matrix::new(rows.targets.rows(0, split.train_end).values(), self.config.n_targets)?;
            self.output_scaler = Self::choose(data.scaler, &self.output_scaler, &[steps]);
        }
        let inputs = self.input_scaler.transform(rows.inputs.values());
        let inputs = Matrix::new(&inputs, rows.inputs.n_columns())?;
        let targets = self.scale_targets(&rows, &training.loss);
        let targets = Matrix::new(&targets, rows.targets.n_columns())?;
        let part = |from, to| Table::new(inputs.rows(from, to), targets.rows(from, to), &rows.weights[from..to]);
        let train = part(0, split.train_end);
        let validation = (split.validation_start < n_rows).then(|| part(split.validation_start, n_rows));
        let validation = validation.as_ref().map(|table| table as &dyn Samples);
        self.train((&train, validation), &augmenter, training, observer, checkpoints)
    }

    /// The loss of a table of windows, all in one batch, and its gradient for each parameter.
    ///
    /// The scalers stay as they are; dropout is off.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another length, [`Error::Value`] for a loss that makes no sense.
    pub fn gradients(&self, rows: TableRows, loss: &Loss) -> Result<(f64, Vec<(String, Array)>)> {
        loss.check()?;
        self.check_loss(loss)?;
        self.check_table(&rows, loss)?;
        let inputs = self.input_scaler.transform(rows.inputs.values());
        let targets = self.scale_targets(&rows, loss);
        let (inputs, targets) =
            (Matrix::new(&inputs, rows.inputs.n_columns())?, Matrix::new(&targets, rows.targets.n_columns())?);
        let table = Table::new(inputs, targets, rows.weights);
        match &self.engine {
            Engine::Fused(_) => self.gradients_by_kernel(&table, loss),
            Engine::Line(_) => self.gradients_of_line(&table, loss),
            Engine::Torch(engine) => engine.gradients((&self.config, &self.parameters), &table, loss),
        }
    }

    fn gradients_by_kernel(&self, table: &Table, loss: &Loss) -> Result<(f64, Vec<(String, Array)>)> {
        let network = FusedNetwork::new(&self.config.network(), &self.parameters)?;
        let indices: Vec<usize> = (0..table.len()).collect();
        let n_threads = pool::n_threads(None);
        let mut gradient =
            FusedGradient::new(&network, indices.len(), self.config.n_steps(), Needs::default(), n_threads).with_line();
        let batch = SampleBatch { samples: table, indices: &indices, share: Share::WHOLE, loss, masks: None };
        let mean = gradient.compute(&network, batch);
        let gradients = network.unpack(gradient.sum(&network).0);
        let named = self.parameters.iter().zip(gradients);
        let named = named.map(|((name, array), gradient)| Ok((name.to_owned(), Array::new(array.shape(), gradient)?)));
        Ok((mean, named.collect::<Result<_>>()?))
    }

    fn scale_targets(&self, rows: &TableRows, loss: &Loss) -> Vec<f32> {
        match loss {
            // a class index is a name, not a quantity
            Loss::CrossEntropy => Scaler::identity(1).transform(rows.targets.values()),
            _ => self.output_scaler.transform(rows.targets.values()),
        }
    }

    fn held_out(data: &DataConfig, training: &TrainConfig) -> f64 {
        if training.patience.is_some() {
            data.validation_fraction
        } else {
            0.0
        }
    }

    fn choose(choice: Option<ScalerChoice>, loaded: &Scaler, rows: &[Matrix<f64>]) -> Scaler {
        match choice {
            None => Scaler::identity(rows[0].n_columns()),
            Some(ScalerChoice::Loaded) => loaded.clone(),
            Some(ScalerChoice::Fitted(kind)) => Scaler::fit(kind, rows),
        }
    }

    fn train(
        &mut self,
        (train, validation): (&dyn Samples, Option<&dyn Samples>),
        augmenter: &Augmenter,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        if train.is_empty() || validation.is_some_and(Samples::is_empty) {
            return Err(Error::too_short("at least one row to train on and one to validate on", "none"));
        }
        if training.precision != Precision::Float32 && !self.engine.is_torch() {
            return Err(Error::Value(
                "expected backend='torch' or a GPU with precision='bfloat16', got our own kernel, which computes in single \
                 precision"
                    .to_owned(),
            ));
        }
        self.check_memory(train.len(), training)?;
        self.forget_forecasters();
        if !is_found(checkpoints.as_ref()) {
            self.solve_line(train, validation, training)?;
        }
        let Some(processes) = &training.processes else {
            return self.train_alone((train, validation), augmenter, training, observer, checkpoints);
        };
        processes.check_samples(train.len(), validation.map_or(0, Samples::len))?;
        processes.align(&mut self.parameters.slices_mut())?;
        let names: Vec<String> = self.parameters.iter().map(|(name, _)| name.to_owned()).collect();
        let mut together = Together::new(observer, processes, names.iter().map(String::as_str).collect());
        let outcome = self.train_alone((train, validation), augmenter, training, &mut together, checkpoints)?;
        together.end(outcome, &mut self.parameters.slices_mut())
    }

    /// The training of this process.
    fn train_alone(
        &mut self,
        (train, validation): (&dyn Samples, Option<&dyn Samples>),
        augmenter: &Augmenter,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let samples = (train, validation);
        match &self.engine {
            Engine::Fused(_) => self.train_by_kernel(samples, augmenter, training, observer, checkpoints),
            Engine::Line(_) => self.evaluate_line(samples, training, observer, checkpoints),
            Engine::Torch(engine) => {
                let model = (&self.config, &mut self.parameters);
                engine.train(model, (train, validation, augmenter), training, observer, checkpoints)
            }
        }
    }

    fn train_by_kernel(
        &mut self,
        samples: (&dyn Samples, Option<&dyn Samples>),
        augmenter: &Augmenter,
        training: &TrainConfig,
        observer: &mut dyn Observer,
        checkpoints: Option<Checkpoints>,
    ) -> Result<Outcome> {
        let mut network = FusedNetwork::new(&self.config.network(), &self.parameters)?;
        let n_threads = pool::n_threads(training.n_threads);
        let mut learner =
            FusedLearner::new(&mut network, samples, self.config.dropout, n_threads, training).augmented(augmenter);
        let outcome = train::fit_with_checkpoints(&mut learner, training, observer, checkpoints);
        network.store(&mut self.parameters);
        outcome
    }

    fn check_loss(&self, loss: &Loss) -> Result<()> {
        if loss.distribution() == self.config.distribution.as_ref() {
            return Ok(());
        }
        Err(Error::Value(format!(
            "expected the loss of the model's distribution, {:?}, got {:?}",
            self.config.distribution,
            loss.distribution()
        )))
    }

    fn check_table(&self, rows: &TableRows, loss: &Loss) -> Result<()> {
        let is_plain = self.config.channels == Channels::Together && self.config.supervision == Supervision::Last;
        if !is_plain || self.config.distribution.is_some() {
            return Err(Error::Value(
                "expected channels together, supervision of the last step and no distribution for a table of windows, got \
                 others"
                    .to_owned(),
            ));
        }
        let n_rows = rows.inputs.n_rows();
        let inputs = self.config.layout().n_rows() * self.config.layout().width();
        let targets = if *loss == Loss::CrossEntropy { 1 } else { self.config.horizon * self.config.n_targets };
        let got = (rows.inputs.n_columns(), rows.targets.n_rows(), rows.targets.n_columns(), rows.weights.len());
        if got == (inputs, n_rows, targets, n_rows) {
            return Ok(());
        }
        Err(Error::shape(
            format!("windows ({n_rows}, {inputs}), targets ({n_rows}, {targets}) and {n_rows} weights"),
            format!("({n_rows}, {}), ({}, {}) and {}", got.0, got.1, got.2, got.3),
        ))
    }
}

fn is_found(checkpoints: Option<&Checkpoints>) -> bool {
    checkpoints.is_some_and(Checkpoints::is_found)
}

/// Whether a row of these spans, one for each series, counts as a target.
fn check_weights(panel: &Panel, spans: &[Span], part: &str) -> Result<()> {
    let counts = |(i, &Span { first, end }): (usize, &Span)| {
        panel.weights(i).is_none_or(|weights| weights[first.min(end)..end].iter().any(|&weight| weight > 0.0))
    };
    if spans.iter().enumerate().any(counts) {
        return Ok(());
    }
    Err(Error::Value(format!("expected weights above 0 for targets of {part}, got zeros only")))
}
