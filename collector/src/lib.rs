//! Turns what the instances of a run wrote into one archive and one Parquet dataset.
//!
//! [`collect`] first copies every file from a [`Source`] into `outputs.zip`, byte for byte, and then makes the
//! dataset from that archive alone, so that it can be made again at any time. What the instances wrote is hostile:
//! a line, a name or a file that cannot be used is a note, and never ends a collect.

mod archive;
mod collect;
mod dataset;
mod error;
#[cfg(any(test, feature = "fuzz"))]
#[doc(hidden)]
pub mod fuzz;
mod read;
mod rules;
mod s3;
mod source;

pub use collect::{CollectOptions, Collected, Only, Phase, Progress, collect};
pub use error::CollectError;
pub use rules::Rules;
pub use s3::publish::{Published, Publisher};
pub use s3::{S3, S3Place, S3Settings, StoredDataset};
pub use source::archive::ZipFile;
pub use source::folder::Folder;
pub use source::s3::Objects;
pub use source::tgz::{TarFile, archive};
pub use source::{Body, Entry, Listing, Owner, Source, SourceNote, Task};
