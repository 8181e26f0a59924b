//! What must be known to build a model.

use serde::{Deserialize, Serialize};

use crate::device::Device;
use crate::distribution::Distribution;
use crate::error::{check_sizes, Error, Result};
use crate::network::{self, Architecture, Embedding, Embeddings, NetworkConfig, SkipConfig};
use crate::series::lens::WindowLayout;
use crate::series::normalize::Normalize;

/// Who does the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// The fastest that serves the network and the device.
    Auto,
    /// Our own kernel, on CPUs.
    Fused,
    /// libtorch under its automatic differentiation.
    Torch,
}

/// What the network sees of the variables of a series.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// All at once.
    #[default]
    Together,
    /// One target at a time, with the features that are no targets: the same network for each, trained on all of them.
    Independent,
}

/// Which steps of the LSTM are trained to forecast.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Supervision {
    /// The last: the loss is that of one forecast for each window.
    #[default]
    Last,
    /// Every one: the loss is the mean over the forecasts after each step, of the rows that follow those read so far
    /// (`return_sequences` in training, as DeepAR: Salinas et al. 2020). No step sees a later one's level.
    Every,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_false(value: &bool) -> bool {
    !value
}

fn one() -> usize {
    1
}

/// Everything that must be known to build a model again, weights and scalers aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(clippy::struct_excessive_bools)] // each is a choice of its own
pub struct ModelConfig {
    /// Kind of network.
    pub architecture: Architecture,
    /// Units of each LSTM layer (and direction).
    pub hidden_size: usize,
    /// LSTM layers.
    pub num_layers: usize,
    /// Whether windows are also read backwards.
    pub bidirectional: bool,
    /// Dropout between LSTM layers.
    pub dropout: f64,
    /// Rows that the network sees.
    pub window_size: usize,
    /// Rows that the LSTM reads as one step; a divisor of `window_size`.
    #[serde(default = "one")]
    pub segment_length: usize,
    /// Whether a linear forecast is added to the LSTM's.
    #[serde(default)]
    pub linear_skip: bool,
    /// Whether the network sees all variables at once.
    #[serde(default)]
    pub channels: Channels,
    /// Rows that it forecasts at once.
    pub horizon: usize,
    /// Columns of a window.
    pub n_features: usize,
    /// Columns of a forecast: the first of the features when trained on a series.
    pub n_targets: usize,
    /// Columns of a window, the last, that are known in advance: the network reads them on to the end of the horizon.
    #[serde(default)]
    pub n_known: usize,
    /// Whether the effect of what is known in advance is a function that a regression finds, and the network sees and forecasts
    /// the targets without it; else it is a weight of the linear skip connection.
    #[serde(default, skip_serializing_if = "is_false")]
    pub known_effect: bool,
    /// Features, none of them a target, that the network reads as learned vectors: the columns of categories.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub embeddings: Vec<Embedding>,
    /// Whether the network is told, in a column for each target, where values are missing.
    #[serde(default)]
    pub indicator: bool,
    /// Whether targets that are missing between two known ones are shown on the straight line between these, rather than
    /// as the last known one; absent where not.
    #[serde(default, skip_serializing_if = "is_false")]
    pub interpolate_gaps: bool,
    /// What the outputs are the parameters of; `None`: a point.
    #[serde(default)]
    pub distribution: Option<Distribution>,
    /// Normalisation inside the window.
    pub normalize: Option<Normalize>,
    /// Which steps the loss is of.
    #[serde(default)]
    pub supervision: Supervision,
    /// Steps of the LSTM that gradients go back through, the last of each window or, where every step is supervised, of each
    /// part of so many; `None`: all.
    #[serde(default)]
    pub tbptt: Option<usize>,
    /// Who does the arithmetic.
    pub backend: Backend,
    /// `cpu`, `cuda` or `cuda:1`.
    pub device: String,
    /// A device for each layer of the LSTM, under libtorch; `None`: that of all else.
    #[serde(default)]
    pub layer_devices: Option<Vec<String>>,
    /// Seed of the initial weights.
    pub seed: u64,
}

/// One LSTM layer of 32 units that forecasts a row of one column from the twelve before it, on the CPU.
impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Lstm,
            hidden_size: 32,
            num_layers: 1,
            bidirectional: false,
            dropout: 0.0,
            window_size: 12,
            segment_length: 1,
            linear_skip: false,
            channels: Channels::Together,
            horizon: 1,
            n_features: 1,
            n_targets: 1,
            n_known: 0,
            known_effect: false,
            embeddings: Vec::new(),
            indicator: false,
            interpolate_gaps: false,
            distribution: None,
            normalize: None,
            supervision: Supervision::Last,
            tbptt: None,
            backend: Backend::Auto,
            device: "cpu".to_owned(),
            layer_devices: None,
            seed: 0,
        }
    }
}

