//! What a request's path names.

use percent_encoding::percent_decode_str;

use crate::{http::domain::Address, options::Options};

/// What a path names.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A connection, by what may be its id.
    Connection(String),
    /// Nothing, although it is below `@connections`.
    NoConnection(String),
    /// Where a WebSocket can be opened.
    Socket,
    /// Nothing.
    Unknown {
        /// What was expected.
        expected: String,
    },
}

/// Reads `/{stage}/@connections/{id}`, or on the custom domain `/@connections/{id}`; each part may be
/// percent-encoded once.
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
    fn a_path_names_a_connection_raw_or_encoded_once() {
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
    fn on_the_custom_domain_there_is_no_stage() {
        let path = format!("/@connections/{ID}");
        assert_eq!(check("chat.example.com", &path), connection(ID));
        let is_unknown = |target| matches!(target, Target::Unknown { .. });
        let staged = format!("/dev{path}");
        assert!(is_unknown(check("chat.example.com", &staged)));
        assert!(is_unknown(check("h:1", &path)));
        assert_eq!(check("h:1", &staged), connection(ID));
    }

    #[test]
    fn below_connections_there_is_nothing_else() {
        for (path, route) in [
            ("/dev/@connections", "@connections"),
            ("/dev/@connections/", "@connections/"),
            ("/dev/@connections/a/b", "@connections/a/b"),
        ] {
            assert_eq!(check("h:1", path), Target::NoConnection(route.to_owned()));
        }
    }

    #[test]
    fn everything_else_is_unknown_but_where_sockets_open() {
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
