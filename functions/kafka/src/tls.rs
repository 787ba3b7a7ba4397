//! What TLS needs: whom to trust.

use std::{path::Path, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, pem::PemObject},
};
use sluice_aws::{SettingsError, read_text};

/// The variable that holds, or names, the certificate authorities to trust.
pub(crate) const CA: &str = "KAFKA_SSL_CA";

/// A client that trusts the authorities of `ca`, the value of [`CA`], or
/// where that is unset those that Mozilla trusts.
///
/// The provider is named, since `ClientConfig::builder` panics in a process
/// that has more than one linked.
pub(crate) fn client_config(ca: Option<&str>) -> Result<Arc<ClientConfig>, SettingsError> {
    let roots = match ca {
        Some(value) => authorities(value)?,
        None => RootCertStore {
            roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
        },
    };
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what TLS 1.2 and 1.3 need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A file of authorities may be this long: all of Mozilla's take a quarter of it.
const CA_BYTES_MAX: u64 = 1024 * 1024;

const CA_EXPECTED: &str = "certificates in PEM, or the path of a file with them";

/// What every PEM text contains, and no path does.
const PEM_MARK: &str = "-----BEGIN ";

/// No path is longer, on Linux.
const PATH_BYTES_MAX: usize = 4096;

/// A path of a file that cannot be used is repeated up to this length, which
/// file names have at most; what is longer may be a key without its PEM marks.
const SHOWN_BYTES_MAX: usize = 255;

fn shown(value: &str) -> String {
    match value.len() {
        ..=SHOWN_BYTES_MAX => format!("{value:?}"),
        len => format!("a path of {len} bytes"),
    }
}

/// The certificates of a PEM text, or of the file that has it.
fn authorities(value: &str) -> Result<RootCertStore, SettingsError> {
    let refused = |found: String| SettingsError::new(CA, found, CA_EXPECTED);
    // An inline text is not repeated: somebody may have pasted a key.
    if value.contains(PEM_MARK) {
        return trusted(value).map_err(|reason| refused(format!("a text {reason}")));
    }
    if value.len() > PATH_BYTES_MAX || value.contains('\n') {
        return Err(refused("neither of them".to_owned()));
    }
    let text = read_text(Path::new(value), CA_BYTES_MAX)
        .map_err(|err| refused(format!("{}, which cannot be read ({err})", shown(value))))?;
    trusted(&text).map_err(|reason| refused(format!("{}, a file {reason}", shown(value))))
}

/// The certificates of a PEM text, or what is wrong with it.
fn trusted(pem: &str) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (index, certificate) in CertificateDer::pem_slice_iter(pem.as_bytes()).enumerate() {
        let broken = || format!("whose certificate {} is broken", index + 1);
        let certificate = certificate.map_err(|_| broken())?;
        roots.add(certificate).map_err(|_| broken())?;
    }
    if roots.is_empty() {
        return Err("without a certificate".to_owned());
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A self-signed authority, made with
    /// `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test -days 36500`.
    const PEM: &str = include_str!("../tests/data/ca.pem");

    fn check(value: &str) -> Result<usize, String> {
        authorities(value)
            .map(|roots| roots.len())
            .map_err(|err| err.to_string())
    }

    /// The same, of a file with that content, whose path reads `FILE`.
    fn check_file(content: &str) -> Result<usize, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), content).unwrap();
        let path = file.path().to_str().unwrap();
        check(path).map_err(|err| err.replace(path, "FILE"))
    }

    fn refused(found: &str) -> Result<usize, String> {
        Err(format!(
            "KAFKA_SSL_CA is {found}, expected certificates in PEM, or the path of a file with them"
        ))
    }

    #[test]
    fn authorities_are_a_text_or_a_file() {
        assert_eq!(check(PEM), Ok(1));
        assert_eq!(check(&PEM.repeat(3)), Ok(3));
        assert_eq!(check(&format!("# a comment\n{PEM}")), Ok(1));
        assert_eq!(check_file(PEM), Ok(1));
    }

    #[test]
    fn what_is_no_authority_is_refused() {
        assert_eq!(
            check("/nowhere.pem"),
            refused(
                "\"/nowhere.pem\", which cannot be read (No such file or directory (os error 2))"
            )
        );
        assert_eq!(
            check_file(""),
            refused("\"FILE\", a file without a certificate")
        );
        assert_eq!(
            check_file(&PEM.replace('M', "?")),
            refused("\"FILE\", a file whose certificate 1 is broken")
        );
        let not_der = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(
            check(&format!("{PEM}{not_der}")),
            refused("a text whose certificate 2 is broken")
        );
    }

    #[test]
    fn a_key_pasted_by_mistake_is_not_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
        assert_eq!(check(key), refused("a text without a certificate"));
        let bare = "c2VjcmV0".repeat(32);
        assert_eq!(
            check(&bare),
            refused("a path of 256 bytes, which cannot be read (File name too long (os error 36))")
        );
    }

    #[test]
    fn without_a_value_mozillas_authorities_are_trusted() {
        assert!(client_config(None).is_ok());
        assert!(webpki_roots::TLS_SERVER_ROOTS.len() > 100);
    }
}
