//! Lets Cargo's own test binaries link against and find libtorch. The wheel needs neither: `_libtorch.py`
//! loads the libraries before the extension module.

use std::path::{Path, PathBuf};
use std::process::Command;

const PRINT_TORCH_LIB: &str =
    "import importlib.util as u; print(u.find_spec('torch').submodule_search_locations[0] + '/lib')";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_TORCH").is_none() {
        return;
    }
    let built_against = std::env::var_os("DEP_TCH_LIBTORCH_LIB").map(PathBuf::from);
    // torch-sys remembers the torch it was compiled with, which an isolated build deletes afterwards.
    let lib = match built_against {
        Some(lib) if lib.exists() => lib,
        _ => match torch_of_python() {
            Some(lib) => lib,
            None => return,
        },
    };
    println!("cargo:rerun-if-changed={}", lib.join("libtorch_cpu.so").display());
    println!("cargo:rustc-link-search=native={}", lib.display());
    if std::env::var_os("CARGO_FEATURE_PYTHON").is_none() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}

fn torch_of_python() -> Option<PathBuf> {
    let python = if std::env::var_os("VIRTUAL_ENV").is_some() { "python" } else { "python3" };
    let output = Command::new(python).args(["-c", PRINT_TORCH_LIB]).output().ok()?;
    let lib = String::from_utf8(output.stdout).ok()?;
    let lib = Path::new(lib.trim());
    lib.exists().then(|| lib.to_path_buf())
}
