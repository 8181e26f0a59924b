//! Checkpoints: files from which a training that was killed goes on, and ends with the bits that it would have ended with.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use safetensors::tensor::Dtype;

use super::config::CheckpointConfig;
use super::fingerprint::Fingerprint;
use super::history::Epoch;
use super::learner::{Learner, Part};
use super::processes::Processes;
use super::progress::Progress;
use crate::error::{Error, Result};
use crate::store::{self, Contents, Digest, StoredTensor, CHECKSUM_KEY};

/// The checkpoints of one training.
pub struct Checkpoints {
    config: CheckpointConfig,
    fingerprint: Fingerprint,
    found: Option<(PathBuf, Contents)>,
    /// Number of the epoch that was written last, and when.
    last: (usize, Instant),
}

const START: &str = "epoch_";
const END: &str = ".safetensors";
const KIND: &str = "checkpoint";
const FINGERPRINT: &str = "fingerprint";
const DIGEST: &str = "digest";
const LEARNER: &str = "learner.";
const PROGRESS: &str = "progress.";
const HISTORY: &str = "history";
/// Numbers in a record of the history.
const RECORD: usize = 6;

impl Checkpoints {
    /// Looks for the newest checkpoint of the training that `fingerprint` describes.
    ///
    /// # Errors
    /// [`Error::Io`] when the folder can't be made or read, [`Error::Format`] when the newest is damaged, [`Error::Value`] when
    /// it is one of another training.
    pub fn open(config: &CheckpointConfig, fingerprint: Fingerprint) -> Result<Self> {
        let io = |source| Error::Io { path: config.folder.display().to_string(), source };
        std::fs::create_dir_all(&config.folder).map_err(io)?;
        remove_unfinished(&config.folder).map_err(io)?;
        let mut checkpoints = Self { config: config.clone(), fingerprint, found: None, last: (0, Instant::now()) };
        let present = present(&config.folder)?;
        if !config.resume {
            present.iter().try_for_each(|(_, path)| remove(path))?;
        } else if let Some((_, path)) = present.last() {
            let contents = read(path)?;
            checkpoints.compare(path, &contents)?;
            checkpoints.found = Some((path.clone(), contents));
        }
        Ok(checkpoints)
    }

    /// Whether there is one to go on from.
    pub fn is_found(&self) -> bool {
        self.found.is_some()
    }

    fn compare(&self, path: &Path, contents: &Contents) -> Result<()> {
        let saved = fingerprint(path, contents)?;
        for (name, _) in saved.iter().chain(&self.fingerprint) {
            let [expected, got] = [&saved, &self.fingerprint].map(|of| value(of, name).unwrap_or("none"));
            if expected != got {
                let [name, expected, got] = [name, expected, got].map(store::brief);
                return Err(Error::Value(format!(
                    "expected {name} {expected} as in the checkpoint {}, got {got}: name another folder, or begin anew with \
                     resume=False",
                    path.display()
                )));
            }
        }
        Ok(())
    }

    /// Brings a new learner and its loop to where the checkpoint that was found has them.
    pub(super) fn restore(&mut self, learner: &mut dyn Learner, progress: &mut Progress) -> Result<()> {
        let Some((path, (tensors, _))) = self.found.take() else { return Ok(()) };
        let damaged = |what: &str| {
            Error::Format(format!("{}: expected {what} of this training, got other sizes or numbers", path.display()))
        };
        for (name, part) in learner.parts() {
            let saved = tensors.get(&format!("{LEARNER}{name}")).ok_or_else(|| damaged(&name))?;
            let values = floats(saved).ok_or_else(|| damaged(&name))?;
            let is_finite = values.iter().all(|value| value.is_finite());
            match part {
                Part::Numbers(numbers) if is_finite && numbers.len() == values.len() => {
                    numbers.copy_from_slice(&values);
                }
                Part::Elsewhere(mut numbers) if is_finite && numbers.count() == values.len() => {
                    numbers.write(&values)?;
                }
                Part::Pace(pace) if values.len() == 2 && values[0].to_bits().cast_signed() >= 0 => {
                    (pace.n_steps, pace.frozen) = (values[0].to_bits().cast_signed(), values[1] != 0.0);
                }
                _ => return Err(damaged(&name)),
            }
        }
        let numbers = |name: &str| -> Result<Vec<f64>> {
            let saved = tensors.get(&format!("{PROGRESS}{name}")).ok_or_else(|| damaged(name))?;
            doubles(saved).ok_or_else(|| damaged(name))
        };
        let records = numbers(HISTORY)?;
        let history = records.chunks_exact(RECORD).map(epoch).collect();
        progress.resume(history, |name| numbers(name)?.first().copied().ok_or_else(|| damaged(name)))?;
        if records.len() % RECORD > 0 || !progress.is_sound() {
            return Err(damaged("the progress"));
        }
        learner.resume(progress.n_steps as u64);
        self.last = (progress.history.len(), Instant::now());
        Ok(())
    }

