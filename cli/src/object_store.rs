//! How an object store is reached, where the usual chain of environment and files is not enough.

use clap::{Args as _, FromArgMatches as _};
use tg_collector::{S3, S3Place, S3Settings};
use tg_model::Exit;

use crate::message::Failure;

/// Flags of every command that may read or write an object store.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Object store")]
pub(crate) struct StoreArgs {
    /// The store's address, if it is not AWS: `http://localhost:9000` for a MinIO here. Else `AWS_ENDPOINT_URL`.
    #[arg(long = "s3-endpoint", value_name = "URL", env = "TG_S3_ENDPOINT", hide_env_values = true)]
    pub(crate) endpoint: Option<String>,
    /// The region. Else as `AWS_REGION` or the profile says, else us-east-1.
    #[arg(long = "s3-region", value_name = "NAME", env = "TG_S3_REGION", hide_env_values = true)]
    pub(crate) region: Option<String>,
    /// The profile of ~/.aws to take credentials and settings from. Else `AWS_PROFILE`.
    #[arg(long = "s3-profile", value_name = "NAME", env = "TG_S3_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Whether the bucket stands in the path and not in the host's name [default: where an address is given].
    #[arg(long = "s3-path-style", value_name = "BOOL", env = "TG_S3_PATH_STYLE", hide_env_values = true)]
    pub(crate) path_style: Option<bool>,
    /// Send no credentials: for buckets that everybody may read.
    #[arg(long = "s3-anonymous")]
    anonymous: bool,
}

impl StoreArgs {
    /// Those of the environment alone, for commands that have no flags for a store.
    pub(crate) fn of_environment() -> Result<Self, Failure> {
        let command = Self::augment_args(clap::Command::new("tg").no_binary_name(true));
        let wrong = |error: clap::Error| Failure::new(Exit::Usage, error.to_string());
        let matches = command.try_get_matches_from(std::iter::empty::<String>()).map_err(wrong)?;
        Self::from_arg_matches(&matches).map_err(wrong)
    }

    /// These, and where they say nothing, what an installation in a cluster was told.
    pub(crate) fn or(&self, settings: &tg_runner::cluster::Settings) -> Self {
        Self {
            endpoint: self.endpoint.clone().or_else(|| settings.endpoint.clone()),
            region: self.region.clone().or_else(|| settings.region.clone()),
            path_style: self.path_style.or_else(|| settings.path_style.as_ref()?.parse().ok()),
            ..self.clone()
        }
    }

    /// The part of a store that a place names.
    pub(crate) async fn open(&self, place: S3Place) -> S3 {
        let settings = S3Settings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            profile: self.profile.clone(),
            path_style: self.path_style,
            anonymous: self.anonymous,
            ..S3Settings::default()
        };
        Box::pin(S3::new(place, &settings)).await
    }
}