impl ModelConfig {
    /// Whether it makes sense.
    ///
    /// # Errors
    /// [`Error::Value`] that names what doesn't.
    pub(super) fn check(&self) -> Result<()> {
        check_sizes([
            ("window_size", self.window_size),
            ("segment_length", self.segment_length),
            ("horizon", self.horizon),
            ("n_features", self.n_features),
            ("n_targets", self.n_targets),
            ("n_known + 1", self.n_known.saturating_add(1)),
        ])?;
        if !self.window_size.is_multiple_of(self.segment_length) {
            return Err(Error::Value(format!(
                "expected a window_size that is a multiple of segment_length {}, got {}",
                self.segment_length, self.window_size
            )));
        }
        self.check_supervision()?;
        self.check_effect()?;
        self.check_layer_devices()?;
        self.check_fused()?;
        let needs_targets =
            self.linear_skip || self.channels == Channels::Independent || self.normalize.is_some() || self.n_known > 0;
        if needs_targets && self.n_features < self.n_targets + self.n_known {
            return Err(Error::Value(format!(
                "expected the {} targets and the {} features known in advance among the features for linear_skip, \
                 normalize or independent channels, got {} features",
                self.n_targets, self.n_known, self.n_features
            )));
        }
        self.distribution.as_ref().map_or(Ok(()), Distribution::check)?;
        self.check_embeddings()?;
        check_sizes([
            ("segment_length * columns", self.segment_length.saturating_mul(self.layout().width())),
            ("horizon * n_targets * outputs", self.forecast_len()),
        ])
    }

    /// How many weights its network has, by checked arithmetic; nothing is allocated.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, or ask for more weights than any memory holds.
    pub fn count_weights(&self) -> Result<usize> {
        self.check()?;
        network::count_weights(&self.network())
    }

    /// Whether every step could be trained to forecast.
    fn check_supervision(&self) -> Result<()> {
        let (expected, got) = match self.supervision {
            Supervision::Last => return Ok(()),
            _ if self.interpolate_gaps => {
                ("interpolate_gaps=False, as no step may see what comes after it,", "True".to_owned())
            }
            _ if self.architecture != Architecture::Lstm => {
                ("architecture='lstm'", format!("'{}'", self.architecture.name()))
            }
            _ if self.linear_skip => ("linear_skip=False, as the line reads whole windows,", "True".to_owned()),
            _ if self.bidirectional => ("bidirectional=False, which sees the future,", "True".to_owned()),
            _ if self.normalize == Some(Normalize::Window) => {
                ("normalize='last' or None, as few rows have no deviation,", "'window'".to_owned())
            }
            _ if self.n_known > 0 => ("no features known in advance (X, calendar, holidays)", self.n_known.to_string()),
            Supervision::Every => return Ok(()),
        };
        Err(Error::Value(format!("expected {expected} with supervision='every', got {got}")))
    }

    /// Whether there may be an effect of what is known: windows less their last value, for any other level would be changed by
    /// it, and targets to which it can be added.
    fn check_effect(&self) -> Result<()> {
        let adds_up = self.distribution.as_ref().is_none_or(|distribution| !distribution.is_from_zero());
        let has_line = self.n_known > 0 && self.linear_skip && self.normalize == Some(Normalize::Last);
        if !self.known_effect || (adds_up && has_line) {
            return Ok(());
        }
        Err(Error::Value(
            "expected known features, linear_skip, normalize='last' and no distribution of values from 0 on with \
             known_effect, got others"
                .to_owned(),
        ))
    }

    fn check_embeddings(&self) -> Result<()> {
        if !self.embeddings.is_empty() && self.architecture == Architecture::Linear {
            return Err(Error::Value("expected a network with layers for embeddings, got 'linear'".to_owned()));
        }
        Embeddings::new(&self.embeddings, self.n_targets, self.n_features).map(|_| ())
    }

    /// The embeddings of the network, whose columns are those of an input.
    fn embeddings_of_inputs(&self) -> Option<Embeddings> {
        let (layout, n_targets) = (self.layout(), self.n_targets);
        let moved = self.embeddings.iter().map(|table| Embedding {
            columns: table.columns.iter().map(|column| column - n_targets + layout.n_targets_at_once()).collect(),
            size: table.size,
        });
        Embeddings::new(&moved.collect::<Vec<_>>(), layout.n_targets_at_once(), layout.width()).ok().flatten()
    }

