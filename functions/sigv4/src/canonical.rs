//! The canonical request: the text that signer and verifier both hash.

use percent_encoding::percent_decode_str;

use crate::encoding::percent_encode;

/// A request as it is sent.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// In upper case.
    pub method: &'a str,
    /// Percent-encoded, as in the request line.
    pub path: &'a str,
    /// Percent-encoded, without `?`; empty if there is none.
    pub query: &'a str,
    /// Names are compared without regard to case.
    pub headers: Vec<(&'a str, &'a str)>,
}

/// The canonical form of a request.
///
/// `signed_headers` are the lowercase names in the order of the signature's
/// `SignedHeaders`, which a signer sorts. `payload_hash` is the
/// [`sha256_hex`](crate::sha256_hex) of the body, or `UNSIGNED-PAYLOAD` for the
/// services that accept it.
///
/// The path is normalised and encoded a second time, which every service but
/// S3 requires: `/%40` is signed as `/%2540`.
pub fn canonical_request(
    request: &Request<'_>,
    signed_headers: &[impl AsRef<str>],
    payload_hash: &str,
) -> String {
    let names: Vec<&str> = signed_headers.iter().map(AsRef::as_ref).collect();
    let headers: String = names.iter().map(|name| header(request, name)).collect();
    format!(
        "{}\n{}\n{}\n{headers}\n{}\n{payload_hash}",
        request.method,
        path(request.path),
        query(request.query),
        names.join(";"),
    )
}

/// The line of a header, with all of its values.
fn header(request: &Request<'_>, name: &str) -> String {
    let values: Vec<String> = request
        .headers
        .iter()
        .filter(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| collapse(value))
        .collect();
    format!("{name}:{}\n", values.join(","))
}

/// A header's value, trimmed, with each run of blanks as one space.
fn collapse(value: &str) -> String {
    value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// The path without empty and dot segments, each segment encoded once more.
fn path(path: &str) -> String {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            segment => segments.push(percent_encode(segment)),
        }
    }
    let has_tail = path.ends_with('/') && !segments.is_empty();
    let tail = if has_tail { "/" } else { "" };
    format!("/{}{tail}", segments.join("/"))
}

/// The parameters sorted, each encoded in the canonical way.
///
/// A presigned URL carries its own signature, which is left out.
fn query(query: &str) -> String {
    let mut parameters: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| (reencode(name), reencode(value)))
        .collect();
    parameters.sort_unstable();
    let pairs: Vec<String> = parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    pairs.join("&")
}

fn reencode(text: &str) -> String {
    percent_encode(percent_decode_str(text).collect::<Vec<u8>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_normalised_and_encoded_once_more() {
        for (sent, signed) in [
            ("", "/"),
            ("/", "/"),
            ("//", "/"),
            ("/a//b/./c/../d", "/a/b/d"),
            ("/../a/", "/a/"),
            ("/%40connections/a=", "/%2540connections/a%3D"),
        ] {
            assert_eq!(path(sent), signed, "{sent:?}");
        }
    }

    #[test]
    fn a_query_is_sorted_and_encoded_in_one_way_without_its_signature() {
        for (sent, signed) in [
            ("", ""),
            ("b=2&a=1", "a=1&b=2"),
            ("a=2&a=1&", "a=1&a=2"),
            ("a", "a="),
            ("a=b=c", "a=b%3Dc"),
            ("a=%7e+%c3%a9%ff", "a=~%2B%C3%A9%FF"),
            ("a=1&X-Amz-Signature=0", "a=1"),
        ] {
            assert_eq!(query(sent), signed, "{sent:?}");
        }
    }

    #[test]
    fn headers_are_signed_as_named_with_all_their_values() {
        let request = Request {
            method: "GET",
            path: "/",
            query: "",
            headers: vec![("B", " x \t y "), ("a", "1"), ("b", "2"), ("c", "3")],
        };
        assert_eq!(
            canonical_request(&request, &["b", "a", "none"], "UNSIGNED-PAYLOAD"),
            "GET\n/\n\nb:x y,2\na:1\nnone:\n\nb;a;none\nUNSIGNED-PAYLOAD"
        );
    }
}
