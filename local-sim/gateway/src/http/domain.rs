//! Under which names the API is reached, and so what its paths begin with.

/// What a request is addressed to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Address<'a> {
    /// The API's name, as events show it.
    pub(crate) domain_name: &'a str,
    /// What is left of the path below the stage: empty or `/` where WebSockets open. `None` where it is not below.
    pub(crate) path_below_stage: Option<&'a str>,
    /// What its beginning should have been.
    pub(crate) expected: String,
}

impl<'a> Address<'a> {
    /// Reads `Host` and path. On the custom domain the path names no stage; under every other name it must.
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
                expected: format!("/ (no stage: {domain_name} is mapped to one)"),
            },
            None => Self {
                domain_name: host,
                path_below_stage: below_stage(stage, path),
                expected: format!("/{stage}"),
            },
        }
    }

    /// Whether it is where WebSockets open.
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

    /// The domain's name, and what is below the stage.
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
    fn the_path_begins_with_the_stage() {
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
    fn on_the_custom_domain_it_does_not() {
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