    /// Writes one if it is time, or if the training is over.
    pub(super) fn after_epoch(&mut self, learner: &mut dyn Learner, progress: &Progress, is_over: bool) -> Result<()> {
        let (n_epochs, minutes) = (progress.history.len(), self.config.every_n_minutes);
        let every_n_epochs = self.config.every_n_epochs.or(if minutes.is_none() { Some(1) } else { None });
        let is_due = every_n_epochs.is_some_and(|n| n_epochs - self.last.0 >= n)
            || minutes.is_some_and(|minutes| self.last.1.elapsed().as_secs_f64() >= 60.0 * minutes);
        if !(is_due || is_over) {
            return Ok(());
        }
        self.write(learner, progress)?;
        self.last = (n_epochs, Instant::now());
        let present = present(&self.config.folder)?;
        let n_old = present.len().saturating_sub(self.config.keep);
        present[..n_old].iter().try_for_each(|(_, path)| remove(path))
    }

    fn write(&self, learner: &mut dyn Learner, progress: &Progress) -> Result<()> {
        let mut tensors = HashMap::new();
        for (name, part) in learner.parts() {
            let values = match part {
                Part::Numbers(numbers) => numbers.to_vec(),
                Part::Elsewhere(numbers) => numbers.read()?,
                // a count as bits, as a single is exact up to 2^24 only
                Part::Pace(pace) => {
                    vec![f32::from_bits(pace.n_steps.cast_unsigned()), f32::from(u8::from(pace.frozen))]
                }
            };
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let stored = StoredTensor { dtype: Dtype::F32, shape: vec![values.len()], bytes };
            tensors.insert(format!("{LEARNER}{name}"), stored);
        }
        let history: Vec<f64> = progress.history.iter().flat_map(record).collect();
        let numbers = progress.numbers().map(|(name, number)| (name, vec![number]));
        for (name, values) in numbers.into_iter().chain([(HISTORY, history)]) {
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let stored = StoredTensor { dtype: Dtype::F64, shape: vec![values.len()], bytes };
            tensors.insert(format!("{PROGRESS}{name}"), stored);
        }
        let fingerprint = serde_json::to_string(&self.fingerprint).map_err(|e| Error::Value(e.to_string()))?;
        let metadata = [("kind", KIND.to_owned()), (FINGERPRINT, fingerprint)];
        let path = self.config.folder.join(format!("{START}{:06}{END}", progress.history.len()));
        store::write(&path, &tensors, metadata.map(|(key, value)| (key.to_owned(), value)).into())
    }
}

/// Brings the learners and loops of all processes to where the first one is, which alone has checkpoints.
pub(super) fn share(processes: &Processes, learner: &mut dyn Learner, progress: &mut Progress) -> Result<()> {
    let own = progress.numbers();
    let mut records: Vec<f64> = progress.history.iter().flat_map(record).collect();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count, as it was sent
    let len = processes.of_first(&[records.len() as f64])?[0] as usize;
    if len == 0 {
        return Ok(());
    }
    for (_, part) in learner.parts() {
        match part {
            Part::Numbers(numbers) => processes.align(&mut [numbers])?,
            Part::Elsewhere(mut numbers) => {
                let mut shared = numbers.read()?;
                processes.align(&mut [&mut shared])?;
                numbers.write(&shared)?;
            }
            Part::Pace(pace) => {
                let shared = processes.of_first(&[f64::from(pace.n_steps), f64::from(u8::from(pace.frozen))])?;
                #[allow(clippy::cast_possible_truncation)] // a count, as it was sent
                let n_steps = shared[0] as i32;
                (pace.n_steps, pace.frozen) = (n_steps, shared[1] != 0.0);
            }
        }
    }
    let numbers = processes.of_first(&own.map(|(_, number)| number))?;
    records.resize(len, 0.0);
    let history = processes.of_first(&records)?.chunks_exact(RECORD).map(epoch).collect();
    let place = |name: &str| own.iter().position(|(own, _)| *own == name).expect("a name of Progress::numbers");
    progress.resume(history, |name| Ok(numbers[place(name)]))?;
    learner.resume(progress.n_steps as u64);
    Ok(())
}

