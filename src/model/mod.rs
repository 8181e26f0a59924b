//! The trained thing that people keep: a network with the scalers of its data.

mod device;
pub(crate) mod fingerprint;
pub mod fit;
pub mod forecast;
mod hybrid;
mod line;
mod need;
mod regression;
mod restored;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::distribution::Distribution;
use crate::error::{check_sizes, Error, Result};
use crate::network::{self, Architecture, Network, NetworkConfig, Parameters, SkipConfig};
use crate::series::lens::{Layout, Lens};
use crate::series::normalize::Normalize;
use crate::series::scale::Scaler;
use crate::series::Panel;
use forecast::Forecaster;
use hybrid::HybridForecaster;

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
    /// The last: the loss looks at one forecast for each window.
    #[default]
    Last,
    /// Every one: the loss is the mean over the forecasts after each step, of the rows that follow those read so far
    /// (`return_sequences` in training, as DeepAR: Salinas et al. 2020). No step sees a later one's level.
    Every,
}

fn one() -> usize {
    1
}

/// What a backend means for a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Engine {
    /// Our own kernel, slices only.
    Fused,
    /// Our own kernel for the LSTM, libtorch for what stands around it.
    Hybrid,
    /// libtorch alone.
    Torch,
}

/// Everything that must be known to build a model again, weights and scalers aside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
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
    /// Whether the network is told, in a column for each target, where values are missing.
    #[serde(default)]
    pub indicator: bool,
    /// What the outputs are the parameters of; `None`: a point.
    #[serde(default)]
    pub distribution: Option<Distribution>,
    /// Normalisation inside the window.
    pub normalize: Option<Normalize>,
    /// Which steps the loss looks at.
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

