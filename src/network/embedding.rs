//! Learned vectors in place of the columns of categories (`torch.nn.Embedding`; Guo & Berkhahn 2016, "Entity Embeddings of
//! Categorical Variables").

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A column of categories: a column of numbers for each, and the size of the vectors that they become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// The columns of the categories, in their order.
    pub columns: Vec<usize>,
    /// Numbers in a vector.
    pub size: usize,
}

/// The embeddings of a network: which columns of a row they read, and which stay as they are.
///
/// A row becomes the columns that stay, then for each embedding the sum of its vectors, each times the number in its column:
/// for a column of 0 and 1 that is the vector of its category.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embeddings {
    tables: Vec<Embedding>,
    kept: Vec<usize>,
    width: usize,
}

impl Embeddings {
    /// Those of rows of `width` columns; `None` where there are none.
    ///
    /// # Errors
    /// [`Error::Value`] for columns below `first`, beyond the row or named twice, and for empty ones.
    pub fn new(tables: &[Embedding], first: usize, width: usize) -> Result<Option<Self>> {
        if tables.is_empty() {
            return Ok(None);
        }
        let mut is_kept = vec![true; width];
        for table in tables {
            if table.columns.is_empty() || table.size == 0 {
                return Err(Error::Value("expected embeddings with columns and a size above 0, got none".to_owned()));
            }
            for &column in &table.columns {
                if column < first || !is_kept.get(column).copied().unwrap_or(false) {
                    return Err(Error::Value(format!(
                        "expected different columns from {first} to {} in embeddings, got {column}",
                        width.saturating_sub(1)
                    )));
                }
                is_kept[column] = false;
            }
        }
        let kept = (0..width).filter(|&column| is_kept[column]).collect();
        Ok(Some(Self { tables: tables.to_vec(), kept, width }))
    }

    /// Columns of a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Numbers that a row becomes.
    pub fn embedded_width(&self) -> usize {
        self.tables.iter().fold(self.kept.len(), |sum, table| sum.saturating_add(table.size))
    }

    /// Numbers that rows of so many become; as many where nothing is embedded.
    pub fn embedded_len(embeddings: Option<&Self>, len: usize) -> usize {
        embeddings.map_or(len, |some| len / some.width * some.embedded_width())
    }

    /// The columns that stay, in their order.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// Columns and sizes.
    pub fn tables(&self) -> &[Embedding] {
        &self.tables
    }

    /// Numbers in all vectors.
    pub fn n_parameters(&self) -> usize {
        self.tables.iter().map(|table| table.columns.len() * table.size).sum()
    }

    /// Appends rows with the vectors of `parameters`, `(categories, size)` of one table after the other.
    pub fn append_embedded(&self, parameters: &[f32], rows: &[f32], embedded: &mut Vec<f32>) {
        for row in rows.chunks_exact(self.width) {
            embedded.extend(self.kept.iter().map(|&column| row[column]));
            let mut vectors = parameters;
            for table in &self.tables {
                let at = embedded.len();
                embedded.resize(at + table.size, 0.0);
                for &column in &table.columns {
                    let (vector, others) = vectors.split_at(table.size);
                    vectors = others;
                    add_scaled(row[column], vector, &mut embedded[at..]);
                }
            }
        }
    }

    /// Adds the gradient of the vectors, given that of the embedded rows.
    pub fn backward(&self, rows: &[f32], of_embedded: &[f32], gradient: &mut [f32]) {
        let pairs = rows.chunks_exact(self.width).zip(of_embedded.chunks_exact(self.embedded_width()));
        for (row, slopes) in pairs {
            let (mut slopes, mut vectors) = (&slopes[self.kept.len()..], &mut *gradient);
            for table in &self.tables {
                let (own, others) = slopes.split_at(table.size);
                slopes = others;
                for &column in &table.columns {
                    let (vector, others) = vectors.split_at_mut(table.size);
                    vectors = others;
                    add_scaled(row[column], own, vector);
                }
            }
        }
    }
}

/// Nothing is added for nearly all: of the columns of a row's categories, one is 1.
fn add_scaled(factor: f32, values: &[f32], sums: &mut [f32]) {
    if factor == 0.0 {
        return;
    }
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += factor * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tables() -> Vec<Embedding> {
        vec![Embedding { columns: vec![1, 3], size: 2 }, Embedding { columns: vec![4, 2], size: 1 }]
    }

    #[test]
    fn a_row_worked_by_hand() {
        let embeddings = Embeddings::new(&tables(), 1, 6).unwrap().unwrap();
        assert_eq!((embeddings.width(), embeddings.embedded_width(), embeddings.n_parameters()), (6, 5, 6));
        let (vectors, mut embedded) = ([1., 2., 3., 4., 5., 6.], vec![9.]);
        embeddings.append_embedded(&vectors, &[7., 0., 0., 1., 1., 8.], &mut embedded);
        assert_eq!(embedded, [9., 7., 8., 3., 4., 5.]);
        let mut gradient = [0.0; 6];
        embeddings.backward(&[7., 0., 0.5, 1., 0., 8.], &[-1., -1., 10., 20., 30.], &mut gradient);
        assert_eq!(gradient, [0., 0., 10., 20., 0., 15.]);
    }

    #[test]
    fn what_makes_no_embedding_is_refused() {
        assert_eq!(Embeddings::new(&[], 0, 3).unwrap(), None);
        let of = |columns: Vec<usize>, size| Embeddings::new(&[Embedding { columns, size }], 1, 3);
        assert!(of(vec![1, 2], 2).is_ok());
        for (columns, size) in [(vec![], 1), (vec![1], 0), (vec![0], 1), (vec![3], 1), (vec![2, 2], 1)] {
            assert!(of(columns.clone(), size).is_err(), "{columns:?}");
        }
    }

    proptest! {
        /// The backward pass is the adjoint of the forward pass: `<A v, s> = <v, A* s>`.
        #[test]
        fn the_gradient_is_the_adjoint(
            rows in prop::collection::vec(-1.0f32..1.0, 12),
            vectors in prop::collection::vec(-1.0f32..1.0, 6),
            slopes in prop::collection::vec(-1.0f32..1.0, 10),
        ) {
            let embeddings = Embeddings::new(&tables(), 1, 6).unwrap().unwrap();
            let (mut embedded, mut of_none, mut gradient) = (vec![], vec![], vec![0.0; 6]);
            embeddings.append_embedded(&vectors, &rows, &mut embedded);
            embeddings.append_embedded(&[0.0; 6], &rows, &mut of_none);
            embeddings.backward(&rows, &slopes, &mut gradient);
            let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
            let forward = dot(&embedded, &slopes) - dot(&of_none, &slopes);
            // a dozen products of numbers below 1 in single precision
            prop_assert!((forward - dot(&vectors, &gradient)).abs() < 1e-5);
        }
    }
}
