//! Reads a file of bounded size as text.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::error::{DocumentError, FileError};

/// Reads a file of bounded size, whose errors call it `name`; `what` should be there.
pub(crate) fn read(path: &Path, name: &str, what: &str) -> Result<String, FileError> {
    let mut bytes = Vec::with_capacity(BYTES_USUAL);
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|err| {
            let text = match err.kind() {
                io::ErrorKind::NotFound => format!("found no such file, expected {what}"),
                _ => format!("cannot be read: {err}"),
            };
            FileError::of_file(name, text)
        })?;
    if bytes.len() as u64 > BYTES_MAX {
        let text = format!("found a larger file, expected at most {BYTES_MAX} bytes");
        return Err(FileError::of_file(name, text));
    }
    String::from_utf8(bytes).map_err(|err| {
        let good = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|&&b| b == b'\n').count();
        let text = "found a byte that is not UTF-8, expected text";
        DocumentError::new(line, "", text).in_file(name)
    })
}

/// Room for 300 routes of 800 bytes, far more than any needs; a file above it
/// is not a contract, nor anything else that is read here.
pub(crate) const BYTES_MAX: u64 = 256 * 1024;

/// Most files are shorter, and so are read at once: a function reads one before its first event.
const BYTES_USUAL: usize = 4 * 1024;
