//! ApiVersions: lists the supported APIs and versions.

use std::ops::RangeInclusive;

use kafka_protocol::{
    ResponseError,
    messages::{ApiKey, ApiVersionsResponse, api_versions_response::ApiVersion},
};

/// Lists the supported APIs and versions.
pub(crate) fn api_versions(supported: &[(ApiKey, RangeInclusive<i16>)]) -> ApiVersionsResponse {
    let api_keys = supported.iter().map(|(api, versions)| {
        ApiVersion::default()
            .with_api_key(*api as i16)
            .with_min_version(*versions.start())
            .with_max_version(*versions.end())
    });
    ApiVersionsResponse::default().with_api_keys(api_keys.collect())
}

/// Answers a request in an unsupported version (KIP-511).
///
/// The client picks a supported version from the list.
pub(crate) fn unsupported(supported: &[(ApiKey, RangeInclusive<i16>)]) -> ApiVersionsResponse {
    api_versions(supported).with_error_code(ResponseError::UnsupportedVersion.code())
}
