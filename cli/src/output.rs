//! Where data goes: standard output, or the file of `-o`.

use std::io::{self, Write};

use crate::message::Failure;

/// Writes data to standard output; a reader that goes away (`tg … | head`) ends the command without an error.
pub(crate) fn to_stdout(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
    let mut out = io::BufWriter::new(anstream::stdout().lock());
    write(&mut out).and_then(|()| out.flush()).map_err(|error| Failure::output(&error))
}
