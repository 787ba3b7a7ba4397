//! Maps a request's `Host` and path to the API's domain name and stage.

/// The target of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// The API's domain name, as events show it.
    pub(crate) domain_name: &'a str,
    /// The path below the stage, empty or `/` for WebSockets. `None` if the path is not below the
    /// stage.
    pub(crate) path_below_stage: Option<&'a str>,
    /// How the path should start, for the log.
    pub(crate) expected: String,
}

impl<'a> Address<'a> {
    /// Parses `Host` and path. The path starts with the stage, except on the custom domain.
    pub(crate) fn of(
        stage: &str,
        custom_domain: Option<&'a str>,
        host: Option<&'a str>,
        path: &'a str,
    ) -> Self {
        let host = host.unwrap_or_default();
        match custom_domain.filter(|name| host_matches(name, host)) {
            Some(domain_name) => Self {
                domain_name,
                path_below_stage: Some(path),
                expected: format!("/ (without the stage, because {domain_name} is mapped to it)"),
            },
            None => Self {
                domain_name: host,
                path_below_stage: below_stage(stage, path),
                expected: format!("/{stage}"),
            },
        }
    }

    /// Whether this is the path that WebSockets connect to.
    pub(crate) fn is_websocket_endpoint(&self) -> bool {
        matches!(self.path_below_stage, Some("" | "/"))
    }
}

fn host_matches(name: &str, host: &str) -> bool {
    let (host, port) = host.rsplit_once(':').unwrap_or((host, ""));
    host.eq_ignore_ascii_case(name) && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn below_stage<'a>(stage: &str, path: &'a str) -> Option<&'a str> {
    let below = path.strip_prefix('/')?.strip_prefix(stage)?;
    (below.is_empty() || below.starts_with('/')).then_some(below)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The domain name and the path below the stage.
    fn check(host: &str, path: &str) -> (String, Option<String>) {
        let address = Address::of("dev", Some("chat.example.com"), Some(host), path);
        (
            address.domain_name.to_owned(),
            address.path_below_stage.map(str::to_owned),
        )
    }

    fn at(domain_name: &str, below: &str) -> (String, Option<String>) {
        (domain_name.to_owned(), Some(below.to_owned()))
    }

    #[test]
    fn the_path_starts_with_the_stage() {
        assert_eq!(check("localhost:3001", "/dev"), at("localhost:3001", ""));
        assert_eq!(check("localhost:3001", "/dev/"), at("localhost:3001", "/"));
        assert_eq!(
            check("h", "/dev/@connections/a"),
            at("h", "/@connections/a")
        );
        assert_eq!(check("h", "/development").1, None);
        assert_eq!(check("h", "/prod").1, None);
        assert_eq!(check("h", "/").1, None);
    }

    #[test]
    fn on_the_custom_domain_the_path_has_no_stage() {
        let domain = "chat.example.com";
        assert_eq!(check(domain, "/"), at(domain, "/"));
        assert_eq!(check("Chat.Example.com:3001", "/"), at(domain, "/"));
        assert_eq!(
            check(domain, "/@connections/a"),
            at(domain, "/@connections/a")
        );
        assert_eq!(check(domain, "/dev"), at(domain, "/dev"));
        assert_eq!(check("a.chat.example.com", "/").1, None);
    }
}
