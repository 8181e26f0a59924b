//! Which parameters a network has: PyTorch's names, shapes and initial distributions, in PyTorch's order.

use super::config::{Architecture, NetworkConfig, SkipConfig};
use super::parameter::Initializer;
use crate::error::{Error, Result};

/// Asks `init` for each parameter of a network in turn.
///
/// # Errors
/// [`Error::Value`] for a configuration that makes no sense, and what `init` fails with.
pub(super) fn lay_out(config: &NetworkConfig, init: &mut Initializer) -> Result<()> {
    let states = config.n_directions() * config.hidden_size;
    embeddings(config, init)?;
    match (&config.architecture, config.skip) {
        (Architecture::Lstm, _) => lstm(config, init)?,
        (Architecture::Attention { .. }, _) => {
            lstm(config, init)?;
            attention("attention", states, init)?;
            norm("norm", states, init)?;
        }
        (Architecture::CnnLstm { kernel_sizes, out_channels }, _) => {
            convolutions(config.input_size, kernel_sizes, *out_channels, init)?;
            lstm(config, init)?;
        }
        (&Architecture::Transformer { dim_feedforward, .. }, _) => {
            encoder(config, dim_feedforward, init)?;
            return head(config.hidden_size, config, init);
        }
        (Architecture::Linear, Some(config)) => return skip(config, init),
        (Architecture::Linear, None) => {
            return Err(Error::Value("expected linear_skip=True with architecture 'linear', got False".to_owned()))
        }
    }
    head(states, config, init)
}

/// As `torch.nn.Embedding` of variance 1, for each column of categories.
fn embeddings(config: &NetworkConfig, init: &mut Initializer) -> Result<()> {
    let Some(embeddings) = &config.embeddings else { return Ok(()) };
    for (i, table) in embeddings.tables().iter().enumerate() {
        init.uniform(&format!("embeddings.{i}.weight"), &[table.columns.len(), table.size], 3f64.sqrt())?;
    }
    Ok(())
}

/// `torch.nn.Linear`: uniform within `1 / sqrt(input_size)`.
fn linear(name: &str, input_size: usize, output_size: usize, init: &mut Initializer) -> Result<()> {
    let bound = 1.0 / (input_size as f64).sqrt();
    init.uniform(&format!("{name}.weight"), &[output_size, input_size], bound)?;
    init.uniform(&format!("{name}.bias"), &[output_size], bound)
}

/// A linear layer of zeros.
fn zero_linear(name: &str, input_size: usize, output_size: usize, init: &mut Initializer) -> Result<()> {
    init.zeros(&format!("{name}.weight"), &[output_size, input_size])?;
    init.zeros(&format!("{name}.bias"), &[output_size])
}

/// `torch.nn.LSTM`, uniform within `1 / sqrt(hidden_size)`.
fn lstm(config: &NetworkConfig, init: &mut Initializer) -> Result<()> {
    let (hidden_size, bound) = (config.hidden_size, 1.0 / (config.hidden_size as f64).sqrt());
    let gates = 4 * hidden_size;
    for layer in 0..config.num_layers {
        let input_size = if layer == 0 { config.lstm_input_size() } else { config.n_directions() * hidden_size };
        for direction in ["", "_reverse"].iter().take(config.n_directions()) {
            let name = |kind: &str| format!("lstm.{kind}_l{layer}{direction}");
            init.uniform(&name("weight_ih"), &[gates, input_size], bound)?;
            init.uniform(&name("weight_hh"), &[gates, hidden_size], bound)?;
            init.uniform(&name("bias_ih"), &[gates], bound)?;
            init.uniform(&name("bias_hh"), &[gates], bound)?;
        }
    }
    Ok(())
}

/// A linear head, and a linear skip connection beside it, if wanted. With that, both start from zeros: an untrained
/// network forecasts zero, and neither part starts with an error that the other must learn to cancel.
fn head(state_size: usize, config: &NetworkConfig, init: &mut Initializer) -> Result<()> {
    let layer = if config.skip.is_some() { zero_linear } else { linear };
    layer("fc", state_size, config.output_size, init)?;
    config.skip.map_or(Ok(()), |config| skip(config, init))
}

fn skip(config: SkipConfig, init: &mut Initializer) -> Result<()> {
    zero_linear("skip", config.window_size, config.horizon, init)?;
    if config.n_known > 0 {
        init.zeros("known.weight", &[config.n_targets, config.n_known])?;
    }
    Ok(())
}

/// `torch.nn.MultiheadAttention`.
fn attention(name: &str, size: usize, init: &mut Initializer) -> Result<()> {
    // Glorot & Bengio 2010, queries, keys and values as one matrix
    let bound = (6.0 / (4 * size) as f64).sqrt();
    init.uniform(&format!("{name}.in_proj_weight"), &[3 * size, size], bound)?;
    init.zeros(&format!("{name}.in_proj_bias"), &[3 * size])?;
    init.uniform(&format!("{name}.out_proj.weight"), &[size, size], 1.0 / (size as f64).sqrt())?;
    init.zeros(&format!("{name}.out_proj.bias"), &[size])
}

/// `torch.nn.LayerNorm`.
fn norm(name: &str, size: usize, init: &mut Initializer) -> Result<()> {
    init.ones(&format!("{name}.weight"), &[size])?;
    init.zeros(&format!("{name}.bias"), &[size])
}

/// `torch.nn.Conv1d`, one after the other.
fn convolutions(input_size: usize, kernel_sizes: &[usize], out_channels: usize, init: &mut Initializer) -> Result<()> {
    for (i, &kernel_size) in kernel_sizes.iter().enumerate() {
        let in_channels = if i == 0 { input_size } else { out_channels };
        let bound = 1.0 / ((in_channels * kernel_size) as f64).sqrt();
        init.uniform(&format!("conv.{i}.weight"), &[out_channels, in_channels, kernel_size], bound)?;
        init.uniform(&format!("conv.{i}.bias"), &[out_channels], bound)?;
    }
    Ok(())
}

/// `torch.nn.TransformerEncoder` after a linear embedding.
fn encoder(config: &NetworkConfig, dim_feedforward: usize, init: &mut Initializer) -> Result<()> {
    let size = config.hidden_size;
    linear("embedding", config.input_size, size, init)?;
    for i in 0..config.num_layers {
        let name = |part: &str| format!("encoder.layers.{i}.{part}");
        attention(&name("self_attn"), size, init)?;
        linear(&name("linear1"), size, dim_feedforward, init)?;
        linear(&name("linear2"), dim_feedforward, size, init)?;
        norm(&name("norm1"), size, init)?;
        norm(&name("norm2"), size, init)?;
    }
    norm("encoder.norm", size, init)
}
