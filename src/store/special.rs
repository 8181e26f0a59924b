//! Paths that are neither files nor folders, where a system has such: pipes and devices.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{Error, ErrorKind, Result, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Writes bytes into a pipe or a character device.
///
/// # Errors
/// The system's, or for another kind of path.
pub(super) fn write_through(path: &Path, found: &Metadata, bytes: &[u8]) -> Result<()> {
    let kind = found.file_type();
    if !kind.is_fifo() && !kind.is_char_device() {
        return Err(Error::new(ErrorKind::InvalidInput, "expected a file, a pipe or a character device"));
    }
    let mut options = OpenOptions::new();
    options.write(true);
    let at_once = |options: &OpenOptions| -> Result<File> { options.clone().custom_flags(libc::O_NONBLOCK).open(path) };
    // a pipe that nobody reads is an error; opening it in the usual way would wait for a reader
    let _read = if kind.is_fifo() { Some(at_once(&options)?) } else { None };
    options.open(path)?.write_all(bytes)
}