    /// What the network sees of a series, and forecasts, after the window.
    pub(super) fn layout(&self) -> WindowLayout {
        WindowLayout {
            window_size: self.window_size,
            horizon: self.horizon,
            n_features: self.n_features,
            n_targets: self.n_targets,
            n_known: self.n_known,
            n_future: if self.n_known > 0 { self.horizon.next_multiple_of(self.segment_length) } else { 0 },
            indicator: self.indicator || self.n_known > 0,
            interpolate_gaps: self.interpolate_gaps,
            filled_gaps: 0,
            independent: self.channels == Channels::Independent,
            normalize: self.normalize,
            level_rows: match self.supervision {
                Supervision::Last => self.window_size,
                Supervision::Every => self.segment_length,
            },
            supervised_steps: 1,
        }
    }

    /// What it learns from.
    pub(super) fn supervised_layout(&self) -> WindowLayout {
        let supervised_steps = match self.supervision {
            Supervision::Last => 1,
            Supervision::Every => self.n_steps(),
        };
        WindowLayout { supervised_steps, ..self.layout() }
    }

    /// Steps of the LSTM in an input.
    pub(super) fn n_steps(&self) -> usize {
        self.layout().n_rows() / self.segment_length
    }

    /// Outputs of the network for each value that is forecast.
    pub fn n_parameters(&self) -> usize {
        self.distribution.as_ref().map_or(1, Distribution::n_outputs)
    }

    /// Numbers in a forecast; the greatest number where they are more than can be counted.
    pub(super) fn forecast_len(&self) -> usize {
        self.horizon.saturating_mul(self.n_targets).saturating_mul(self.n_parameters())
    }

    pub(super) fn network(&self) -> NetworkConfig {
        let layout = self.layout();
        let skip = SkipConfig {
            window_size: self.window_size,
            horizon: self.horizon,
            n_features: layout.width(),
            n_targets: layout.n_targets_at_once(),
            known_at: layout.n_values().saturating_sub(self.n_known),
            n_known: if self.known_effect { 0 } else { self.n_known },
            n_parameters: self.n_parameters(),
        };
        let embeddings = self.embeddings_of_inputs();
        let width = embeddings.as_ref().map_or(layout.width(), Embeddings::embedded_width);
        NetworkConfig {
            architecture: self.architecture.clone(),
            input_size: self.segment_length.saturating_mul(width),
            embeddings,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            output_size: self.horizon * skip.n_targets * skip.n_parameters,
            skip: self.linear_skip.then_some(skip),
            tbptt: self.tbptt,
        }
    }

    /// Whether there is a device for each layer of an LSTM that libtorch runs.
    fn check_layer_devices(&self) -> Result<()> {
        let Some(devices) = &self.layer_devices else { return Ok(()) };
        let (expected, got) = if !self.architecture.has_lstm() {
            ("an architecture with an LSTM".to_owned(), format!("'{}'", self.architecture.name()))
        } else if self.backend == Backend::Fused {
            ("backend 'torch' or 'auto'".to_owned(), "'fused'".to_owned())
        } else if devices.len() != self.num_layers {
            (format!("a device for each of num_layers={}", self.num_layers), devices.len().to_string())
        } else {
            return Ok(());
        };
        Err(Error::Value(format!("expected {expected} with layer_devices, got {got}")))
    }

    /// Whether our own kernel can do what is asked of it alone.
    fn check_fused(&self) -> Result<()> {
        if self.backend != Backend::Fused {
            return Ok(());
        }
        if Device::parse(&self.device)? != Device::Cpu {
            return Err(Error::Value(format!("expected device 'cpu' with backend 'fused', got '{}'", self.device)));
        }
        if !self.architecture.has_lstm() {
            return Err(Error::Value(format!(
                "expected an architecture with an LSTM with backend 'fused', got '{}'",
                self.architecture.name()
            )));
        }
        Ok(())
    }

    /// Whether this build can train what it asks for. Without libtorch, our own kernel computes the forecasts of a network that
    /// it knows, wherever that was trained.
    ///
    /// # Errors
    /// [`Error::NeedsTorch`] with the option that it can't honour.
    pub fn check_trainable(&self) -> Result<()> {
        if cfg!(feature = "torch") || self.is_for_kernel()? {
            return Ok(());
        }
        if Device::parse(&self.device)? != Device::Cpu {
            return Err(Error::NeedsTorch(format!("device='{}'", self.device)));
        }
        let option = if self.layer_devices.is_some() { "layer_devices" } else { "backend='torch'" };
        Err(Error::NeedsTorch(option.to_owned()))
    }

    /// Whether it asks for nothing that our own kernel has not, the network aside.
    ///
    /// # Errors
    /// [`Error::Device`] for a name that is no device.
    pub(super) fn is_for_kernel(&self) -> Result<bool> {
        let on_cpu = Device::parse(&self.device)? == Device::Cpu && self.layer_devices.is_none();
        Ok(on_cpu && self.backend != Backend::Torch)
    }

    /// The names of all devices that it asks for.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.device).chain(self.layer_devices.iter().flatten()).map(String::as_str)
    }
}
