//! Devices by name: `cpu`, `cuda` or `cuda:1`.

use crate::error::{Error, Result};

/// Where numbers lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
    /// A GPU, by number.
    Cuda(usize),
}

impl Device {
    /// The device of a name; whether it is there is another question.
    ///
    /// # Errors
    /// [`Error::Device`] for a name that is none.
    pub fn parse(name: &str) -> Result<Self> {
        let unknown = || Error::Device(format!("expected device 'cpu', 'cuda' or 'cuda:N', got '{name}'"));
        match name.split_once(':') {
            None if name == "cpu" => Ok(Self::Cpu),
            None if name == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| unknown()),
            _ => Err(unknown()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_devices() {
        let of = |name| Device::parse(name).unwrap();
        assert_eq!([of("cpu"), of("cuda"), of("cuda:3")], [Device::Cpu, Device::Cuda(0), Device::Cuda(3)]);
        for name in ["", "gpu", "cpu:0", "cuda:", "cuda:x", "cuda:-1"] {
            let text = Device::parse(name).unwrap_err().to_string();
            assert_eq!(text, format!("expected device 'cpu', 'cuda' or 'cuda:N', got '{name}'"));
        }
    }
}
