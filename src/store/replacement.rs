//! New contents for a path: a regular file whole or not at all, through symbolic links, and into pipes and devices.

use std::fs::{OpenOptions, Permissions};
use std::io::{Error, ErrorKind, Result, Write};
#[cfg(unix)]
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[cfg(unix)]
use super::special;

/// Links that lead to each other, as many as Linux follows.
const MOST_LINKS: usize = 40;
/// Bytes of a name that its temporary file shares: both have to fit into what a file system takes.
const MOST_SHARED: usize = 100;

/// Puts bytes where `path` leads to: in place of a regular file, or where none is, first under a temporary name beside it,
/// then renamed, so that half a file can't exist; into a pipe or a character device as they are.
///
/// # Errors
/// The system's, for a folder, a file that must not be written, a pipe that nobody reads, or a full disk; what was there
/// before is left. One of its own for block devices and sockets.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => put(&end_of_links(path)?, bytes, None),
        Err(error) => Err(error),
        #[cfg(unix)]
        Ok(found) if !found.is_file() && !found.is_dir() => special::write_through(path, &found, bytes),
        Ok(found) => {
            // a rename asks for the folder's permission alone; a folder can't be opened so
            OpenOptions::new().write(true).open(path)?;
            put(&path.canonicalize()?, bytes, Some(found.permissions()))
        }
    }
}

/// Where the links that begin at a path end, though nothing is there.
fn end_of_links(path: &Path) -> Result<PathBuf> {
    let mut end = path.to_owned();
    for _ in 0..MOST_LINKS {
        if !end.is_symlink() {
            return Ok(end);
        }
        end = end.parent().unwrap_or(Path::new("")).join(end.read_link()?);
    }
    Err(Error::other("too many symbolic links"))
}

fn put(path: &Path, bytes: &[u8], permissions: Option<Permissions>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let shared: String = name.char_indices().take_while(|(at, _)| *at < MOST_SHARED).map(|(_, each)| each).collect();
    let prefix = format!(".{shared}.");
    let mut temporary = tempfile::Builder::new();
    temporary.prefix(&prefix);
    // as any new file (the system's umask applies), where a temporary file would be readable for its owner alone
    #[cfg(unix)]
    temporary.permissions(Permissions::from_mode(0o666));
    let mut file = temporary.tempfile_in(folder)?;
    // of the file itself: its wrapper's errors have no number
    file.as_file_mut().write_all(bytes)?;
    if let Some(permissions) = permissions {
        file.as_file().set_permissions(permissions)?;
    }
    file.as_file().sync_all()?;
    file.persist(path).map_err(|e| e.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(unix)]
    use std::os::unix::fs::{symlink, FileTypeExt};

    #[test]
    fn a_file_is_new_and_a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        for bytes in [b"old".as_slice(), b"newer"] {
            replace(&file, bytes).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), bytes);
        }
        assert!(replace(folder.path(), b"new").is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_and_what_they_lead_to_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, far, lost] = ["file", "link", "far", "lost"].map(|name| folder.path().join(name));
        std::fs::write(&file, b"old").unwrap();
        std::fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        symlink("file", &link).unwrap();
        symlink(&link, &far).unwrap();
        symlink("later", &lost).unwrap();
        for path in [&file, &link, &far] {
            replace(path, path.to_string_lossy().as_bytes()).unwrap();
            assert_eq!(std::fs::read(&file).unwrap(), path.to_string_lossy().as_bytes());
        }
        replace(&lost, b"new").unwrap();
        assert!([&link, &far, &lost].iter().all(|path| path.is_symlink()));
        assert_eq!(std::fs::read(folder.path().join("later")).unwrap(), b"new");
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 5);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_stays() {
        let folder = tempfile::tempdir().unwrap();
        let circle = folder.path().join("circle");
        symlink("circle", &circle).unwrap();
        let socket = folder.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let wanted = [
            (circle.as_path(), Some(libc::ELOOP)),
            (folder.path(), Some(libc::EISDIR)),
            (Path::new("/dev/full"), Some(libc::ENOSPC)),
            (&socket, None),
        ];
        for (path, number) in wanted {
            let before = std::fs::symlink_metadata(path).unwrap().file_type();
            assert_eq!(replace(path, b"new").unwrap_err().raw_os_error(), number, "{}", path.display());
            assert_eq!(std::fs::symlink_metadata(path).unwrap().file_type(), before);
        }
        replace(Path::new("/dev/null"), b"new").unwrap();
        assert!(std::fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    }

    #[test]
    fn the_longest_name_of_a_file_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let most = if cfg!(windows) { 100 } else { 255 }; // there a whole path has at most 260 characters
        for character in ["m", "é", "日", "𝛌"] {
            replace(&folder.path().join(character.repeat(most / character.len())), b"new").unwrap();
        }
    }
}
