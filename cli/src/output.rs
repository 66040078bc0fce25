//! Where data goes: standard output, or the file of `-o`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd as _;

use anstream::{AutoStream, ColorChoice, StripStream};

use crate::message::Failure;

/// So much is written at once. The library's own standard output writes line by line.
const BUFFER_BYTES: usize = 64 << 10;

/// Writes data to standard output, without its colour where nobody would see it; a reader that goes away
/// (`tg … | head`) ends the command without an error.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let buffered = || {
        let stdout = io::stdout();
        let colour = AutoStream::choice(&stdout) != ColorChoice::Never;
        let mut out = BufWriter::with_capacity(BUFFER_BYTES, File::from(stdout.as_fd().try_clone_to_owned()?));
        if colour {
            write(&mut out)?;
        } else {
            let raw: &mut (dyn Write + 'static) = &mut out;
            write(&mut StripStream::new(raw))?;
        }
        out.flush()
    };
    buffered().map_err(|error| Failure::output(&error))
}
