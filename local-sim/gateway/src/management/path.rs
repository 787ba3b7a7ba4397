//! Parses the paths of `@connections`.

use percent_encoding::percent_decode_str;

use crate::{http::domain::Address, options::Options};

/// The target of a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A connection. The text may not be a valid id.
    Connection(String),
    /// A path below `@connections` that does not name a connection.
    NoConnection(String),
    /// The path that WebSockets connect to.
    Socket,
    /// Any other path.
    Unknown {
        /// The expected path, for the log.
        expected: String,
    },
}

/// Parses `/{stage}/@connections/{id}` or, on the custom domain, `/@connections/{id}`.
///
/// Each part may be percent-encoded once.
pub(crate) fn target(options: &Options, host: Option<&str>, path: &str) -> Target {
    let domain_name = options.domain_name.as_deref();
    let address = Address::of(&options.stage, domain_name, host, path);
    if address.is_websocket_endpoint() {
        return Target::Socket;
    }
    let parts = address.path_below_stage.map(|below| {
        let parts = below.split('/').skip(1);
        parts
            .map(|part| percent_decode_str(part).decode_utf8_lossy())
            .collect::<Vec<_>>()
    });
    let parts = parts.unwrap_or_default();
    match parts.split_first() {
        Some((first, [id])) if first == CONNECTIONS && !id.is_empty() => {
            Target::Connection(id.clone().into_owned())
        }
        Some((first, _)) if first == CONNECTIONS => Target::NoConnection(parts.join("/")),
        _ => Target::Unknown {
            expected: format!("{CONNECTIONS}/{{connectionId}} below {}", address.expected),
        },
    }
}

const CONNECTIONS: &str = "@connections";

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "R1kmxc2VNjMCFIA=";

    fn check(host: &str, path: &str) -> Target {
        let options = Options {
            domain_name: Some("chat.example.com".to_owned()),
            ..Options::sample()
        };
        target(&options, Some(host), path)
    }

    fn connection(id: &str) -> Target {
        Target::Connection(id.to_owned())
    }

    #[test]
    fn an_id_may_be_percent_encoded_once() {
        for path in [
            "/dev/@connections/R1kmxc2VNjMCFIA=",
            "/dev/%40connections/R1kmxc2VNjMCFIA%3D",
            "/dev/%40connections/R1kmxc2VNjMCFIA%3d",
        ] {
            assert_eq!(check("h:1", path), connection(ID), "{path}");
        }
        let twice = check("h:1", "/dev/@connections/R1kmxc2VNjMCFIA%253D");
        assert_eq!(twice, connection("R1kmxc2VNjMCFIA%3D"));
    }

    #[test]
    fn on_the_custom_domain_the_path_has_no_stage() {
        let path = format!("/@connections/{ID}");
        assert_eq!(check("chat.example.com", &path), connection(ID));
        let is_unknown = |target| matches!(target, Target::Unknown { .. });
        let staged = format!("/dev{path}");
        assert!(is_unknown(check("chat.example.com", &staged)));
        assert!(is_unknown(check("h:1", &path)));
        assert_eq!(check("h:1", &staged), connection(ID));
    }

    #[test]
    fn other_paths_below_connections_name_no_connection() {
        for (path, route) in [
            ("/dev/@connections", "@connections"),
            ("/dev/@connections/", "@connections/"),
            ("/dev/@connections/a/b", "@connections/a/b"),
        ] {
            assert_eq!(check("h:1", path), Target::NoConnection(route.to_owned()));
        }
    }

    #[test]
    fn all_other_paths_except_the_websocket_path_are_unknown() {
        for path in [
            "/",
            "/prod/@connections/a",
            "/dev/a",
            "/dev//@connections/a",
        ] {
            let expected = "@connections/{connectionId} below /dev".to_owned();
            assert_eq!(check("h:1", path), Target::Unknown { expected }, "{path}");
        }
        assert_eq!(check("h:1", "/dev"), Target::Socket);
        assert_eq!(check("h:1", "/dev/"), Target::Socket);
    }
}
