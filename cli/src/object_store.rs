//! How an object store is reached, where the usual chain of environment and files is not enough.

use tg_collector::{S3, S3Place, S3Settings};

/// Flags of every command that may read or write an object store, and of the subcommands of such a command.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Object store")]
pub(crate) struct StoreArgs {
    /// The store's address, if it is not AWS: `http://localhost:9000` for a MinIO here. Else `AWS_ENDPOINT_URL`.
    #[arg(long = "s3-endpoint", global = true, value_name = "URL", env = "TG_S3_ENDPOINT", hide_env_values = true)]
    pub(crate) endpoint: Option<String>,
    /// The region. Else as `AWS_REGION` or the profile says, else us-east-1.
    #[arg(long = "s3-region", global = true, value_name = "NAME", env = "TG_S3_REGION", hide_env_values = true)]
    pub(crate) region: Option<String>,
    /// The profile of ~/.aws to take credentials and settings from. Else `AWS_PROFILE`.
    #[arg(long = "s3-profile", global = true, value_name = "NAME", env = "TG_S3_PROFILE", hide_env_values = true)]
    profile: Option<String>,
    /// Whether the bucket stands in the path and not in the host's name [default: where an address is given].
    #[arg(
        long = "s3-path-style",
        global = true,
        value_name = "BOOL",
        env = "TG_S3_PATH_STYLE",
        hide_env_values = true
    )]
    pub(crate) path_style: Option<bool>,
    /// Send no credentials: for buckets that everybody may read.
    #[arg(long = "s3-anonymous", global = true)]
    anonymous: bool,
}

impl StoreArgs {
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
