//! Whether there is memory for what is asked for: an allocation that fails ends the process, so large ones are tried before.

use crate::error::{Error, Result};

const GIB: f64 = (1 << 30) as f64;
/// Requests below are not looked at more closely: any machine has so much.
const LITTLE: usize = 1 << 20;

/// Tries whether there is memory for `n` more numbers of type `T`, which is given back at once. `what` says what they are
/// for, and which sizes to lower: `training with hidden_size=100000`.
///
/// # Errors
/// [`Error::Memory`] where the system refuses them, or they are more than the machine has.
pub fn check<T>(n: usize, what: impl FnOnce() -> String) -> Result<()> {
    let bytes = n.saturating_mul(size_of::<T>());
    if bytes < LITTLE {
        return Ok(());
    }
    // a system may promise more than it has (Linux' overcommit)
    if Vec::<u8>::new().try_reserve_exact(bytes).is_ok() && of_machine().is_none_or(|most| bytes <= most) {
        return Ok(());
    }
    let size = bytes as f64 / GIB;
    Err(Error::Memory(format!("there is no memory for {}, which takes {size:.1} GiB: choose smaller sizes", what())))
}

/// Bytes of memory, and of swap space where Linux reports them.
fn of_machine() -> Option<usize> {
    let Ok(text) = std::fs::read_to_string("/proc/meminfo") else { return of_machine_without_swap() };
    let kibibytes = |name: &str| -> Option<usize> {
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse().ok()
    };
    Some(1024 * (kibibytes("MemTotal:")? + kibibytes("SwapTotal:")?))
}

#[cfg(unix)]
fn of_machine_without_swap() -> Option<usize> {
    // SAFETY: numbers of the system are read.
    let of_system = |name| usize::try_from(unsafe { libc::sysconf(name) }).ok();
    of_system(libc::_SC_PHYS_PAGES)?.checked_mul(of_system(libc::_SC_PAGESIZE)?)
}

/// Windows promises no more than it has.
#[cfg(not(unix))]
fn of_machine_without_swap() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_machine_has_memory() {
        let (memory, with_swap) = (of_machine_without_swap().unwrap(), of_machine().unwrap());
        assert!(LITTLE < memory && memory <= with_swap, "{memory} of {with_swap}");
    }

    #[test]
    fn what_no_machine_has_is_refused() {
        let what = || "a network of hidden_size=1000000".to_owned();
        assert!(check::<f32>(1 << 20, what).is_ok());
        let text = check::<f32>(1 << 44, what).unwrap_err().to_string();
        assert_eq!(
            text,
            "there is no memory for a network of hidden_size=1000000, which takes 65536.0 GiB: choose smaller sizes"
        );
        assert!(check::<f64>(usize::MAX, what).is_err());
    }
}
