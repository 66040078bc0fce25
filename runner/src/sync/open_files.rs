//! Room for many connections.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises this process's soft limit of open files to the hard one and returns it: a connection is an open file.
///
/// Children inherit it. That is what Go and Node do at their own start, and `select` with its limit of 1,024 is
/// rare; whoever starts a program that needs the old limit must set it back.
pub fn raise_open_files() -> std::io::Result<u64> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok(hard)
}
