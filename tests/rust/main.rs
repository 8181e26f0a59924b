//! The core without Python.

mod training;
