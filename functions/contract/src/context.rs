//! The `$context` variables that an event carries.

/// The variables, without those of an authorizer: their names are the authorizer's own.
///
/// `identity.apiKey` is left out on purpose: a credential is no record key.
pub(crate) const VARIABLES: &[&str] = &[
    "apiId",
    "connectedAt",
    "connectionId",
    "domainName",
    "eventType",
    "extendedRequestId",
    "identity.accessKey",
    "identity.accountId",
    "identity.caller",
    "identity.cognitoAuthenticationProvider",
    "identity.cognitoAuthenticationType",
    "identity.cognitoIdentityId",
    "identity.cognitoIdentityPoolId",
    "identity.principalOrgId",
    "identity.sourceIp",
    "identity.user",
    "identity.userAgent",
    "identity.userArn",
    "messageDirection",
    "messageId",
    "requestId",
    "requestTime",
    "requestTimeEpoch",
    "routeKey",
    "stage",
];

/// Whether an event may carry the variable: `authorizer.` with one property
/// (`principalId`, or one of the authorizer's `context`) is as good as a listed one.
pub(crate) fn is_variable(name: &str) -> bool {
    match name.strip_prefix("authorizer.") {
        Some(property) => !property.is_empty() && !property.contains('.'),
        None => VARIABLES.contains(&name),
    }
}

/// The list for an error: what [`is_variable`] accepts.
pub(crate) fn variables() -> String {
    format!("{}, authorizer.<property>", VARIABLES.join(", "))
}
