//! Named weights: created once, shared by the layers that use them and the list that saves and trains them.

use tch::{Device, Kind, Tensor};

use crate::error::{Error, Result};
use crate::rng::Rng;

/// A network's weights under PyTorch's names, in PyTorch's order.
#[derive(Debug, Default)]
pub struct Parameters {
    named: Vec<(String, Tensor)>,
}

/// Whether a parameter is one of the linear skip connection past the LSTM.
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
            return Err(Error::Value(unfit(&list(&missing), &list(&unexpected))));
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

/// Names that an error lists.
const MOST_NAMED: usize = 10;

fn list(names: &[&str]) -> String {
    match names.len() {
        0 => "none".to_owned(),
        n if n > MOST_NAMED => format!("{} and {} more", names[..MOST_NAMED].join(", "), n - MOST_NAMED),
        _ => names.join(", "),
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
    Given(Vec<(String, Tensor)>, Device),
    Shared(Vec<(String, Tensor)>),
    Counted(usize),
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
            Source::Drawn(_, present) | Source::Given(_, present) => Some(std::mem::replace(present, device)),
            Source::Shared(_) | Source::Counted(_) => None,
        }
    }

    /// Draws nothing: its tensors are others' memory, with gradients of their own.
    pub fn sharing(weights: &Parameters) -> Self {
        let shared = weights.iter().map(|(name, tensor)| (name.to_owned(), tensor.detach())).collect();
        Self { source: Source::Shared(shared), layer_devices: Vec::new(), parameters: Parameters::default() }
    }

    /// Draws nothing: its tensors are these, which must have the names and shapes that the layers ask for.
    pub fn of_weights(weights: Vec<(String, Tensor)>, device: Device) -> Self {
        Self { source: Source::Given(weights, device), layer_devices: Vec::new(), parameters: Parameters::default() }
    }

    /// Makes no tensors, and counts the numbers that they would hold.
    pub fn counting() -> Self {
        Self { source: Source::Counted(0), layer_devices: Vec::new(), parameters: Parameters::default() }
    }

    /// The numbers that were counted.
    pub fn count(&self) -> usize {
        if let Source::Counted(count) = self.source {
            count
        } else {
            0
        }
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
                let values = draw(rng, count_numbers(shape)?);
                Tensor::f_from_slice(&values)?.f_reshape(dimensions(shape))?.f_to_device(*device)?
            }
            Source::Given(weights, device) => {
                let given = take(weights, name)?;
                if given.size() != dimensions(shape) {
                    return Err(Error::shape(format!("{name} of shape {shape:?}"), format!("{:?}", given.size())));
                }
                given.f_to_device(*device)?
            }
            Source::Shared(weights) => take(weights, name)?,
            Source::Counted(count) => {
                *count = add_numbers(*count, count_numbers(shape)?)?;
                return Ok(Tensor::new());
            }
        };
        let tensor = tensor.set_requires_grad(true);
        self.parameters.named.push((name.to_owned(), tensor.shallow_clone()));
        Ok(tensor)
    }

    /// All parameters in the order in which they were drawn.
    ///
    /// # Errors
    /// [`Error::Value`] that names given weights which no layer has asked for.
    pub fn finish(self) -> Result<Parameters> {
        match &self.source {
            Source::Given(left, _) if !left.is_empty() => {
                let names: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::Value(unfit("none", &list(&names))))
            }
            _ => Ok(self.parameters),
        }
    }
}

fn take(weights: &mut Vec<(String, Tensor)>, name: &str) -> Result<Tensor> {
    let found = weights.iter().position(|(known, _)| known == name);
    found.map(|at| weights.swap_remove(at).1).ok_or_else(|| Error::Value(unfit(name, "none")))
}

fn unfit(missing: &str, unexpected: &str) -> String {
    format!("expected the parameters of this network; missing: {missing}; unexpected: {unexpected}")
}

/// Whether all numbers are finite.
///
/// # Errors
/// [`Error::Value`] that names the first weight with one that isn't.
pub fn check_finite(weights: &[(String, Tensor)]) -> Result<()> {
    for (name, tensor) in weights {
        if !numbers_of(tensor)?.iter().all(|number| number.is_finite()) {
            return Err(Error::Value(format!("expected finite weights, got NaN or infinite numbers in {name}")));
        }
    }
    Ok(())
}

/// More numbers than this no address space has room for.
const MOST_NUMBERS: usize = isize::MAX.cast_unsigned() / size_of::<f32>();

/// The numbers in a tensor of this shape.
///
/// # Errors
/// [`Error::Value`] when no memory could hold them.
pub fn count_numbers(shape: &[usize]) -> Result<usize> {
    shape.iter().try_fold(1, |n, &size| multiply_numbers(n, size))
}

/// `n` times as many numbers.
///
/// # Errors
/// As [`count_numbers`].
pub fn multiply_numbers(numbers: usize, n: usize) -> Result<usize> {
    numbers.checked_mul(n).filter(|&product| product <= MOST_NUMBERS).ok_or_else(too_many)
}

/// Both together.
///
/// # Errors
/// As [`count_numbers`].
pub fn add_numbers(some: usize, others: usize) -> Result<usize> {
    some.checked_add(others).filter(|&sum| sum <= MOST_NUMBERS).ok_or_else(too_many)
}

fn too_many() -> Error {
    Error::Value(format!(
        "expected a network of at most {MOST_NUMBERS} numbers, got sizes that need more: choose smaller sizes"
    ))
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
