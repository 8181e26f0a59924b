//! Learned vectors in place of columns of categories, as tensors: [`crate::network::Embeddings`] under automatic differentiation.

use tch::Tensor;

use super::tensor::dimensions;
use super::weights::Weights;
use crate::error::Result;
use crate::network::NetworkConfig;

/// The columns of each table, and its vectors `embeddings.{i}.weight` of shape `(categories, size)`.
#[derive(Debug)]
pub(super) struct CategoryEmbeddings {
    kept: Tensor,
    tables: Vec<(Tensor, Tensor)>,
}

impl CategoryEmbeddings {
    /// Those of the network of this configuration, if it has any.
    pub(super) fn of(config: &NetworkConfig, weights: &Weights) -> Result<Option<Self>> {
        let Some(embeddings) = &config.embeddings else { return Ok(None) };
        let table = |(i, table): (usize, &crate::network::Embedding)| {
            let vectors = weights.get(&format!("embeddings.{i}.weight"))?;
            Ok((places(&table.columns, &vectors)?, vectors))
        };
        let tables = embeddings.tables().iter().enumerate().map(table).collect::<Result<Vec<_>>>()?;
        Ok(Some(Self { kept: places(embeddings.kept(), &tables[0].1)?, tables }))
    }

    /// Inputs `(batch, rows, n_features)` to `(batch, rows, embedded_width)`.
    fn forward(&self, windows: &Tensor) -> Result<Tensor> {
        let mut parts = vec![windows.f_index_select(2, &self.kept)?];
        for (columns, vectors) in &self.tables {
            parts.push(windows.f_index_select(2, columns)?.f_matmul(vectors)?);
        }
        Ok(Tensor::f_cat(&parts, 2)?)
    }
}

/// The numbers of columns, on the device of the vectors.
fn places(columns: &[usize], vectors: &Tensor) -> Result<Tensor> {
    Ok(Tensor::f_from_slice(&dimensions(columns))?.f_to_device(vectors.device())?)
}

/// Inputs `(batch, rows, n_features)` as what a network reads at each step, `(batch, steps, input_size)`.
pub(super) fn segments(embeddings: Option<&CategoryEmbeddings>, windows: &Tensor, input_size: usize) -> Result<Tensor> {
    let rows = embeddings.map_or_else(|| Ok(windows.shallow_clone()), |embeddings| embeddings.forward(windows))?;
    // a segment's rows follow each other in memory, so that a segment is one long row
    Ok(rows.f_reshape([windows.size()[0], -1, dimensions(&[input_size])[0]])?)
}
