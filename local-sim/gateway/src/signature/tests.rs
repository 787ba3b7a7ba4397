//! Tests with signatures made by botocore, and with invalid ones.

use super::*;

const POST: &str = "777b4be7225d429ce3ddcd513af701ed5ff48a1ee776ebd457ed2bfa526b41bc";
const PRESIGNED: &str = "b=2&a=1&X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=sluice%2F20240120%2Feu-west-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20240120T115508Z\
    &X-Amz-Expires=600&X-Amz-SignedHeaders=host\
    &X-Amz-Signature=ebacad339dafabe99d352fa5de2bd73c3345ab4a8a52a1e03d1556f88bbe8cec";
const PRESIGNED_WITH_TOKEN: &str = "b=2&a=1&X-Amz-Algorithm=AWS4-HMAC-SHA256\
    &X-Amz-Credential=sluice%2F20240120%2Feu-west-1%2Fexecute-api%2Faws4_request&X-Amz-Date=20240120T115508Z\
    &X-Amz-Expires=600&X-Amz-SignedHeaders=host&X-Amz-Security-Token=to%2Fken%2B%3D\
    &X-Amz-Signature=424d09822da451cfb3c8d68d65ec7f9e44afcc8d9b74a6a5f03292f31c1f6ad6";

fn at(text: &str) -> DateTime<Utc> {
    parse(text).expect("a time")
}

fn authorization(signature: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential=sluice/20240120/us-east-1/execute-api/aws4_request, \
         SignedHeaders=host;x-amz-date;x-odd, Signature={signature}"
    )
}

fn request<'a>(
    method: &'a str,
    path: &'a str,
    query: &'a str,
    authorization: &'a str,
) -> Request<'a> {
    let mut headers = vec![
        ("Host", "127.0.0.1:3001"),
        ("X-Odd", "  a   b "),
        ("X-Amz-Date", "20240120T115508Z"),
    ];
    if !authorization.is_empty() {
        headers.push(("Authorization", authorization));
    }
    Request {
        method,
        path,
        query,
        headers,
    }
}

fn post(authorization: &str) -> Request<'_> {
    request(
        "POST",
        "/dev/%40connections/R1kmxc2VNjMCFIA%3D",
        "",
        authorization,
    )
}

/// Verifies a request one minute after it was signed.
fn check(request: &Request<'_>, body: &str) -> Result<(), SignatureError> {
    Signature::find(request, at("20240120T115608Z"))?.verify(request, body.as_bytes())
}

fn refused(request: &Request<'_>) -> String {
    let error = check(request, "hello").unwrap_err();
    format!("{}: {}", error.error_type, error.message)
}

#[test]
fn signatures_by_botocore_are_valid() {
    assert_eq!(check(&post(&authorization(POST)), "hello"), Ok(()));
    let raw = authorization("f938d184786eac2df46b7960e21d1329d15e86df8dd51fdd3f0a753eb856a50a");
    let raw = request("GET", "/dev/@connections/R1kmxc2VNjMCFIA=", "", &raw);
    assert_eq!(check(&raw, ""), Ok(()));
    let query = authorization("6ca58d7e5166c62621952ac554407492e40e3903c9cdbad596fa95643d941196");
    let query = request("GET", "/dev", "b=2&a=x%20y&a=%C3%A9", &query);
    assert_eq!(check(&query, ""), Ok(()));
}

#[test]
fn a_presigned_query_is_valid_with_and_without_a_token() {
    assert_eq!(check(&request("GET", "/dev", PRESIGNED, ""), ""), Ok(()));
    assert_eq!(
        check(&request("GET", "/dev", PRESIGNED_WITH_TOKEN, ""), ""),
        Ok(())
    );
}

#[test]
fn a_changed_request_is_refused_with_the_expected_canonical_request() {
    let signed = authorization(POST);
    let mismatch = "InvalidSignatureException: The request signature we calculated does not match";
    let mut other = post(&signed);
    other.method = "DELETE";
    assert!(refused(&other).starts_with(mismatch));
    other = post(&signed);
    other.path = "/dev/%40connections/R1kmxc2VNjMCFIB%3D";
    let told = refused(&other);
    assert!(
        told.contains("\n/dev/%2540connections/R1kmxc2VNjMCFIB%253D\n"),
        "{told}"
    );
    other = post(&signed);
    other.query = "a=1";
    assert!(refused(&other).starts_with(mismatch));
    other = post(&signed);
    other.headers[1].1 = "c";
    assert!(refused(&other).starts_with(mismatch));
    assert!(check(&post(&signed), "hallo").is_err());
}

