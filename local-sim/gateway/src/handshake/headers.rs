//! The headers and the query of a handshake, as events show them.

use crate::{
    event::{
        self,
        caller::Caller,
        multi_map::{MultiMap, group},
    },
    http::head::Head,
};

/// The headers for events, grouped by name.
///
/// Hop-by-hop headers are removed, and the gateway's own headers are added.
pub(crate) fn event_headers(head: &Head, caller: &Caller) -> MultiMap {
    let is_gateway_header = |name: &str| {
        GATEWAY_HEADERS
            .iter()
            .any(|header| name.eq_ignore_ascii_case(header))
    };
    let passed = head
        .headers
        .iter()
        .filter(|(name, _)| !is_gateway_header(name))
        .cloned();
    let forwarded: Vec<&str> = head
        .values("x-forwarded-for")
        .chain([caller.source_ip.as_str()])
        .collect();
    let added = [
        ("X-Amzn-Trace-Id", trace_id(caller.connected_at)),
        ("X-Forwarded-For", forwarded.join(", ")),
        ("X-Forwarded-Port", "443".to_owned()),
        ("X-Forwarded-Proto", "https".to_owned()),
    ];
    let all = passed.chain(added.map(|(name, value)| (name.to_owned(), value)));
    let mut headers = group(all, str::eq_ignore_ascii_case);
    event::sort(&mut headers);
    headers
}

/// Headers that are not passed on: they are hop-by-hop, or the gateway sets them itself.
const GATEWAY_HEADERS: [&str; 7] = [
    "connection",
    "upgrade",
    "content-length",
    "x-amzn-trace-id",
    "x-forwarded-for",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// An X-Ray trace id: `Root=1-{time in seconds, 8 hex digits}-{24 random hex digits}`.
fn trace_id(ms: i64) -> String {
    format!("Root=1-{:08x}-{:024x}", ms / 1000, fastrand::u128(..) >> 32)
}

/// The decoded values of the query string, grouped by name.
pub(crate) fn query_parameters(query: &str) -> MultiMap {
    group(
        form_urlencoded::parse(query.as_bytes()).into_owned(),
        |one, other| one == other,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Id;

    fn owned(expected: &[(&str, &[&str])]) -> MultiMap {
        expected
            .iter()
            .map(|(name, values)| {
                let values = values.iter().map(|value| (*value).to_owned());
                ((*name).to_owned(), values.collect())
            })
            .collect()
    }

    fn check(query: &str, expected: &[(&str, &[&str])]) {
        assert_eq!(query_parameters(query), owned(expected), "{query}");
    }

    #[test]
    fn query_values_are_decoded_and_grouped() {
        check("", &[]);
        check("a", &[("a", &[""])]);
        check(
            "a=1+2&A=&b=%C3%A9&a=x%3Dy",
            &[("a", &["1 2", "x=y"]), ("A", &[""]), ("b", &["\u{e9}"])],
        );
        check("%61=%zz&=1", &[("a", &["%zz"]), ("", &["1"])]);
    }

    #[test]
    fn headers_are_sorted_and_keep_their_case_and_values() {
        let caller = Caller {
            connection_id: Id::parse("R1kmxc2VNjMCFIA=").unwrap(),
            connected_at: 1_689_794_896_145,
            domain_name: "h".into(),
            source_ip: "10.0.0.1".into(),
            user_agent: None,
            principal: None,
        };
        let headers = [
            ("x-b", "1"),
            ("Host", "h"),
            ("Connection", "Upgrade"),
            ("X-B", "2"),
            ("x-forwarded-for", "1.1.1.1"),
            ("X-Forwarded-Proto", "http"),
            ("Cookie", "a=b"),
        ];
        let head = Head {
            method: "GET".into(),
            target: "/".into(),
            headers: headers
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
        };
        let mut headers = event_headers(&head, &caller);
        let trace = headers.remove(2);
        assert_eq!(trace.0, "X-Amzn-Trace-Id");
        assert!(trace.1[0].starts_with("Root=1-64b83950-"), "{trace:?}");
        assert_eq!(
            headers,
            owned(&[
                ("Cookie", &["a=b"]),
                ("Host", &["h"]),
                ("x-b", &["1", "2"]),
                ("X-Forwarded-For", &["1.1.1.1, 10.0.0.1"]),
                ("X-Forwarded-Port", &["443"]),
                ("X-Forwarded-Proto", &["https"]),
            ])
        );
    }

    #[test]
    fn a_trace_id_has_the_length_of_a_recorded_one() {
        let id = trace_id(1_689_794_896_145);
        assert_eq!(id.len(), "Root=1-64b83950-42de8e247b4c2b43091ef67c".len());
    }
}
