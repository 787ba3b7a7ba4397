//! Keeps other sites' pages out: a browser would send their requests here, too.
//!
//! A page of another origin is told by its `Origin`, a name that was made to point here (DNS rebinding) by
//! `Host`, and a form that a page sends without asking by its content type.

use std::net::{IpAddr, SocketAddr};

use hyper::{
    Method, StatusCode,
    header::{CONTENT_TYPE, HOST, HeaderMap, HeaderName, ORIGIN},
};

use super::answer::Refusal;

/// Checks who asks, at the address `own`.
///
/// # Errors
/// 403 for a foreign `Host` or `Origin`, 415 for a change whose body is not said to be JSON.
pub(super) fn check(own: IpAddr, method: &Method, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = single(headers, &HOST)?.unwrap_or_default();
    if !is_own(own, host) {
        return Err(foreign("Host", host, "this machine's"));
    }
    if let Some(origin) = single(headers, &ORIGIN)?
        && origin.strip_prefix("http://") != Some(host)
    {
        return Err(foreign("Origin", origin, "the console's own"));
    }
    let is_change = !matches!(*method, Method::GET | Method::HEAD);
    let content_type = single(headers, &CONTENT_TYPE)?;
    if is_change && !content_type.is_some_and(is_json) {
        let found = content_type.map_or_else(|| "none".to_owned(), |it| format!("{it:?}"));
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("Content-Type: found {found}, expected application/json"),
        ));
    }
    Ok(())
}

/// The value of a header that may be there once.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(|value| value.to_str());
    match (value.transpose(), values.next()) {
        (Ok(value), None) => Ok(value),
        _ => Err(Refusal::new(
            StatusCode::FORBIDDEN,
            format!("{name}: expected one text"),
        )),
    }
}

/// Whether a host is this machine as the client must have reached it; the port may have been mapped.
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
            // Of a socket that listens on `[::]`, an IPv4 address is mapped to one of IPv6.
            address == own.to_canonical() || address.is_loopback()
        }
        None => name.eq_ignore_ascii_case("localhost"),
    }
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn foreign(name: &str, found: &str, expected: &str) -> Refusal {
    Refusal::new(
        StatusCode::FORBIDDEN,
        format!("{name}: found {found:?}, expected {expected}"),
    )
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use hyper::header::HeaderValue;

    use super::*;

    /// What a request with these headers is told.
    fn check(method: &Method, given: &[(HeaderName, &'static str)]) -> Result<(), String> {
        let headers = given
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        // `append`, unlike `collect`, keeps both of two.
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name, value);
        }
        super::check(Ipv4Addr::LOCALHOST.into(), method, &map)
            .map_err(|refusal| format!("{refusal:?}"))
    }

    fn is_let_in(given: &[(HeaderName, &'static str)]) -> bool {
        check(&Method::GET, given).is_ok()
    }

    #[test]
    fn the_machines_own_names_are_let_in() {
        for host in [
            "127.0.0.1:3002",
            "localhost:3002",
            "LOCALHOST",
            "[::1]:3002",
            "[::1]",
            "127.0.0.1",
        ] {
            assert!(is_let_in(&[(HOST, host)]), "{host}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for host in [
            "",
            "evil.example",
            "evil.example:3002",
            "localhost.evil.example",
            "localhost:evil",
            "192.0.2.1:3002",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_let_in(&[(HOST, host)]), "{host}");
        }
        assert!(!is_let_in(&[]));
        assert!(!is_let_in(&[(HOST, "localhost"), (HOST, "evil.example")]));
    }

    #[test]
    fn an_address_that_is_listened_on_is_its_own() {
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
    fn only_the_consoles_own_pages_may_ask() {
        let host = (HOST, "localhost:3002");
        assert!(is_let_in(&[
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
            assert!(!is_let_in(&[host.clone(), (ORIGIN, origin)]), "{origin}");
        }
    }

    #[test]
    fn a_change_is_json() {
        let host = (HOST, "localhost");
        for json in ["application/json", "Application/JSON; charset=utf-8"] {
            let given = [host.clone(), (CONTENT_TYPE, json)];
            assert_eq!(check(&Method::POST, &given), Ok(()), "{json}");
        }
        for other in ["text/plain", "application/x-www-form-urlencoded", ""] {
            let given = [host.clone(), (CONTENT_TYPE, other)];
            let refusal = check(&Method::POST, &given).unwrap_err();
            let found = format!("found {other:?}, expected")
                .escape_debug()
                .to_string();
            assert!(refusal.contains(&found), "{refusal}");
        }
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let refusal = check(&method, &[(HOST, "localhost")]).unwrap_err();
            assert!(refusal.contains("415"), "{refusal}");
            assert!(refusal.contains("found none, expected"), "{refusal}");
        }
    }
}
