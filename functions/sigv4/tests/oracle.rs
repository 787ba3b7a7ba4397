//! Signatures compared with those of the AWS SDK and of AWS's own example.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        SignableBody, SignableRequest, SignatureLocation, SigningInstructions, SigningSettings,
        sign,
    },
    sign::v4::SigningParams,
};
use proptest::{collection::vec, option, prelude::*};
use sluice_sigv4::{
    ALGORITHM, Request, Scope, canonical_request, query_string, sha256_hex, signature,
    string_to_sign,
};

const HOST: &str = "example.amazonaws.com";
const KEY_ID: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TIME: &str = "20150830T123600Z";
/// The same in seconds since 1970.
const TIME_SECONDS: u64 = 1_440_938_160;
const SCOPE: Scope<'static> = Scope {
    date: "20150830",
    region: "us-east-1",
    service: "service",
};

/// Our signature of a request.
fn ours(request: &Request<'_>, signed_headers: &[&str], body: &str) -> String {
    let canonical = canonical_request(request, signed_headers, &sha256_hex(body));
    signature(SECRET, &SCOPE, &string_to_sign(TIME, &SCOPE, &canonical))
}

/// What the SDK adds to a request to sign it.
fn theirs(
    request: &Request<'_>,
    body: &str,
    token: Option<&str>,
    location: SignatureLocation,
) -> SigningInstructions {
    let token = token.map(str::to_owned);
    let identity = Credentials::new(KEY_ID, SECRET, token, None, "test").into();
    let mut settings = SigningSettings::default();
    if location == SignatureLocation::QueryParams {
        settings.expires_in = Some(Duration::from_secs(600));
    }
    settings.signature_location = location;
    let params = SigningParams::builder()
        .identity(&identity)
        .region(SCOPE.region)
        .name(SCOPE.service)
        .time(SystemTime::UNIX_EPOCH + Duration::from_secs(TIME_SECONDS))
        .settings(settings)
        .build()
        .expect("all parameters");
    let query = match request.query {
        "" => String::new(),
        query => format!("?{query}"),
    };
    let signable = SignableRequest::new(
        request.method,
        format!("https://{HOST}{}{query}", request.path),
        request.headers.iter().copied(),
        SignableBody::Bytes(body.as_bytes()),
    );
    let output = sign(signable.expect("a request"), &params.into()).expect("a signature");
    output.into_parts().0
}

fn check_header(request: &Request<'_>, body: &str, token: Option<&str>) {
    let theirs = theirs(request, body, token, SignatureLocation::Headers);
    let theirs: Vec<(&str, &str)> = theirs.headers().collect();
    let is_authorization = |(name, _): &&(&str, &str)| *name == "authorization";
    let (_, authorization) = theirs.iter().find(is_authorization).expect("a signature");
    let (_, signed) = authorization.split_once("SignedHeaders=").expect("names");
    let (signed, _) = signed.split_once(',').expect("a signature");
    let mut request = request.clone();
    request.headers.extend(&theirs);

    let names: Vec<&str> = signed.split(';').collect();
    let ours = ours(&request, &names, body);
    assert_eq!(
        format!(
            "{ALGORITHM} Credential={KEY_ID}/{SCOPE}, SignedHeaders={signed}, Signature={ours}"
        ),
        *authorization,
        "{request:?}"
    );
}

fn check_presigned(request: &Request<'_>, token: Option<&str>) {
    let theirs = theirs(request, "", token, SignatureLocation::QueryParams);
    let parameters: Vec<(&str, &str)> = theirs
        .params()
        .iter()
        .map(|(name, value)| (*name, &**value))
        .collect();
    let is_signature = |(name, _): &&(&str, &str)| *name == "X-Amz-Signature";
    let (_, expected) = parameters.iter().find(is_signature).expect("a signature");
    let query = format!("{}&{}", request.query, query_string(&parameters));
    let request = Request {
        query: &query,
        ..request.clone()
    };
    assert_eq!(ours(&request, &["host"], ""), *expected, "{request:?}");
}

fn get<'a>(path: &'a str, query: &'a str) -> Request<'a> {
    Request {
        method: "GET",
        path,
        query,
        headers: vec![("host", HOST)],
    }
}

/// `get-vanilla` of AWS's test suite for signers.
#[test]
fn awss_own_example_has_the_documented_signature() {
    let mut request = get("/", "");
    request.headers.push(("X-Amz-Date", TIME));
    assert_eq!(
        ours(&request, &["host", "x-amz-date"], ""),
        "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
}

#[test]
fn requests_that_need_care_are_signed_as_by_the_sdk() {
    for (path, query) in [
        ("/", ""),
        ("/dev/%40connections/R1kmxc2VNjMCFIA%3D", ""),
        ("/dev/@connections/R1kmxc2VNjMCFIA=", "b=2&a=1&a=0"),
        ("/a//b/./c/../d/", "a=x%20y&a=%C3%A9&A=1"),
        ("/..", "a&b="),
    ] {
        check_header(&get(path, query), "", None);
        check_header(&get(path, query), "", Some("to/ken+="));
        check_presigned(&get(path, query), None);
        check_presigned(&get(path, query), Some("to/ken+="));
    }
}

proptest! {
    #[test]
    fn any_request_is_signed_as_by_the_sdk(
        path in "(/([A-Za-z0-9_~@=:-]|%[0-9A-F]{2}){1,5}){0,4}/?",
        parameters in vec(("[a-z -~é]{1,3}", "[ -~é]{0,4}"), 0..5),
        value in "[!-~]([ -~]{0,8}[!-~])?",
        body in ".{0,9}",
        token in option::of("[!-~]{1,9}"),
    ) {
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (&**name, &**value)).collect();
        let query = query_string(&parameters);
        let mut request = get(&path, &query);
        check_presigned(&request, token.as_deref());
        request.method = "POST";
        request.headers.push(("x-odd", &value));
        check_header(&request, &body, token.as_deref());
    }
}
