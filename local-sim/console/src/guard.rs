//! Refuses requests that a browser sends on behalf of pages from other origins.
//!
//! `Origin` reveals a page of another origin, and `Host` reveals DNS rebinding. The content type
//! reveals a form, which a page can send without a preflight request.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN},
};

use super::response::ApiError;

/// Checks the headers of a request that arrived at the address `own`.
///
/// # Errors
/// 403 for a foreign `Host` or `Origin`, 415 for a change whose content type is not JSON.
pub(super) fn check(own: IpAddr, method: &Method, headers: &HeaderMap) -> Result<(), ApiError> {
    let host = single(headers, &HOST)?.unwrap_or_default();
    if !is_own(own, host) {
        return Err(foreign("Host", host, "this machine"));
    }
    if let Some(origin) = single(headers, &ORIGIN)?
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err(foreign("Origin", origin, "the console's origin"));
    }
    let is_change = !matches!(*method, Method::GET | Method::HEAD);
    let content_type = single(headers, &CONTENT_TYPE)?;
    if is_change && !content_type.is_some_and(is_json) {
        let found = content_type.map_or_else(
            || "missing".to_owned(),
            |it| format!("invalid value {it:?}"),
        );
        return Err(ApiError::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Type: {found} (expected application/json)"),
        ));
    }
    Ok(())
}

/// The value of a header that may occur at most once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(ApiError::new(
            StatusCode::FORBIDDEN,
            format!("{name}: occurs more than once or is not visible ASCII"),
        )),
    }
}

/// Whether `host` names this machine, with any port, since ports can be forwarded.
fn is_own(own: IpAddr, host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let address = match host.parse::<SocketAddr>() {
        Ok(address) => Some(address.ip()),
        Err(_) => name.trim_matches(['[', ']']).parse().ok(),
    };
    match address {
        Some(address) => {
            let address = address.to_canonical();
            // A socket bound to `[::]` reports IPv4 addresses as IPv4-mapped IPv6 addresses.
            address == own.to_canonical() || address.is_loopback()
        }
        None => name.eq_ignore_ascii_case("localhost"),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn foreign(name: &str, value: &str, own: &str) -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        format!("{name}: {value:?} is not {own}"),
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hyper::header::HeaderValue;

    use super::*;

    /// Checks a request with these headers; returns the error as text.
    fn check(method: &Method, given: &[(HeaderName, &'static str)]) -> Result<(), String> {
        let headers = given
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        // Unlike `collect`, `append` keeps both values of a repeated header.
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        super::check(Ipv4Addr::LOCALHOST.into(), method, &map).map_err(|error| format!("{error:?}"))
    }

    fn is_allowed(given: &[(HeaderName, &'static str)]) -> bool {
        check(&Method::GET, given).is_ok()
    }

    #[test]
    fn the_machines_own_names_are_allowed() {
        for host in [
            "127.0.0.1:3002",
            "localhost:3002",
            "LOCALHOST",
            "[::1]:3002",
            "[::1]",
            "127.0.0.1",
        ] {
            assert!(is_allowed(&[(HOST, host)]), "{host}");
        }
    }

    #[test]
    fn other_hosts_are_refused() {
        for host in [
            "",
            "evil.example",
            "evil.example:3002",
            "localhost.evil.example",
            "localhost:evil",
            "192.0.2.1:3002",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_allowed(&[(HOST, host)]), "{host}");
        }
        assert!(!is_allowed(&[]));
        assert!(!is_allowed(&[(HOST, "localhost"), (HOST, "evil.example")]));
    }

    #[test]
    fn the_local_address_of_the_socket_is_allowed() {
        let v4 = Ipv4Addr::new(192, 0, 2, 1);
        let check = |own: IpAddr, host| {
            let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
            super::check(own, &Method::GET, &headers).is_ok()
        };
        for own in [v4.into(), v4.to_ipv6_mapped().into()] {
            for host in ["192.0.2.1:3002", "192.0.2.1", "[::ffff:192.0.2.1]:3002"] {
                assert!(check(own, host), "{own} {host}");
            }
            assert!(!check(own, "192.0.2.2:3002"), "{own}");
        }
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        assert!(check(v6.into(), "[2001:db8::1]:3002"));
        assert!(!check(v6.into(), "192.0.2.1:3002"));
    }

    #[test]
    fn only_pages_of_the_consoles_origin_are_allowed() {
        let host = (HOST, "localhost:3002");
        assert!(is_allowed(&[
            host.clone(),
            (ORIGIN, "http://localhost:3002")
        ]));
        for origin in [
            "null",
            "http://evil.example",
            "http://localhost:5173",
            "https://localhost:3002",
            "http://127.0.0.1:3002",
        ] {
            assert!(!is_allowed(&[host.clone(), (ORIGIN, origin)]), "{origin}");
        }
    }

    #[test]
    fn a_change_requires_a_json_content_type() {
        let host = (HOST, "localhost");
        for json in ["application/json", "Application/JSON; charset=utf-8"] {
            let given = [host.clone(), (CONTENT_TYPE, json)];
            assert_eq!(check(&Method::POST, &given), Ok(()), "{json}");
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let given = [host.clone(), (CONTENT_TYPE, other)];
            let error = check(&Method::POST, &given).unwrap_err();
            let found = format!("invalid value {other:?} (expected")
                .escape_debug()
                .to_string();
            assert!(error.contains(&found), "{error}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let error = check(&method, &[(HOST, "localhost")]).unwrap_err();
            assert!(error.contains("415"), "{error}");
            assert!(error.contains("missing (expected"), "{error}");
        }
    }
}