impl ModelConfig {
    fn check(&self) -> Result<()> {
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
        self.check_layer_devices()?;
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

    /// What the network sees of a series, and forecasts, after the window.
    fn layout(&self) -> Layout {
        Layout {
            window_size: self.window_size,
            horizon: self.horizon,
            n_features: self.n_features,
            n_targets: self.n_targets,
            n_known: self.n_known,
            n_future: if self.n_known > 0 { self.horizon.next_multiple_of(self.segment_length) } else { 0 },
            indicator: self.indicator || self.n_known > 0,
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
    fn supervised_layout(&self) -> Layout {
        let supervised_steps = match self.supervision {
            Supervision::Last => 1,
            Supervision::Every => self.n_steps(),
        };
        Layout { supervised_steps, ..self.layout() }
    }

    /// Steps of the LSTM in an input.
    fn n_steps(&self) -> usize {
        self.layout().n_rows() / self.segment_length
    }

    /// Outputs of the network for each value that is forecast.
    pub fn n_parameters(&self) -> usize {
        self.distribution.as_ref().map_or(1, Distribution::n_outputs)
    }

    /// Numbers in a forecast; the greatest number where they are more than can be counted.
    fn forecast_len(&self) -> usize {
        self.horizon.saturating_mul(self.n_targets).saturating_mul(self.n_parameters())
    }

    fn network(&self) -> NetworkConfig {
        let layout = self.layout();
        let skip = SkipConfig {
            window_size: self.window_size,
            horizon: self.horizon,
            n_features: layout.width(),
            n_targets: layout.n_targets_at_once(),
            known_at: layout.n_values().saturating_sub(self.n_known),
            n_known: self.n_known,
            n_parameters: self.n_parameters(),
        };
        NetworkConfig {
            architecture: self.architecture.clone(),
            input_size: self.segment_length * layout.width(),
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            output_size: self.horizon * skip.n_targets * skip.n_parameters,
            skip: self.linear_skip.then_some(skip),
            tbptt: self.tbptt,
        }
    }
}

/// A network, its weights and the scalers between it and the user's units.
pub struct Model {
    config: ModelConfig,
    device: Device,
    network: Box<dyn Network>,
    parameters: Parameters,
    input_scaler: Scaler,
    output_scaler: Scaler,
    /// The weights as the kernel reads them, and its memory, once a forecast was made.
    forecaster: Option<Forecaster>,
    hybrid_forecaster: Option<HybridForecaster>,
    /// Whether the weights were rounded to eight bits.
    int8: bool,
}

impl Model {
    /// An untrained model whose scalers change nothing.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, [`Error::Device`] for a device that isn't there.
    pub fn new(config: ModelConfig) -> Result<Self> {
        let (device, layer_devices) = config.open_devices()?;
        let (network, parameters) = network::build_on(&config.network(), config.seed, (device, &layer_devices))?;
        let scalers = (Scaler::identity(config.n_features), Scaler::identity(config.n_targets));
        Ok(Self::of_parts(config, device, (network, parameters), scalers))
    }

    fn of_parts(
        config: ModelConfig,
        device: Device,
        (network, parameters): (Box<dyn Network>, Parameters),
        (input_scaler, output_scaler): (Scaler, Scaler),
    ) -> Self {
        Self {
            config,
            device,
            network,
            parameters,
            input_scaler,
            output_scaler,
            forecaster: None,
            hybrid_forecaster: None,
            int8: false,
        }
    }

    /// Where its weights are.
    pub fn device(&self) -> Device {
        self.device
    }

    /// How it was built.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Replaces all weights by those of the same names; nothing changes unless all fit. Of weights of eight bits (`int8`), those
    /// that read states are multiplied as integers in forecasts, where our own kernel makes them and the processor is
    /// faster so, until the weights change again.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn load_parameters(&mut self, values: &[(String, Tensor)], int8: bool) -> Result<()> {
        self.parameters.load(values)?;
        self.forget_forecasters();
        self.int8 = int8;
        Ok(())
    }

    /// Whether its weights are of eight bits.
    pub fn int8(&self) -> bool {
        self.int8
    }

    fn forget_forecasters(&mut self) {
        (self.forecaster, self.hybrid_forecaster, self.int8) = (None, None, false);
    }

    /// The scalers of inputs (one entry for each feature) and outputs (one for each target).
    pub fn scalers(&self) -> (&Scaler, &Scaler) {
        (&self.input_scaler, &self.output_scaler)
    }

    /// Replaces both scalers.
    ///
    /// # Errors
    /// [`Error::Shape`] when they are of other sizes.
    pub fn load_scalers(&mut self, input: Scaler, output: Scaler) -> Result<()> {
        input.check(self.config.n_features)?;
        output.check(self.config.n_targets)?;
        (self.input_scaler, self.output_scaler) = (input, output);
        Ok(())
    }

    /// Who does the work.
    fn engine(&self) -> Engine {
        let on_cpu = self.device == Device::Cpu && self.config.layer_devices.is_none();
        let fused = self.config.backend != Backend::Torch && on_cpu;
        match self.config.architecture {
            Architecture::Lstm if fused => Engine::Fused,
            _ if fused && self.config.architecture.has_lstm() => Engine::Hybrid,
            _ => Engine::Torch,
        }
    }

    /// Threads for libtorch: as asked, else as they are, but one for small networks, whose operations are over before a
    /// second thread has woken up, and which crawl when another process wants its core.
    fn torch_threads(&self, asked: Option<usize>) -> Option<usize> {
        let small = self.config.hidden_size < 128 && self.device == Device::Cpu;
        asked.or(if small { Some(1) } else { None })
    }

    /// A panel as the network sees it.
    fn lens<'a>(&'a self, panel: &'a Panel<'a>) -> Lens<'a> {
        let (scaler, output_scaler) = (&self.input_scaler, &self.output_scaler);
        Lens { panel, scaler, output_scaler, layout: self.config.layout() }
    }

    fn check_columns(&self, got: usize) -> Result<()> {
        if got == self.config.n_features {
            return Ok(());
        }
        Err(Error::shape(format!("a series of shape (n, {})", self.config.n_features), format!("(n, {got})")))
    }
}
