//! Small files that a variable names.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::Path,
};

/// Reads a text of at most `bytes_max`.
///
/// Anything but an ordinary file is refused: a pipe might never end.
///
/// # Errors
/// There is no such text.
pub fn read_text(path: &Path, bytes_max: u64) -> io::Result<String> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    // One byte more tells a file that is too long from one that just fits.
    File::open(path)?
        .take(bytes_max + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > bytes_max {
        return Err(io::Error::other(format!(
            "it is longer than {bytes_max} bytes"
        )));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content: &str) -> Result<String, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        read_text(file.path(), 5).map_err(|err| err.to_string())
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        assert_eq!(check(""), Ok(String::new()));
        assert_eq!(check("12345"), Ok("12345".to_owned()));
        assert_eq!(check("123456"), Err("it is longer than 5 bytes".to_owned()));
    }

    #[test]
    fn what_is_no_ordinary_file_is_not_opened() {
        let error = read_text(Path::new("/dev/zero"), 5).expect_err("a device");
        assert_eq!(error.to_string(), "it is not a file");
        let error = read_text(Path::new("/nowhere"), 5).expect_err("nothing");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
