//! Named weights: created once, shared by the layers that use them and the list that saves and trains them.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// A network's weights under PyTorch's names, in PyTorch's order.
#[derive(Debug, Default)]
pub struct Parameters {
    named: Vec<(String, Tensor)>,
}

/// Whether a parameter is one of the linear way past the LSTM.
pub fn is_of_line(name: &str) -> bool {
    name.starts_with("skip.") || name.starts_with("known.")
}

/// Whether a parameter is one of the LSTM.
pub fn is_of_lstm(name: &str) -> bool {
    name.starts_with("lstm.")
}

impl Parameters {
    /// Names and tensors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.named.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// The tensors alone.
    pub fn tensors(&self) -> Vec<Tensor> {
        self.named.iter().map(|(_, tensor)| tensor.shallow_clone()).collect()
    }

    /// Copies of all values, for [`Parameters::restore`].
    pub fn snapshot(&self) -> Vec<Tensor> {
        self.named.iter().map(|(_, tensor)| tensor.detach().copy()).collect()
    }

    /// Copies of another kind of number.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for them.
    pub fn to_kind(&self, kind: Kind) -> Result<Self> {
        let copy = |(name, tensor): &(String, Tensor)| Ok((name.clone(), tensor.f_detach()?.f_to_kind(kind)?));
        Ok(Self { named: self.named.iter().map(copy).collect::<Result<_>>()? })
    }

    /// Puts the values of a snapshot back.
    pub fn restore(&self, snapshot: &[Tensor]) {
        tch::no_grad(|| {
            for ((_, tensor), saved) in self.named.iter().zip(snapshot) {
                tensor.shallow_clone().copy_(saved);
            }
        });
    }

    /// Replaces all values by those of the same names; nothing changes unless all fit.
    ///
    /// # Errors
    /// [`Error::Value`] that names missing, unexpected or wrongly shaped ones.
    pub fn load(&self, values: &[(String, Tensor)]) -> Result<()> {
        let find = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, tensor)| tensor);
        let missing: Vec<_> = self.iter().map(|(name, _)| name).filter(|name| find(name).is_none()).collect();
        let unexpected: Vec<_> =
            values.iter().map(|(name, _)| name.as_str()).filter(|name| self.iter().all(|(n, _)| n != *name)).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::Value(format!(
                "expected the parameters of this network; missing: {}; unexpected: {}",
                list(&missing),
                list(&unexpected)
            )));
        }
        let ordered: Vec<&Tensor> = self.iter().filter_map(|(name, _)| find(name)).collect();
        for ((name, tensor), value) in self.iter().zip(&ordered) {
            if tensor.size() != value.size() {
                return Err(Error::shape(
                    format!("{name} of shape {:?}", tensor.size()),
                    format!("{:?}", value.size()),
                ));
            }
        }
        tch::no_grad(|| {
            for ((_, tensor), value) in self.iter().zip(ordered) {
                tensor.shallow_clone().copy_(value);
            }
        });
        Ok(())
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() {
        "none".to_owned()
    } else {
        names.join(", ")
    }
}

/// Draws initial weights, or takes those that there are, and remembers them by name.
#[derive(Debug)]
pub struct Initializer {
    source: Source,
    /// Where each layer of the LSTM lies, if not where all else does.
    layer_devices: Vec<Device>,
    parameters: Parameters,
}

#[derive(Debug)]
enum Source {
    Drawn(Box<Rng>, Device),
    Shared(Vec<(String, Tensor)>),
}

impl Initializer {
    /// Starts with no parameters.
    pub fn new(rng: Rng, device: Device) -> Self {
        Self {
            source: Source::Drawn(Box::new(rng), device),
            layer_devices: Vec::new(),
            parameters: Parameters::default(),
        }
    }

    /// Draws the same numbers for layers of the LSTM on devices of their own.
    pub fn with_layers_on(self, layer_devices: &[Device]) -> Self {
        Self { layer_devices: layer_devices.to_vec(), ..self }
    }

    /// Makes what belongs to a layer of the LSTM, on its device.
    pub fn on_layer<T>(&mut self, layer: usize, make: impl FnOnce(&mut Self) -> T) -> T {
        let device = self.layer_devices.get(layer).copied();
        let before = device.and_then(|device| self.go_to(device));
        let result = make(self);
        before.and_then(|device| self.go_to(device));
        result
    }

    /// The device on which tensors were drawn so far.
    fn go_to(&mut self, device: Device) -> Option<Device> {
        match &mut self.source {
            Source::Drawn(_, present) => Some(std::mem::replace(present, device)),
            Source::Shared(_) => None,
        }
    }

    /// Draws nothing: its tensors are others' memory, with gradients of their own.
    pub fn sharing(weights: &Parameters) -> Self {
        let shared = weights.iter().map(|(name, tensor)| (name.to_owned(), tensor.detach())).collect();
        Self { source: Source::Shared(shared), layer_devices: Vec::new(), parameters: Parameters::default() }
    }

    /// A trainable tensor, uniform in `[-bound, bound)`.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for it.
    pub fn uniform(&mut self, name: &str, shape: &[usize], bound: f64) -> Result<Tensor> {
        self.add(name, shape, |rng, n| rng.uniform(n, bound))
    }

    /// A trainable tensor of zeros.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for it.
    pub fn zeros(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.add(name, shape, |_, n| vec![0.0; n])
    }

    /// A trainable tensor of ones.
    ///
    /// # Errors
    /// [`Error::Torch`] when there is no memory for it.
    pub fn ones(&mut self, name: &str, shape: &[usize]) -> Result<Tensor> {
        self.add(name, shape, |_, n| vec![1.0; n])
    }

    fn add(&mut self, name: &str, shape: &[usize], draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>) -> Result<Tensor> {
        let tensor = match &mut self.source {
            Source::Drawn(rng, device) => {
                let values = draw(rng, shape.iter().product());
                Tensor::f_from_slice(&values)?.f_reshape(dimensions(shape))?.f_to_device(*device)?
            }
            Source::Shared(weights) => {
                let found = weights.iter().position(|(known, _)| known == name);
                found.map(|at| weights.swap_remove(at).1).ok_or_else(|| {
                    Error::Value(format!("expected the parameters of this network; missing: {name}; unexpected: none"))
                })?
            }
        };
        let tensor = tensor.set_requires_grad(true);
        self.parameters.named.push((name.to_owned(), tensor.shallow_clone()));
        Ok(tensor)
    }

    /// All parameters in the order in which they were drawn.
    pub fn finish(self) -> Parameters {
        self.parameters
    }
}

/// The numbers of a tensor, row after row.
///
/// # Errors
/// [`Error::Torch`] when it can't be read.
pub fn numbers_of(tensor: &Tensor) -> Result<Vec<f32>> {
    Ok(Vec::try_from(tensor.f_detach()?.f_flatten(0, -1)?)?)
}

/// Writes as many numbers into a tensor, past automatic differentiation.
///
/// # Errors
/// [`Error::Torch`] when they are of another number.
pub fn overwrite(tensor: &Tensor, values: &[f32]) -> Result<()> {
    let values = Tensor::f_from_slice(values)?.f_reshape(tensor.size())?;
    tch::no_grad(|| tensor.shallow_clone().f_copy_(&values))?;
    Ok(())
}

/// A shape as libtorch takes it.
#[allow(clippy::cast_possible_wrap)]
pub fn dimensions(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&size| size as i64).collect()
}
