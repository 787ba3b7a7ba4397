//! Sets the SCRAM passwords of users.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use kafka_protocol::messages::AlterUserScramCredentialsRequest;
use kafka_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use sha2::Sha256;

use super::{Admin, text};

/// The version of the request that Kafka 4 supports.
const CREDENTIALS: i16 = 0;

/// SCRAM-SHA-256 (`ScramMechanism`).
const SCRAM_SHA_256: i8 = 1;

/// The lowest iteration count that brokers accept.
const ITERATIONS: u16 = 4_096;

impl Admin {
    /// Sets a user's SCRAM-SHA-256 password. Brokers apply it asynchronously.
    pub async fn set_password(&self, username: &str, password: &str) {
        let salt = fastrand::u128(..).to_be_bytes();
        let credential = ScramCredentialUpsertion::default()
            .with_name(text(username))
            .with_mechanism(SCRAM_SHA_256)
            .with_iterations(ITERATIONS.into())
            .with_salt(Bytes::copy_from_slice(&salt))
            .with_salted_password(Bytes::copy_from_slice(&salted(password, &salt)));
        let request = AlterUserScramCredentialsRequest::default().with_upsertions(vec![credential]);
        self.ask(&request, CREDENTIALS, |answer| {
            answer.results.iter().all(|it| it.error_code == 0)
        })
        .await;
    }
}

/// Computes the salted password that brokers store: `Hi` of RFC 5802, section 2.2.
fn salted(password: &str, salt: &[u8]) -> [u8; 32] {
    let keyed = Hmac::<Sha256>::new_from_slice(password.as_bytes()).unwrap();
    let hmac = |parts: &[&[u8]]| -> [u8; 32] {
        let mut mac = keyed.clone();
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    };
    let mut last = hmac(&[salt, &1_u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..ITERATIONS {
        last = hmac(&[&last]);
        all.iter_mut()
            .zip(last)
            .for_each(|(all, last)| *all ^= last);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_salted_password_matches_a_known_test_vector() {
        // RFC 6070's test vector for 4096 iterations, computed with SHA-256 instead of SHA-1.
        let expected = "c5e478d59288c841aa530db6845c4c8d962893a001ce4e11a4963873aa98134a";
        let salted = salted("password", b"salt");
        let hexadecimal: String = salted.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hexadecimal, expected);
    }
}