/// The seed of the training whose checkpoints lie in a folder; `None` where there are none.
///
/// # Errors
/// [`Error::Io`] when the folder can't be read, [`Error::Format`] when its newest checkpoint is damaged.
pub fn seed(folder: &Path) -> Result<Option<u64>> {
    if !folder.is_dir() {
        return Ok(None);
    }
    let Some((_, path)) = present(folder)?.pop() else { return Ok(None) };
    let fingerprint = fingerprint(&path, &read(&path)?)?;
    Ok(value(&fingerprint, "seed").and_then(|seed| seed.parse().ok()))
}

fn fingerprint(path: &Path, (_, metadata): &Contents) -> Result<Fingerprint> {
    let saved = metadata.get(FINGERPRINT).and_then(|text| serde_json::from_str(text).ok());
    saved.ok_or_else(|| Error::Format(format!("{}: expected a fingerprint, got none", path.display())))
}

fn value<'f>(fingerprint: &'f Fingerprint, wanted: &str) -> Option<&'f str> {
    fingerprint.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str())
}

/// Checkpoints by epoch, the oldest first.
fn present(folder: &Path) -> Result<Vec<(usize, PathBuf)>> {
    let io = |source| Error::Io { path: folder.display().to_string(), source };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let number = name.strip_prefix(START).and_then(|rest| rest.strip_suffix(END));
        if let Some(number) = number.and_then(|number| number.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// What a process that was killed while it wrote has left.
fn remove_unfinished(folder: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(&format!(".{START}")) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    std::fs::remove_file(path).map_err(|source| Error::Io { path: path.display().to_string(), source })
}

fn read(path: &Path) -> Result<Contents> {
    let advice = "delete it to go on from the one before it, or to begin anew";
    let contents = store::read(path).map_err(|error| match error {
        Error::Format(text) => Error::Format(format!("{text}: {advice}")),
        other => other,
    })?;
    // what has a checksum was held against it as it was read; before there were checksums, digests did as much
    let is_whole = contents.1.contains_key(CHECKSUM_KEY) || contents.1.get(DIGEST) == Some(&digest(&contents.0));
    if is_whole && contents.1.get("kind").map(String::as_str) == Some(KIND) {
        return Ok(contents);
    }
    Err(Error::Format(format!("{}: expected a checkpoint, got another or a damaged file: {advice}", path.display())))
}

fn digest(tensors: &HashMap<String, StoredTensor>) -> String {
    let mut digest = Digest::default();
    for (name, tensor) in tensors.iter().collect::<BTreeMap<_, _>>() {
        digest.add(name.as_bytes());
        digest.add(&tensor.bytes);
    }
    digest.to_string()
}

/// The numbers of a tensor; `None` if they are of another type.
fn floats(stored: &StoredTensor) -> Option<Vec<f32>> {
    let numbers = || stored.bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
    (stored.dtype == Dtype::F32).then(numbers)
}

fn doubles(stored: &StoredTensor) -> Option<Vec<f64>> {
    let numbers = || stored.bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
    (stored.dtype == Dtype::F64).then(numbers)
}

fn record(epoch: &Epoch) -> [f64; RECORD] {
    let val_loss = epoch.val_loss.unwrap_or(f64::NAN);
    [epoch.epoch as f64, epoch.train_loss, val_loss, epoch.learning_rate, epoch.grad_norm, epoch.seconds]
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a count, as it was written
fn epoch(record: &[f64]) -> Epoch {
    Epoch {
        epoch: record[0] as usize,
        train_loss: record[1],
        val_loss: Some(record[2]).filter(|loss| !loss.is_nan()),
        learning_rate: record[3],
        grad_norm: record[4],
        seconds: record[5],
    }
}
