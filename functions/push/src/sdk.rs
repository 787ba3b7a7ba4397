//! Posts to the gateway's connections with the AWS SDK.

use std::{error::Error, sync::Arc};

use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, error::CredentialsError, future},
};
use aws_sdk_apigatewaymanagement::{
    Client,
    config::{
        BehaviorVersion, Config, IdentityCache, Region, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
    error::{ProvideErrorMetadata, SdkError},
    primitives::Blob,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use chrono::Utc;
use sluice_aws::AwsCredentialsSource;

use crate::{
    address::ConnectionId,
    batch::Action,
    config,
    connections::{Connections, PostError},
    http::Http,
};

/// The connections of one stage.
#[derive(Debug)]
pub struct Stage {
    client: Client,
    credentials: Arc<AwsCredentialsSource>,
}

impl Stage {
    /// A client of the configured stage.
    ///
    /// The SDK's retries and timeouts are disabled, since both depend on the batch. So is its
    /// credentials cache, since the credentials source has its own.
    pub fn new(config: config::Config) -> Self {
        let credentials = Arc::new(config.credentials);
        let sdk = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(Http::new())
            .endpoint_url(config.callback_url)
            .region(Region::new(config.region))
            .credentials_provider(Source(Arc::clone(&credentials)))
            .identity_cache(IdentityCache::no_cache())
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .build();
        Self {
            client: Client::from_conf(sdk),
            credentials,
        }
    }

    /// Converts an SDK error. Status 401 and 403 also drop the cached credentials.
    fn post_error<E>(&self, error: SdkError<E, HttpResponse>) -> PostError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        let error = post_error(error);
        if matches!(error.status, Some(401 | 403)) {
            self.credentials.forget();
        }
        error
    }
}

impl Connections for Stage {
    async fn act(&self, connection: &ConnectionId, action: &Action) -> Result<(), PostError> {
        match action {
            Action::Post(message) => {
                let post = self.client.post_to_connection();
                let post = post.connection_id(connection.as_str());
                let post = post.data(Blob::new(&message[..])).send();
                Box::pin(post)
                    .await
                    .map(drop)
                    .map_err(|error| self.post_error(error))
            }
            Action::Close => {
                let close = self.client.delete_connection();
                let close = close.connection_id(connection.as_str()).send();
                Box::pin(close)
                    .await
                    .map(drop)
                    .map_err(|error| self.post_error(error))
            }
        }
    }
}

fn post_error<E>(error: SdkError<E, HttpResponse>) -> PostError
where
    E: Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let Some(response) = error.raw_response() else {
        return PostError::new(None).because(error);
    };
    let post_error = PostError::new(Some(response.status().as_u16()));
    match error.message().or_else(|| error.code()) {
        Some(message) => post_error.because(message.to_owned()),
        None => post_error,
    }
}

/// Provides the credentials to the SDK.
#[derive(Debug)]
struct Source(Arc<AwsCredentialsSource>);

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            let current = self.0.current(Utc::now()).await;
            let current = current.map_err(CredentialsError::provider_error)?;
            Ok(Credentials::new(
                current.access_key_id,
                current.secret_access_key.reveal(),
                current.session_token.map(|token| token.reveal().to_owned()),
                None,
                "environment",
            ))
        })
    }
}
