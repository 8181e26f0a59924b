//! Characters and the symbols, numbers from 0, that stand for them.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// What becomes of characters that aren't in the vocabulary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// They are an error.
    Error,
    /// They are left out.
    Skip,
}

/// Unknown characters that an error names.
const MOST_NAMED: usize = 5;

/// The characters of a text, in the order of their code points.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vocabulary {
    characters: Vec<char>,
    symbols: HashMap<char, u32>,
}

impl Vocabulary {
    /// The vocabulary of these characters, in this order.
    ///
    /// # Errors
    /// [`Error::Value`] when there are none, or one comes twice.
    pub fn new(characters: &str) -> Result<Self> {
        let characters: Vec<char> = characters.chars().collect();
        let symbols: HashMap<char, u32> = characters.iter().copied().zip(0..).collect();
        if characters.is_empty() || symbols.len() < characters.len() {
            return Err(Error::Value(format!(
                "expected a vocabulary of different characters, and at least one, got {:?}",
                characters.iter().collect::<String>()
            )));
        }
        Ok(Self { characters, symbols })
    }

    /// How many characters it has.
    pub fn len(&self) -> usize {
        self.characters.len()
    }

    /// Whether it has none: never.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    /// The character that a symbol stands for.
    pub fn character(&self, symbol: u32) -> char {
        self.characters[symbol as usize]
    }

    /// The symbols of a text.
    ///
    /// # Errors
    /// [`Error::Value`] that names unknown characters, unless they are to be left out.
    pub fn encode(&self, text: &str, unknown: Unknown) -> Result<Vec<u32>> {
        let symbols: Vec<u32> = text.chars().filter_map(|c| self.symbols.get(&c).copied()).collect();
        if unknown == Unknown::Error && symbols.len() < text.chars().count() {
            return Err(self.describe_unknown(text));
        }
        Ok(symbols)
    }

    fn describe_unknown(&self, text: &str) -> Error {
        let mut unknown: Vec<char> = Vec::new();
        for c in text.chars().filter(|c| !self.symbols.contains_key(c)) {
            if !unknown.contains(&c) {
                unknown.push(c);
            }
        }
        let named = unknown.iter().take(MOST_NAMED).map(|c| format!("{c:?}")).collect::<Vec<_>>().join(", ");
        let others = match unknown.len().saturating_sub(MOST_NAMED) {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        Error::Value(format!(
            "expected characters of the text that was fitted, got {named}{others}: unknown='skip' leaves them out"
        ))
    }
}

/// The different characters of texts, in the order of their code points, and how often each of them comes.
pub fn count_characters<'t>(texts: impl Iterator<Item = &'t str>) -> (String, Vec<u64>) {
    let mut counts = BTreeMap::new();
    for c in texts.flat_map(str::chars) {
        *counts.entry(c).or_insert(0) += 1;
    }
    counts.into_iter().unzip()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back() {
        let (characters, counts) = count_characters(["hello", " wörld"].into_iter());
        assert_eq!((characters.as_str(), counts), (" dehlorwö", vec![1, 1, 1, 1, 3, 1, 1, 1, 1]));
        let vocabulary = Vocabulary::new(&characters).unwrap();
        let symbols = vocabulary.encode("wöhl", Unknown::Error).unwrap();
        assert_eq!(symbols, [7, 8, 3, 4]);
        assert_eq!(symbols.into_iter().map(|symbol| vocabulary.character(symbol)).collect::<String>(), "wöhl");
    }

    #[test]
    fn unknown_characters_are_named_or_left_out() {
        let vocabulary = Vocabulary::new("abc").unwrap();
        let error = |text| vocabulary.encode(text, Unknown::Error).unwrap_err().to_string();
        assert_eq!(
            error("abxc\nx"),
            "expected characters of the text that was fitted, got 'x', '\\n': unknown='skip' leaves them out"
        );
        assert!(error("1234567").contains("'5' and 2 more:"));
        assert_eq!(vocabulary.encode("xcyaz", Unknown::Skip).unwrap(), [2, 0]);
    }

    #[test]
    fn a_vocabulary_has_characters_and_each_once() {
        assert!(Vocabulary::new("").is_err() && Vocabulary::new("aba").is_err());
    }
}
