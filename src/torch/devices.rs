//! The devices of a network of tensors.

use tch::Device;

use crate::device;
use crate::error::{Error, Result};
use crate::network::parameter::is_of_lstm;

/// Where the weights of a network lie.
#[derive(Debug, Clone)]
pub struct Devices {
    /// That of inputs and outputs, and of all else than the LSTM.
    pub main: Device,
    /// Of each layer of the LSTM; none: the same.
    layers: Vec<Device>,
}

impl Devices {
    /// The processor alone.
    pub const CPU: Self = Self { main: Device::Cpu, layers: Vec::new() };

    /// Devices of these names.
    ///
    /// # Errors
    /// [`Error::Device`] for one that isn't there.
    pub fn open(main: &str, layers: Option<&[String]>) -> Result<Self> {
        let layers = layers.into_iter().flatten().map(|name| open(name)).collect::<Result<_>>()?;
        Ok(Self { main: open(main)?, layers })
    }

    /// Whether the processor is where all is.
    pub fn is_cpu(&self) -> bool {
        self.main == Device::Cpu
    }

    /// That of the parameter `name`.
    pub(super) fn of(&self, name: &str) -> Device {
        let layer = name.rsplit_once("_l").filter(|_| is_of_lstm(name)).map(|(_, rest)| rest);
        let layer = layer.and_then(|rest| rest.trim_end_matches("_reverse").parse::<usize>().ok());
        layer.and_then(|layer| self.layers.get(layer)).copied().unwrap_or(self.main)
    }
}

fn open(name: &str) -> Result<Device> {
    let index = match device::Device::parse(name)? {
        device::Device::Cpu => return Ok(Device::Cpu),
        device::Device::Cuda(index) => index,
    };
    let n_devices = usize::try_from(tch::Cuda::device_count()).unwrap_or(0);
    if index >= n_devices {
        return Err(Error::Device(format!(
            "expected a device that is there, got '{name}' with {n_devices} CUDA devices"
        )));
    }
    Ok(Device::Cuda(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_of_the_lstm_have_their_own() {
        let layers = vec![Device::Cuda(1), Device::Cuda(2)];
        let devices = Devices { main: Device::Cpu, layers };
        for (name, expected) in [
            ("lstm.weight_ih_l0", Device::Cuda(1)),
            ("lstm.bias_hh_l1_reverse", Device::Cuda(2)),
            ("lstm.weight_hh_l2", Device::Cpu),
            ("encoder.layers.0.norm1.weight", Device::Cpu),
            ("fc.weight", Device::Cpu),
        ] {
            assert_eq!(devices.of(name), expected, "{name}");
        }
    }
}
