//! ApiVersions: which APIs this broker has, and in which versions.

use std::ops::RangeInclusive;

use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, ApiVersionsResponse, api_versions_response::ApiVersion},
};

/// Lists what is served.
pub(crate) fn api_versions(served: &[(ApiKey, RangeInclusive<i16>)]) -> ApiVersionsResponse {
    let api_keys = served.iter().map(|(api, versions)| {
        ApiVersion::default()
            .with_api_key(*api as i16)
            .with_min_version(*versions.start())
            .with_max_version(*versions.end())
    });
    ApiVersionsResponse::default().with_api_keys(api_keys.collect())
}

/// Lists what is served to a client that asked in a version to come (KIP-511): it can then choose an older one.
pub(crate) fn unsupported(served: &[(ApiKey, RangeInclusive<i16>)]) -> ApiVersionsResponse {
    api_versions(served).with_error_code(ResponseError::UnsupportedVersion.code())
}
