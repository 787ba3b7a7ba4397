//! TLS configuration: which certificate authorities to trust.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use sluice_aws::{SettingsError, read_text};

/// The variable with the trusted certificate authorities, or the path of a file with them.
pub(crate) const CA: &str = "KAFKA_SSL_CA";

/// A TLS configuration that trusts the authorities of `ca`, the value of [`CA`].
///
/// Without `ca` it trusts Mozilla's root certificates.
pub(crate) fn client_config(ca: Option<&str>) -> Result<Arc<ClientConfig>, SettingsError> {
    let roots = match ca {
        Some(value) => authorities(value)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    // `ClientConfig::builder` panics in a process with more than one provider linked.
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring supports TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// The largest file of authorities. All of Mozilla's take a quarter of it.
const CA_BYTES_MAX: u64 = 1024 * 1024;

const CA_EXPECTED: &str = "PEM certificates or the path of a PEM file";

/// Tells PEM text from a path.
const PEM_MARK: &str = "-----BEGIN ";

/// The longest path on Linux.
const PATH_BYTES_MAX: usize = 4096;

/// Errors quote a path up to the longest file name. A longer value may be a key without PEM marks.
const QUOTED_BYTES_MAX: usize = 255;

fn quoted(value: &str) -> String {
    match value.len() {
        ..=QUOTED_BYTES_MAX => format!("{value:?}"),
        len => format!("a path of {len} bytes"),
    }
}

/// The certificates in PEM text, or in the file at that path.
fn authorities(value: &str) -> Result<RootCertStore, SettingsError> {
    let invalid = |found: String| SettingsError::new(CA, found, CA_EXPECTED);
    // The error does not quote inline text, which may be a key pasted by mistake.
    if value.contains(PEM_MARK) {
        return trusted(value).map_err(|reason| invalid(format!("PEM text {reason}")));
    }
    if value.len() > PATH_BYTES_MAX || value.contains('\n') {
        return Err(invalid("neither PEM nor a path".to_owned()));
    }
    let text = read_text(Path::new(value), CA_BYTES_MAX)
        .map_err(|err| invalid(format!("{}, which cannot be read ({err})", quoted(value))))?;
    trusted(&text).map_err(|reason| invalid(format!("{}, a file {reason}", quoted(value))))
}

/// The certificates in PEM text, or what is wrong with it.
fn trusted(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let invalid = || format!("in which certificate {} is invalid", index + 1);
        let certificate = certificate.map_err(|_| invalid())?;
        roots.add(certificate).map_err(|_| invalid())?;
    }
    if roots.is_empty() {
        return Err("that contains no certificate".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A self-signed certificate authority, generated with
    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -days 36500`.
    const PEM: &str = include_str!("../tests/data/ca.pem");

    fn check(value: &str) -> Result<usize, String> {
        authorities(value)
            .map(|roots| roots.len())
            .map_err(|err| err.to_string())
    }

    /// Like `check`, for a file with this content. Errors name its path `FILE`.
    fn check_file(content: &str) -> Result<usize, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        check(path).map_err(|err| err.replace(path, "FILE"))
    }

    fn invalid(found: &str) -> Result<usize, String> {
        Err(format!(
            "KAFKA_SSL_CA is {found}, expected PEM certificates or the path of a PEM file"
        ))
    }

    #[test]
    fn authorities_are_inline_or_in_a_file() {
        assert_eq!(check(PEM), Ok(1));
        assert_eq!(check(&PEM.repeat(3)), Ok(3));
        assert_eq!(check(&format!("# a comment\n{PEM}")), Ok(1));
        assert_eq!(check_file(PEM), Ok(1));
    }

    #[test]
    fn a_value_without_valid_certificates_is_an_error() {
        assert_eq!(
            check("/nowhere.pem"),
            invalid(
                "\"/nowhere.pem\", which cannot be read (No such file or directory (os error 2))"
            )
        );
        assert_eq!(
            check_file(""),
            invalid("\"FILE\", a file that contains no certificate")
        );
        assert_eq!(
            check_file(&PEM.replace('M', "?")),
            invalid("\"FILE\", a file in which certificate 1 is invalid")
        );
        let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            check(&format!("{PEM}{not_der}")),
            invalid("PEM text in which certificate 2 is invalid")
        );
    }

    #[test]
    fn a_key_pasted_by_mistake_is_not_quoted_in_the_error() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        assert_eq!(check(key), invalid("PEM text that contains no certificate"));
        let bare = "c2VjcmV0".repeat(32);
        assert_eq!(
            check(&bare),
            invalid("a path of 256 bytes, which cannot be read (File name too long (os error 36))")
        );
    }

    #[test]
    fn mozillas_authorities_are_the_default() {
        assert!(client_config(None).is_ok());
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 100);
    }
}
