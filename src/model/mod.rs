//! The trained thing that people keep: a network with the scalers of its data.

pub mod fit;
pub mod forecast;

use serde::{Deserialize, Serialize};
use tch::{Device, Tensor};

use crate::error::{check_positive, Error, Result};
use crate::network::{self, Architecture, Network, NetworkConfig, Parameters, SkipConfig};
use crate::series::normalize::Normalize;
use crate::series::scale::Scaler;
use forecast::Forecaster;

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

fn one() -> usize {
    1
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
    /// Normalisation inside the window.
    pub normalize: Option<Normalize>,
    /// Who does the arithmetic.
    pub backend: Backend,
    /// `cpu`, `cuda` or `cuda:1`.
    pub device: String,
    /// Seed of the initial weights.
    pub seed: u64,
}

impl ModelConfig {
    fn check(&self) -> Result<()> {
        check_positive([
            ("window_size", self.window_size),
            ("segment_length", self.segment_length),
            ("horizon", self.horizon),
            ("n_targets", self.n_targets),
        ])?;
        if !self.window_size.is_multiple_of(self.segment_length) {
            return Err(Error::Value(format!(
                "expected a window_size that is a multiple of segment_length {}, got {}",
                self.segment_length, self.window_size
            )));
        }
        if (self.linear_skip || self.channels == Channels::Independent) && self.n_features < self.n_targets {
            return Err(Error::Value(format!(
                "expected the {} targets among the features for linear_skip or independent channels, got {} features",
                self.n_targets, self.n_features
            )));
        }
        Ok(())
    }

    /// Variables that go through the network one after the other.
    fn n_channels(&self) -> usize {
        match self.channels {
            Channels::Together => 1,
            Channels::Independent => self.n_targets,
        }
    }

    /// Targets that the network sees, and forecasts, at once.
    fn n_targets_at_once(&self) -> usize {
        self.n_targets / self.n_channels()
    }

    /// Columns of a window as the network sees it.
    fn n_features_at_once(&self) -> usize {
        match self.channels {
            Channels::Together => self.n_features,
            Channels::Independent => 1 + self.n_features - self.n_targets,
        }
    }

    /// Appends rows `(n, n_features)`, scaled, as the network sees them for `channel`: whole, or one target with the features
    /// that are none.
    fn scale_channel(&self, scaler: &Scaler, rows: &[f64], channel: usize, out: &mut Vec<f32>) {
        if self.channels == Channels::Together {
            return scaler.extend_transformed(rows, out);
        }
        for row in rows.chunks_exact(self.n_features) {
            let columns = std::iter::once(channel).chain(self.n_targets..self.n_features);
            out.extend(columns.map(|at| scaler.transform_one(at, row[at])));
        }
    }

    /// Steps of the LSTM in a window.
    fn n_steps(&self) -> usize {
        self.window_size / self.segment_length
    }

    fn network(&self) -> NetworkConfig {
        let (n_features, n_targets) = (self.n_features_at_once(), self.n_targets_at_once());
        let skip = SkipConfig { window_size: self.window_size, n_features, n_targets };
        NetworkConfig {
            architecture: self.architecture,
            input_size: self.segment_length * n_features,
            hidden_size: self.hidden_size,
            num_layers: self.num_layers,
            bidirectional: self.bidirectional,
            dropout: self.dropout,
            output_size: self.horizon * n_targets,
            skip: self.linear_skip.then_some(skip),
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
}

impl Model {
    /// An untrained model whose scalers change nothing.
    ///
    /// # Errors
    /// [`Error::Value`] for sizes that make no sense, [`Error::Device`] for a device that isn't there.
    pub fn new(config: ModelConfig) -> Result<Self> {
        config.check()?;
        let device = device(&config.device)?;
        if config.backend == Backend::Fused && device != Device::Cpu {
            return Err(Error::Value(format!("expected device 'cpu' with backend 'fused', got '{}'", config.device)));
        }
        if config.backend == Backend::Fused && config.architecture != Architecture::Lstm {
            return Err(Error::Value("expected architecture 'lstm' with backend 'fused', got 'linear'".to_owned()));
        }
        let (network, parameters) = network::build(&config.network(), config.seed, device)?;
        let input_scaler = Scaler::identity(config.n_features);
        let output_scaler = Scaler::identity(config.n_targets);
        Ok(Self { config, device, network, parameters, input_scaler, output_scaler, forecaster: None })
    }

    /// How it was built.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Its weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Replaces all weights by those of the same names; nothing changes unless all fit.
    ///
    /// # Errors
    /// As [`Parameters::load`].
    pub fn load_parameters(&mut self, values: &[(String, Tensor)]) -> Result<()> {
        self.forecaster = None;
        self.parameters.load(values)
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

    /// Whether our own kernel does the work.
    fn is_fused(&self) -> bool {
        self.config.backend != Backend::Torch
            && self.device == Device::Cpu
            && self.config.architecture == Architecture::Lstm
    }

    /// Threads for libtorch: as asked, else as they are, but one for small networks, whose operations are over before a
    /// second thread has woken up, and which crawl when another process wants its core.
    fn torch_threads(&self, asked: Option<usize>) -> Option<usize> {
        let small = self.config.hidden_size < 128 && self.device == Device::Cpu;
        asked.or(if small { Some(1) } else { None })
    }

    fn check_columns(&self, got: usize) -> Result<()> {
        if got == self.config.n_features {
            return Ok(());
        }
        Err(Error::shape(format!("a series of shape (n, {})", self.config.n_features), format!("(n, {got})")))
    }
}

fn device(name: &str) -> Result<Device> {
    let unknown = || Error::Device(format!("expected device 'cpu', 'cuda' or 'cuda:N', got '{name}'"));
    let index = match name.split_once(':') {
        None if name == "cpu" => return Ok(Device::Cpu),
        None if name == "cuda" => 0,
        Some(("cuda", index)) => index.parse().map_err(|_| unknown())?,
        _ => return Err(unknown()),
    };
    let n_devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    if index >= n_devices {
        return Err(Error::Device(format!(
            "expected a device that is there, got '{name}' with {n_devices} CUDA devices"
        )));
    }
    Ok(Device::Cuda(index))
}
