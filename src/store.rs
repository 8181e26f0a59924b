//! Model files: safetensors with the configuration in the header. No code, no pickle.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, View};

use crate::error::{Error, Result};

pub use replacement::replace;

mod replacement;
#[cfg(unix)]
mod special;

/// The version that this code writes, and the newest that it reads; files of version 1 have no checksum.
pub const FORMAT_VERSION: u32 = 2;
const FORMAT: &str = "lstmforecast";
const FORMAT_KEY: &str = "format";
const VERSION_KEY: &str = "format_version";
/// The key of the checksum in a header, which [`read`] holds it against where there is one.
pub const CHECKSUM_KEY: &str = "checksum";
/// Characters of a file's contents that a message repeats.
const MOST_REPEATED: usize = 80;

/// A dense little-endian tensor as it lies in a file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTensor {
    /// Element type.
    pub dtype: Dtype,
    /// Size of each dimension.
    pub shape: Vec<usize>,
    /// Little-endian bytes, row-major.
    pub bytes: Vec<u8>,
}

impl View for &StoredTensor {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        &self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.bytes)
    }
    fn data_len(&self) -> usize {
        self.bytes.len()
    }
}

/// Tensors by name, and text by key.
pub type Contents = (HashMap<String, StoredTensor>, HashMap<String, String>);

/// Writes a file as [`replace`] does, so that a half-written model can't exist.
///
/// # Errors
/// [`Error::Io`] when it can't be written.
pub fn write(path: &Path, tensors: &HashMap<String, StoredTensor>, metadata: HashMap<String, String>) -> Result<()> {
    let mut header = metadata;
    header.insert(FORMAT_KEY.to_owned(), FORMAT.to_owned());
    header.insert(VERSION_KEY.to_owned(), FORMAT_VERSION.to_string());
    let sum = checksum(&header, tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)));
    header.insert(CHECKSUM_KEY.to_owned(), sum);
    let bytes = safetensors::serialize(tensors, Some(header)).map_err(|e| Error::Value(e.to_string()))?;
    replace(path, &bytes).map_err(|source| Error::Io { path: path.display().to_string(), source })
}

/// Reads a file that [`write`] wrote.
///
/// # Errors
/// [`Error::Io`] when it can't be read; [`Error::Format`] when it is truncated, foreign or newer.
pub fn read(path: &Path) -> Result<Contents> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|source| Error::Io { path: name.clone(), source })?;
    parse(&bytes).map_err(|reason| Error::Format(format!("{name}: {reason}")))
}

