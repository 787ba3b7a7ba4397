//! Reads a file of bounded size as a string.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use crate::error::{DocumentError, FileError};

/// Reads a file of at most [`BYTES_MAX`] bytes. Errors call it `name` and expect `what` there.
pub(crate) fn read(path: &Path, name: &str, what: &str) -> Result<String, FileError> {
    let mut bytes = Vec::with_capacity(BYTES_USUAL);
    File::open(path)
        .and_then(|file| file.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        .map_err(|err| {
            let text = match err.kind() {
                io::ErrorKind::NotFound => format!("file not found (expected {what})"),
                _ => format!("cannot be read: {err}"),
            };
            FileError::of_file(name, text)
        })?;
    if bytes.len() as u64 > BYTES_MAX {
        let text = format!("file is larger than the limit of {BYTES_MAX} bytes");
        return Err(FileError::of_file(name, text));
    }
    String::from_utf8(bytes).map_err(|err| {
        let good = &err.as_bytes()[..err.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|&&b| b == b'\n').count();
        let text = "invalid UTF-8 (save the file as UTF-8 text)";
        DocumentError::new(line, "", text).in_file(name)
    })
}

/// The largest file that is read: 300 routes of 800 bytes, far more than any contract needs.
pub(crate) const BYTES_MAX: u64 = 256 * 1024;

/// Most files are shorter, so one read suffices. A function reads its contract during a cold start.
const BYTES_USUAL: usize = 4 * 1024;
