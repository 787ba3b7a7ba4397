//! The `$context` variables that an event carries.

/// All `$context` variables except `authorizer.*`, whose names the authorizer chooses.
///
/// `identity.apiKey` is left out on purpose: a credential must not become a record key.
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

/// Whether `name` is in [`VARIABLES`], or is `authorizer.` and one property.
///
/// The property is `principalId` or a key of the authorizer's `context`.
pub(crate) fn is_variable(name: &str) -> bool {
    match name.strip_prefix("authorizer.") {
        Some(property) => !property.is_empty() && !property.contains('.'),
        None => VARIABLES.contains(&name),
    }
}

/// The variables that [`is_variable`] accepts, as a list for an error.
pub(crate) fn variables() -> String {
    format!("{}, authorizer.<property>", VARIABLES.join(", "))
}
