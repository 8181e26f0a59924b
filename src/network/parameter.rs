//! Named weights: drawn once or taken as given, and kept as arrays.

use crate::array::Array;
use crate::error::{Error, Result};
use crate::rng::Rng;

/// A network's weights under PyTorch's names, in PyTorch's order.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    named: Vec<(String, Array)>,
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
    /// Names and arrays.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Array)> {
        self.named.iter().map(|(name, array)| (name.as_str(), array))
    }

    /// Names and arrays, to be written to.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Array)> {
        self.named.iter_mut().map(|(name, array)| (name.as_str(), array))
    }

    /// The numbers of each.
    pub fn slices_mut(&mut self) -> Vec<&mut [f32]> {
        self.iter_mut().map(|(_, array)| array.values_mut()).collect()
    }

    /// The array of a name.
    pub fn get(&self, wanted: &str) -> Option<&Array> {
        self.iter().find(|(name, _)| *name == wanted).map(|(_, array)| array)
    }

    /// The array of a name, to be written to.
    pub fn get_mut(&mut self, wanted: &str) -> Option<&mut Array> {
        self.iter_mut().find(|(name, _)| *name == wanted).map(|(_, array)| array)
    }

    /// Replaces all values by those of the same names; nothing changes unless all fit.
    ///
    /// # Errors
    /// [`Error::Value`] that names missing, unexpected or wrongly shaped ones.
    pub fn load(&mut self, values: &[(String, Array)]) -> Result<()> {
        let find = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, array)| array);
        let missing: Vec<_> = self.iter().map(|(name, _)| name).filter(|name| find(name).is_none()).collect();
        let unexpected: Vec<_> =
            values.iter().map(|(name, _)| name.as_str()).filter(|name| self.iter().all(|(n, _)| n != *name)).collect();
        if !missing.is_empty() || !unexpected.is_empty() {
            return Err(Error::Value(unfit(&list(&missing), &list(&unexpected))));
        }
        let ordered: Vec<&Array> = self.iter().filter_map(|(name, _)| find(name)).collect();
        for ((name, array), value) in self.iter().zip(&ordered) {
            if array.shape() != value.shape() {
                return Err(misshapen(name, array.shape(), value));
            }
        }
        for ((_, array), value) in self.iter_mut().zip(ordered) {
            array.values_mut().copy_from_slice(value.values());
        }
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
    parameters: Parameters,
}

#[derive(Debug)]
enum Source {
    Drawn(Box<Rng>),
    Given(Vec<(String, Array)>),
    Counted(usize),
}

impl Initializer {
    /// Starts with no parameters.
    pub fn new(rng: Rng) -> Self {
        Self::of(Source::Drawn(Box::new(rng)))
    }

    /// Draws nothing: its arrays are these, which must have the names and shapes that the layers ask for.
    pub fn of_weights(weights: Vec<(String, Array)>) -> Self {
        Self::of(Source::Given(weights))
    }

    /// Makes no arrays, and counts the numbers that they would hold.
    pub fn counting() -> Self {
        Self::of(Source::Counted(0))
    }

    fn of(source: Source) -> Self {
        Self { source, parameters: Parameters::default() }
    }

    /// The numbers that were counted.
    pub fn count(&self) -> usize {
        if let Source::Counted(count) = self.source {
            count
        } else {
            0
        }
    }

    /// A parameter, uniform in `[-bound, bound)`.
    ///
    /// # Errors
    /// [`Error::Value`] or [`Error::Shape`] where a given one is missing or has another shape.
    pub fn uniform(&mut self, name: &str, shape: &[usize], bound: f64) -> Result<()> {
        self.add(name, shape, |rng, n| rng.uniform(n, bound))
    }

    /// A parameter of zeros.
    ///
    /// # Errors
    /// As [`Initializer::uniform`].
    pub fn zeros(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.add(name, shape, |_, n| vec![0.0; n])
    }

    /// A parameter of ones.
    ///
    /// # Errors
    /// As [`Initializer::uniform`].
    pub fn ones(&mut self, name: &str, shape: &[usize]) -> Result<()> {
        self.add(name, shape, |_, n| vec![1.0; n])
    }

    fn add(&mut self, name: &str, shape: &[usize], draw: impl FnOnce(&mut Rng, usize) -> Vec<f32>) -> Result<()> {
        let array = match &mut self.source {
            Source::Drawn(rng) => Array::new(shape, draw(rng, count_numbers(shape)?))?,
            Source::Given(weights) => {
                let given = take(weights, name)?;
                if given.shape() != shape {
                    return Err(misshapen(name, shape, &given));
                }
                given
            }
            Source::Counted(count) => {
                *count = add_numbers(*count, count_numbers(shape)?)?;
                return Ok(());
            }
        };
        self.parameters.named.push((name.to_owned(), array));
        Ok(())
    }

    /// All parameters in the order in which they were drawn.
    ///
    /// # Errors
    /// [`Error::Value`] that names given weights which no layer has asked for.
    pub fn finish(self) -> Result<Parameters> {
        match &self.source {
            Source::Given(left) if !left.is_empty() => {
                let names: Vec<_> = left.iter().map(|(name, _)| name.as_str()).collect();
                Err(Error::Value(unfit("none", &list(&names))))
            }
            _ => Ok(self.parameters),
        }
    }
}

fn take(weights: &mut Vec<(String, Array)>, name: &str) -> Result<Array> {
    let found = weights.iter().position(|(known, _)| known == name);
    found.map(|at| weights.swap_remove(at).1).ok_or_else(|| Error::Value(unfit(name, "none")))
}

fn misshapen(name: &str, shape: &[usize], got: &Array) -> Error {
    Error::shape(format!("{name} of shape {shape:?}"), format!("{:?}", got.shape()))
}

fn unfit(missing: &str, unexpected: &str) -> String {
    format!("expected the parameters of this network; missing: {missing}; unexpected: {unexpected}")
}

/// Whether all numbers are finite.
///
/// # Errors
/// [`Error::Value`] that names the first weight with one that isn't.
pub fn check_finite(weights: &[(String, Array)]) -> Result<()> {
    match weights.iter().find(|(_, array)| !array.values().iter().all(|number| number.is_finite())) {
        Some((name, _)) => Err(Error::Value(format!("expected finite weights, got NaN or infinite numbers in {name}"))),
        None => Ok(()),
    }
}

/// More numbers than this no address space has room for.
const MOST_NUMBERS: usize = isize::MAX.cast_unsigned() / size_of::<f32>();

/// The numbers in an array of this shape.
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
