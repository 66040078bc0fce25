//! Builders: what turns a plan's folder into something that can be started.
//!
//! Every builder asks the toolchain's own cache whether anything changed: cargo and go know the dependencies outside
//! the plan's folder, which a hash over that folder would miss. What they make is kept under the hash of its own
//! content, so that an artifact never changes under a run that goes on. Only `exec:node`, whose toolchain has no such
//! cache, and the build step of `exec:generic` are cached by a hash over the sources.

pub(crate) mod artifact;
mod cargo;
mod cmd;
mod error;
mod generic;
mod go;
mod image;
mod node;
mod plan;
mod sources;
mod tool;

pub use artifact::{Artifact, Artifacts};
pub use error::BuildError;
pub use image::{ImageOptions, image_of_program};
pub use plan::{BuildOptions, build_all, check_settings};
