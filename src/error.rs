//! What can go wrong, named after what the user did.

use std::sync::OnceLock;

/// One variant for each kind of mistake; `src/python/door.rs` maps each to a Python exception.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An array has the wrong shape.
    #[error("expected {expected}, got {got}")]
    Shape {
        /// What the callee takes.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// An option has a value that makes no sense.
    #[error("{0}")]
    Value(String),
    /// A series or a part of it has too few rows.
    #[error("expected {expected}, got {got}")]
    TooShort {
        /// The least that is needed, and why.
        expected: String,
        /// What there is.
        got: String,
    },
    /// The loss left the finite numbers.
    #[error("{0}")]
    Diverged(String),
    /// A file is not one of ours, is damaged, or is newer than this version.
    #[error("{0}")]
    Format(String),
    /// The operating system refused a file.
    #[error("{path}: {source}")]
    Io {
        /// The file in question.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A device that is not there.
    #[error("{0}")]
    Device(String),
    /// An option that a build without libtorch can't honour.
    #[error("{0} needs libtorch: {}", TORCH_ADVICE.get().map_or("pip install \"lstmforecast[torch]\"", String::as_str))]
    NeedsTorch(String),
    /// Another process of a training is gone or doesn't answer.
    #[error("{0}")]
    Process(String),
    /// A model that an earlier call left halfway, as that call panicked.
    #[error("{0}")]
    Broken(String),
    /// There is not enough memory.
    #[error("{0}")]
    Memory(String),
    /// libtorch reports a failure.
    #[error("libtorch: {0}")]
    Torch(String),
}

/// The core's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A shape mismatch: what is taken, what came.
    pub fn shape(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Shape { expected: expected.into(), got: got.into() }
    }

    /// A network that attends to nothing, by its name.
    pub fn no_attention(architecture: &str) -> Self {
        Self::Value(format!("expected an architecture with attention weights, got '{architecture}'"))
    }

    /// Too few rows: what is needed, what there is.
    pub fn too_short(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::TooShort { expected: expected.into(), got: got.into() }
    }
}

/// How to get a build that has libtorch, where installing it isn't all there is to say.
pub static TORCH_ADVICE: OnceLock<String> = OnceLock::new();

/// What libtorch's failures to allocate come to.
pub const NO_MEMORY: &str = "there is not enough memory: choose smaller sizes of the network, or a smaller batch_size";

/// Whether libtorch's text says that an allocation failed.
pub fn is_of_memory(text: &str) -> bool {
    ["can't allocate memory", "std::bad_alloc", "out of memory"].iter().any(|words| text.contains(words))
}

/// Whether all these numbers are positive.
///
/// # Errors
/// [`Error::Value`] that names the first that isn't.
pub fn check_positive(numbers: impl IntoIterator<Item = (&'static str, usize)>) -> Result<()> {
    match numbers.into_iter().find(|(_, number)| *number == 0) {
        Some((name, _)) => Err(Error::Value(format!("expected {name} of at least 1, got 0"))),
        None => Ok(()),
    }
}

/// The largest size of a network: beyond any that fits into memory, and small enough that two of them can be multiplied.
pub const MOST: usize = i32::MAX as usize;

/// Whether all these numbers are sizes that a network could have.
///
/// # Errors
/// [`Error::Value`] that names the first that is 0 or above [`MOST`].
pub fn check_sizes(numbers: impl IntoIterator<Item = (&'static str, usize)>) -> Result<()> {
    match numbers.into_iter().find(|(_, number)| !(1..=MOST).contains(number)) {
        Some((name, 0)) => Err(Error::Value(format!("expected {name} of at least 1, got 0"))),
        Some((name, number)) => Err(Error::Value(format!("expected {name} of at most {MOST}, got {number}"))),
        None => Ok(()),
    }
}
