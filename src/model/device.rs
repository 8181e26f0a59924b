//! Devices by their names.

use tch::Device;

use super::{Backend, ModelConfig};
use crate::error::{Error, Result};

impl ModelConfig {
    /// Whether there is a device for each layer of an LSTM that libtorch runs.
    pub(super) fn check_layer_devices(&self) -> Result<()> {
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

    /// The device, and those of the LSTM's layers where they have their own, of a configuration that makes sense.
    pub(super) fn open_devices(&self) -> Result<(Device, Vec<Device>)> {
        self.check()?;
        let first = device(&self.device)?;
        if self.backend == Backend::Fused && first != Device::Cpu {
            return Err(Error::Value(format!("expected device 'cpu' with backend 'fused', got '{}'", self.device)));
        }
        if self.backend == Backend::Fused && !self.architecture.has_lstm() {
            return Err(Error::Value(format!(
                "expected an architecture with an LSTM with backend 'fused', got '{}'",
                self.architecture.name()
            )));
        }
        let layer_devices = self.layer_devices.iter().flatten().map(|name| device(name));
        Ok((first, layer_devices.collect::<Result<_>>()?))
    }

    /// The names of all devices that it asks for.
    pub fn devices(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.device).chain(self.layer_devices.iter().flatten()).map(String::as_str)
    }
}

/// The device of a name: `cpu`, `cuda` or `cuda:1`.
///
/// # Errors
/// [`Error::Device`] for one that isn't there.
pub(super) fn device(name: &str) -> Result<Device> {
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