#[test]
fn a_request_without_a_signature_is_refused() {
    assert_eq!(
        refused(&post("")),
        "MissingAuthenticationTokenException: Missing Authentication Token"
    );
}

#[test]
fn an_unknown_key_has_its_own_error() {
    let other = authorization(POST).replace("Credential=sluice", "Credential=AKIDEXAMPLE");
    let signature = Signature::find(&post(&other), at("20240120T115608Z")).unwrap();
    assert!(!signature.is_of_known_key());
    assert_eq!(
        refused(&post(&other)),
        "UnrecognizedClientException: The security token included in the request is invalid."
    );
}

#[test]
fn the_error_names_the_missing_or_invalid_part() {
    assert_eq!(
        refused(&post("Bearer abc")),
        "IncompleteSignatureException: Unsupported AWS 'algorithm': 'Bearer'."
    );
    let told = refused(&post("AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host"));
    assert!(
        told.contains("Authorization header requires 'Signature' parameter. Auth"),
        "{told}"
    );
    let told = refused(&post("abc"));
    assert!(told.contains("requires 'Credential' parameter. "), "{told}");
    let told = refused(&post(
        &authorization(POST).replace("sluice/20240120/", "sluice/"),
    ));
    assert!(
        told.contains("exactly 5 slash-delimited elements"),
        "{told}"
    );
    let told = refused(&request(
        "GET",
        "/dev",
        &PRESIGNED.replace("X-Amz-SignedHeaders", "X"),
        "",
    ));
    assert!(
        told.contains("must include 'X-Amz-SignedHeaders'"),
        "{told}"
    );
    let told = refused(&request(
        "GET",
        "/dev",
        &PRESIGNED.replace("=600", "=604801"),
        "",
    ));
    assert!(
        told.contains("between 1 and 604800, got '604801'"),
        "{told}"
    );
    let told = refused(&post(&authorization(POST).replace("host;", "")));
    assert!(
        told.contains("'Host' or ':authority' must be a 'SignedHeader'"),
        "{told}"
    );
}

#[test]
fn the_error_names_the_wrong_part_of_the_scope() {
    let told = refused(&post(&authorization(POST).replace("execute-api", "lambda")));
    assert!(told.contains("correct service: 'execute-api'."), "{told}");
    let told = refused(&post(&authorization(POST).replace("aws4_request", "aws4")));
    assert!(told.contains("'aws4_request', not 'aws4'."), "{told}");
    let told = refused(&post(&authorization(POST).replace("20240120", "20240121")));
    assert!(
        told.contains("'20240121' != '20240120', from '20240120T115508Z'."),
        "{told}"
    );
}

#[test]
fn a_header_signature_is_valid_for_five_minutes_and_a_presigned_one_until_it_expires() {
    let header = authorization(POST);
    let header = post(&header);
    let query = request("GET", "/dev", PRESIGNED, "");
    let told = |request: &Request<'_>, now: &str| {
        Signature::find(request, at(now))
            .map(|_| ())
            .map_err(|error| error.message)
    };
    assert_eq!(told(&header, "20240120T120008Z"), Ok(()));
    assert_eq!(told(&header, "20240120T115008Z"), Ok(()));
    assert_eq!(told(&query, "20240120T120508Z"), Ok(()));
    assert_eq!(
        told(&header, "20240120T120009Z").unwrap_err(),
        "Signature expired: 20240120T115508Z is now earlier than 20240120T115509Z (20240120T120009Z - 5 min.)"
    );
    assert_eq!(
        told(&query, "20240120T120509Z").unwrap_err(),
        "Signature expired: 20240120T115508Z is now earlier than 20240120T115509Z (20240120T120509Z - 600 s)"
    );
    assert_eq!(
        told(&query, "20240120T115007Z").unwrap_err(),
        "Signature not yet current: 20240120T115508Z is still later than 20240120T115507Z (20240120T115007Z + 5 min.)"
    );
}
