//! Rows of a table in memory.

use crate::error::{Error, Result};

/// A borrowed row-major table of shape (rows, columns); a row is one moment in time, a column one variable.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    values: &'a [T],
    columns: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Wraps `values`, whose length is a multiple of `columns`.
    ///
    /// # Errors
    /// [`Error::Shape`] when it isn't.
    pub fn new(values: &'a [T], columns: usize) -> Result<Self> {
        if columns == 0 || !values.len().is_multiple_of(columns) {
            return Err(Error::shape(format!("rows of {columns} columns"), format!("{} values", values.len())));
        }
        Ok(Self { values, columns })
    }

    /// Number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.len() / self.columns
    }

    /// Number of columns.
    pub fn n_columns(&self) -> usize {
        self.columns
    }

    /// The numbers, row after row.
    pub fn values(&self) -> &'a [T] {
        self.values
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &'a [T] {
        &self.values[i * self.columns..(i + 1) * self.columns]
    }

    /// The rows from `start` up to, not including, `end`.
    pub fn rows(&self, start: usize, end: usize) -> Matrix<'a, T> {
        Self { values: &self.values[start * self.columns..end * self.columns], columns: self.columns }
    }
}