/// The CRC-32 (as of zlib) of all that a file says, in hexadecimal digits: each key of the header, but its own, and its text;
/// then of each tensor its name, its type, its sizes (64 bits each) and its bytes. Keys and names are in order; before each
/// of these parts its length in bytes is counted, as 64 bits. All integers are little-endian.
fn checksum<'t, V: View + 't>(header: &HashMap<String, String>, tensors: impl Iterator<Item = (&'t str, V)>) -> String {
    let mut crc = crc32fast::Hasher::new();
    let mut add = |part: &[u8]| {
        crc.update(&(part.len() as u64).to_le_bytes());
        crc.update(part);
    };
    for (key, text) in header.iter().filter(|(key, _)| *key != CHECKSUM_KEY).collect::<BTreeMap<_, _>>() {
        add(key.as_bytes());
        add(text.as_bytes());
    }
    for (name, tensor) in tensors.collect::<BTreeMap<_, _>>() {
        add(name.as_bytes());
        add(tensor.dtype().to_string().as_bytes());
        let sizes: Vec<u8> = tensor.shape().iter().flat_map(|&size| (size as u64).to_le_bytes()).collect();
        add(&sizes);
        add(&tensor.data());
    }
    format!("{:08x}", crc.finalize())
}

/// A checksum of numbers in order: others have another one, but for one in 2^64. No proof against ill will.
#[derive(Debug, Clone, Copy, Default)]
pub struct Digest(u64);

impl Digest {
    /// Adds eight bytes.
    pub fn add_word(&mut self, word: u64) {
        // each word is spread over all bits before the next one comes
        self.0 = (self.0 ^ word).wrapping_add(0x9e37_79b9_7f4a_7c15).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.0 ^= self.0 >> 32;
    }

    /// Adds numbers, bit by bit.
    pub fn add_numbers(&mut self, numbers: &[f64]) {
        for number in numbers {
            self.add_word(number.to_bits());
        }
    }

    /// Adds bytes and how many they are.
    pub fn add(&mut self, bytes: &[u8]) {
        self.add_word(bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add_word(u64::from_le_bytes(word));
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

fn parse(bytes: &[u8]) -> std::result::Result<Contents, String> {
    let expected = "expected a model file of lstmforecast";
    let damaged = |error: &dyn std::fmt::Display| {
        format!("{expected}, got a damaged or foreign file ({})", brief(&error.to_string()))
    };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    if metadata.get(FORMAT_KEY).map(String::as_str) != Some(FORMAT) {
        return Err(format!("{expected}, got a safetensors file of another origin"));
    }
    let version = metadata.get(VERSION_KEY).cloned().unwrap_or_default();
    let version = match version.parse::<u32>() {
        Ok(v) if v <= FORMAT_VERSION => v,
        Ok(v) => {
            return Err(format!(
                "expected format version {FORMAT_VERSION} or older, got {v}: upgrade lstmforecast to read it"
            ))
        }
        Err(_) => return Err(format!("{expected}, got one with the format version {:?}", brief(&version))),
    };
    let file = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
    if version > 1 || metadata.contains_key(CHECKSUM_KEY) {
        let found = checksum(&metadata, file.iter());
        if metadata.get(CHECKSUM_KEY) != Some(&found) {
            return Err(format!("{expected}, got a damaged file: its checksum doesn't match its contents"));
        }
    }
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        let tensor = StoredTensor { dtype: view.dtype(), shape: view.shape().to_vec(), bytes: view.data().to_vec() };
        (name, tensor)
    });
    Ok((tensors.collect(), metadata))
}

/// The beginning of a text of a file, which may be anything, on one line.
pub fn brief(text: &str) -> String {
    let one_line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    match one_line.char_indices().nth(MOST_REPEATED) {
        Some((end, _)) => format!("{}...", &one_line[..end]),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn example() -> Vec<u8> {
        let tensor = StoredTensor { dtype: Dtype::F32, shape: vec![2], bytes: vec![0, 0, 128, 63, 0, 0, 0, 64] };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("m.safetensors");
        write(&path, &HashMap::from([("w".to_owned(), tensor)]), HashMap::from([("a".to_owned(), "b".to_owned())]))
            .unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn what_was_written_is_read() {
        let (tensors, metadata) = parse(&example()).unwrap();
        assert_eq!(tensors["w"].shape, [2]);
        assert_eq!(metadata["a"], "b");
    }

    #[test]
    fn a_digest_tells_numbers_and_their_order_apart() {
        let of = |numbers: &[f64]| {
            let mut digest = Digest::default();
            digest.add_numbers(numbers);
            digest.to_string()
        };
        let others: [&[f64]; 6] = [&[1.0, 2.0], &[2.0, 1.0], &[-1.0, -2.0], &[1.0], &[1.0, 2.0, 0.0], &[0.0, 1.0, 2.0]];
        let digests: std::collections::HashSet<_> = others.iter().map(|numbers| of(numbers)).collect();
        assert_eq!(digests.len(), others.len());
        assert_eq!(of(&[1.0, 2.0]), of(&[1.0, 2.0]));
    }

    #[test]
    fn a_file_of_version_1_needs_no_checksum_and_a_newer_one_does() {
        let (tensors, mut header) = parse(&example()).unwrap();
        header.remove(CHECKSUM_KEY);
        let read =
            |header: &HashMap<String, String>| parse(&safetensors::serialize(&tensors, Some(header.clone())).unwrap());
        assert!(read(&header).unwrap_err().contains("checksum"));
        header.insert(VERSION_KEY.to_owned(), "1".to_owned());
        assert_eq!(read(&header).unwrap().0, tensors);
        header.insert(CHECKSUM_KEY.to_owned(), "00000000".to_owned());
        assert!(read(&header).unwrap_err().contains("checksum"));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let bytes = example();
        for n in 0..bytes.len() {
            assert!(parse(&bytes[..n]).is_err(), "{n} bytes");
        }
    }

    #[test]
    fn a_newer_version_says_so() {
        let mut newer = example();
        let at =
            newer.windows(20).position(|w| w == b"\"format_version\":\"2\"").expect("the header names its version");
        newer[at + 18] = b'9';
        assert!(parse(&newer).unwrap_err().contains("got 9"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_file(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn any_changed_byte_is_noticed(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let whole = example();
            let mut bytes = whole.clone();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(contents) = parse(&bytes) {
                // spaces after the header have no meaning
                prop_assert_eq!(contents, parse(&whole).unwrap(), "byte {}", at);
            }
        }

        #[test]
        fn any_other_text_in_a_header_is_noticed(key in "[a-z_]{1,14}", text in any::<String>()) {
            let whole = parse(&example()).unwrap();
            let mut header = whole.1.clone();
            prop_assume!(header.insert(key, text.clone()) != Some(text));
            let bytes = safetensors::serialize(&whole.0, Some(header)).unwrap();
            prop_assert!(parse(&bytes).is_err());
        }
    }
}
