//! Object stores that speak the protocol of S3.
//!
//! The SDK's own retries are off: how many requests may be in flight follows from what the store bears, so that we must
//! hear of every refusal.

pub(crate) mod fetch;
mod in_place;
mod limit;
pub(crate) mod publish;
mod there;
mod trouble;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    Credentials, RequestChecksumCalculation, ResponseChecksumValidation, SharedCredentialsProvider,
};
use aws_smithy_http_client::{Builder, tls};
use tokio::sync::Semaphore;

use crate::error::CollectError;
pub use in_place::StoredDataset;
use limit::Limit;
pub(crate) use trouble::Trouble;

/// A request is tried this often before the store counts as unreachable.
const TRIES: u32 = 9;
/// The first request of all is tried less often: a wrong address should be told soon.
pub(crate) const FIRST_TRIES: u32 = 4;
/// The wait before the second try; each further one is twice as long, with full jitter.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// A store that does not begin to answer within this time is asked again.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// What was fetched and not yet stored takes at most so many of `ROOM_UNIT`; more than any one object that is fetched
/// whole.
const ROOM_UNITS: u32 = 64;
/// Memory for what is fetched ahead is counted in this many bytes.
const ROOM_UNIT: u64 = 1 << 20;

/// Where in an object store runs are: `s3://bucket/prefix`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    pub(crate) bucket: String,
    /// Without a slash at either end; may be empty.
    pub(crate) prefix: String,
}

impl S3Place {
    /// The key of something below the prefix.
    pub(crate) fn key(&self, below: &str) -> String {
        if self.prefix.is_empty() { below.to_owned() } else { format!("{}/{below}", self.prefix) }
    }
}

impl FromStr for S3Place {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not of the form s3://BUCKET/PREFIX");
        let rest = text.strip_prefix("s3://").ok_or_else(wrong)?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if bucket.is_empty() || !bucket.chars().all(good) {
            return Err(wrong());
        }
        Ok(Self { bucket: bucket.to_owned(), prefix: prefix.trim_matches('/').to_owned() })
    }
}

impl fmt::Display for S3Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if self.prefix.is_empty() { Ok(()) } else { write!(f, "/{}", self.prefix) }
    }
}

/// How an object store is reached, where it is not as the SDK's usual chain of environment and files says.
#[derive(Clone, Default)]
pub struct S3Settings {
    /// The store's address, such as `http://localhost:9000`; AWS itself without one.
    pub endpoint: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// The profile of the SDK's configuration files.
    pub profile: Option<String>,
    /// Access key and secret key, in place of what the chain finds.
    pub keys: Option<(String, String)>,
    /// Send requests without credentials.
    pub anonymous: bool,
    /// Whether the bucket stands in the path and not in the name of the host; unless said, it does where the store's
    /// address was given.
    pub path_style: Option<bool>,
    /// How often a request is tried [default: 9].
    pub tries: Option<u32>,
}

/// A part of an object store.
#[derive(Debug, Clone)]
pub struct S3 {
    pub(crate) client: Client,
    pub(crate) place: S3Place,
    limit: Arc<Limit>,
    room: Arc<Semaphore>,
    tries: u32,
    endpoint: Option<String>,
    path_style: bool,
    /// Nothing where requests are sent without any.
    credentials: Option<SharedCredentialsProvider>,
}

impl S3 {
    /// Finds out how the store is reached. Nothing is sent to it yet.
    pub async fn new(place: S3Place, settings: &S3Settings) -> Self {
        let tls = tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring);
        let timeouts = TimeoutConfig::builder().connect_timeout(CONNECT_TIMEOUT).read_timeout(READ_TIMEOUT).build();
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(Builder::new().tls_provider(tls).build_https())
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts);
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(endpoint) = &settings.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(region) = &settings.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some((access, secret)) = &settings.keys {
            loader = loader.credentials_provider(Credentials::new(access, secret, None, None, "tg"));
        }
        if settings.anonymous {
            loader = loader.no_credentials();
        }
        let shared = loader.load().await;
        let own = shared.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let path_style = settings.path_style.unwrap_or(own);
        let mut config = aws_sdk_s3::config::Builder::from(&shared)
            .force_path_style(path_style)
            // Stores that are not AWS's do not all know the newer checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        if shared.region().is_none() {
            config = config.region(Region::new("us-east-1"));
        }
        Self {
            client: Client::from_conf(config.build()),
            place,
            limit: Arc::new(Limit::default()),
            room: Arc::new(Semaphore::new(ROOM_UNITS as usize)),
            tries: settings.tries.unwrap_or(TRIES).max(1),
            endpoint: shared.endpoint_url().map(str::to_owned),
            path_style,
            credentials: shared.credentials_provider().filter(|_| !settings.anonymous),
        }
    }

    /// The place in words. The same bucket by another address is the same place: what was fetched from it is kept.
    pub fn place(&self) -> String {
        format!("`{}`", self.place)
    }

    /// Whether the store answers and lets us at the bucket.
    pub async fn reach(&self) -> Result<(), CollectError> {
        let asked = self.ask_at_most(FIRST_TRIES, || async {
            let list = self.client.list_objects_v2().bucket(&self.place.bucket).prefix(self.place.key("")).max_keys(1);
            list.send().await.map_err(Trouble::from)
        });
        asked.await.map(drop).map_err(|trouble| self.failed("reach the store", trouble))
    }

    /// An error that ends the work.
    pub(crate) fn failed(&self, what: &str, trouble: Trouble) -> CollectError {
        let place = match &self.endpoint {
            Some(endpoint) => format!("{} at {endpoint}", self.place()),
            None => self.place(),
        };
        CollectError::Source { what: what.to_owned(), place, source: trouble.into() }
    }

    /// Sends a request until it is answered, or refused for good, or was tried too often.
    pub(crate) async fn ask<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        request: impl FnMut() -> F,
    ) -> Result<T, Trouble> {
        self.ask_at_most(self.tries, request).await
    }

    pub(crate) async fn ask_at_most<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        tries: u32,
        mut request: impl FnMut() -> F,
    ) -> Result<T, Trouble> {
        let mut wait = FIRST_WAIT;
        for _ in 1..tries {
            let turn = self.limit.turn().await;
            match request().await {
                Ok(answer) => {
                    turn.went_well();
                    return Ok(answer);
                }
                Err(trouble) if trouble.may_pass() => turn.went_badly(),
                Err(trouble) => return Err(trouble),
            }
            tokio::time::sleep(wait.mul_f64(jitter())).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        let _turn = self.limit.turn().await;
        request().await
    }
}

/// A number from 0 to 1, another one each time.
fn jitter() -> f64 {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    random as f64 / u64::MAX as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_and_shown() {
        for (text, bucket, prefix, shown) in [
            ("s3://lab", "lab", "", "s3://lab"),
            ("s3://lab/", "lab", "", "s3://lab"),
            ("s3://lab/a/b/", "lab", "a/b", "s3://lab/a/b"),
        ] {
            let place: S3Place = text.parse().expect(text);
            assert_eq!(
                (place.bucket.as_str(), place.prefix.as_str(), place.to_string().as_str()),
                (bucket, prefix, shown)
            );
        }
        for wrong in ["", "lab/x", "s3://", "s3:///x", "s3://a b/x"] {
            assert!(wrong.parse::<S3Place>().is_err(), "{wrong}");
        }
    }
}
