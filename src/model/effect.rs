//! The effect of known features: found before the training, which is of what it leaves.

use super::line::Line;
use super::regression::KnownRegression;
use super::Model;
use crate::error::{Error, Result};
use crate::series::effect::{KnownEffect, RowEffects};
use crate::series::lens::{Lens, WindowLayout};
use crate::series::window::{Span, Windows};
use crate::series::{Gathered, Samples};
use crate::train::TrainConfig;

/// Times that the effect is solved given the line, and the line given the effect.
const ROUNDS: usize = 2;
/// Times that features are left out.
const SELECTIONS: usize = 3;
/// Rows that hinges may bend at.
const MOST_ROWS: usize = 1 << 11;

/// The rows of a panel to train on and those held out, of which windows are made.
pub(super) struct Parts<'a> {
    /// How they are seen, without effects.
    pub(super) lens: Lens<'a>,
    /// What is learned from.
    pub(super) supervised: WindowLayout,
    /// The rows of each series to train on, and the distance of windows.
    pub(super) train: (Vec<Span>, usize),
    /// The same of those held out, if there are any.
    pub(super) held_out: Option<(Vec<Span>, usize)>,
}

impl Parts<'_> {
    /// Windows to train on and those held out, without these effects.
    ///
    /// # Errors
    /// [`Error::TooShort`] where a part holds no window.
    pub(super) fn windows<'w>(&'w self, effects: Option<&'w RowEffects>) -> Result<(Windows<'w>, Option<Windows<'w>>)> {
        let lens = Lens { effects, ..self.lens };
        let supervised = Lens { layout: self.supervised, ..lens };
        let (spans, stride) = &self.train;
        let train = Windows::new(supervised, spans.iter().copied(), *stride).map_err(within("the training part"))?;
        let held_out = self.held_out.as_ref().map(|(spans, stride)| {
            Windows::new(lens, spans.iter().copied(), *stride)
                .map_err(within("the validation part with the window before it"))
        });
        Ok((train, held_out.transpose()?))
    }
}

impl Model {
    /// Finds the effect of known features, if the model has one and none is found: a regression of what the linear forecast
    /// leaves, and the linear forecast of what that leaves, in turn. A linear forecast of
    /// before that isn't adapted stays.
    pub(super) fn find_effect(&mut self, parts: &Parts, training: &TrainConfig) -> Result<()> {
        let Some(skip) = self.parameters.get("skip.weight") else { return Ok(()) };
        let stays = skip.values().iter().any(|&number| number != 0.0) && !training.transfer.adapt_line;
        if !self.config.known_effect || self.effect.is_some() {
            return Ok(());
        }
        let (train, held_out) = parts.windows(None)?;
        let (layout, held_out) = (self.config.layout(), held_out.as_ref().map(|windows| windows as &dyn Samples));
        let line = Line::new(layout, Vec::new(), training)?;
        let (sizes, rows) = ((layout.n_known, layout.n_targets_at_once()), last_rows(&train, layout));
        let mut kept: Vec<usize> = (0..layout.n_known).collect();
        let mut effect = KnownEffect::draw(sizes, &kept, &rows);
        for round in 0..ROUNDS {
            let of_rows = self.rows_of(&effect, parts.lens.panel);
            let (left, left_held_out) = parts.windows(of_rows.as_ref())?;
            let left_held_out = left_held_out.as_ref().map(|windows| windows as &dyn Samples);
            let solution =
                if stays { line.read(skip.values()) } else { line.solve(&left, left_held_out, skip.values())? };
            let mut sums = line.regression(&solution).on_terms(&effect).both_sums(&train, held_out)?;
            // of fewer features, hinges say more of each, without which others may then be
            for _ in 0..if round == 0 { SELECTIONS } else { 0 } {
                let fewer = KnownRegression::relevant(&sums, &effect, &kept)?;
                if fewer == kept {
                    break;
                }
                kept = fewer;
                effect = KnownEffect::draw(sizes, &kept, &rows);
                sums = line.regression(&solution).on_terms(&effect).both_sums(&train, held_out)?;
            }
            let choices = [(false, false), (true, false), (false, true), (true, true)];
            let choices = choices.map(|with| effect.terms_of(&kept, with));
            let mut weight = line.regression(&solution).on_terms(&effect).solve(&sums, &choices)?;
            if let Some(processes) = &training.processes {
                processes.align(&mut [&mut weight])?;
            }
            effect = effect.with_weight(weight.into_iter().map(f64::from).collect());
        }
        self.effect = Some(effect);
        Ok(())
    }
}

/// What is known at the last rows of some windows, evenly spread: `(n, n_known)`.
fn last_rows(train: &dyn Samples, layout: WindowLayout) -> Vec<f32> {
    let (mut gathered, mut rows) = (Gathered::default(), Vec::new());
    let first = (layout.window_size - 1) * layout.width() + layout.n_values() - layout.n_known;
    for index in (0..train.len()).step_by(train.len().div_ceil(MOST_ROWS)) {
        gathered.clear();
        train.gather(index, &mut gathered);
        rows.extend_from_slice(&gathered.inputs[first..][..layout.n_known]);
    }
    rows
}

/// Says in which part an error was.
fn within(part: &str) -> impl FnOnce(Error) -> Error + use<'_> {
    move |error| match error {
        Error::TooShort { expected, got } => Error::TooShort { expected: format!("{expected} in {part}"), got },
        other => other,
    }
}
