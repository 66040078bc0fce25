//! What somebody else needs to read from the same part of a store by himself.

use aws_sdk_s3::config::ProvideCredentials as _;
use tg_model::layout;

use super::fetch::Object;
use super::{FIRST_TRIES, S3, Trouble};
use crate::error::CollectError;

/// A dataset in an object store, as far as it has to be known before its tables are read.
#[derive(Clone)]
pub struct StoredDataset {
    /// Its folder, as `s3://BUCKET/…`.
    pub url: String,
    /// What its `_dataset.json` holds.
    pub description: Vec<u8>,
    /// How the store is reached, by the names of the crate `object_store`. Keys are among them.
    pub options: Vec<(String, String)>,
}

impl std::fmt::Debug for StoredDataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredDataset").field("url", &self.url).finish_non_exhaustive()
    }
}

impl S3 {
    /// The dataset in this place, which may be a run's or the dataset's own; nothing if there is none.
    pub async fn dataset(&self) -> Result<Option<StoredDataset>, CollectError> {
        for below in [format!("{}/", layout::DATASET_DIR), String::new()] {
            let key = self.place.key(&format!("{below}{}", layout::DATASET_FILE));
            let object = Object { key: key.clone(), size: 0, etag: None };
            let asked = self.ask_at_most(FIRST_TRIES, || self.get(&object, None)).await;
            let description = match asked {
                Ok(bytes) => bytes.to_vec(),
                Err(Trouble::NotThere(_)) => continue,
                Err(trouble) => return Err(self.failed(&format!("read `{key}`"), trouble)),
            };
            let folder = key.strip_suffix(&format!("/{}", layout::DATASET_FILE)).unwrap_or_default();
            let url = format!("s3://{}/{folder}", self.place.bucket);
            return Ok(Some(StoredDataset { url, description, options: self.options().await? }));
        }
        Ok(None)
    }

    async fn options(&self) -> Result<Vec<(String, String)>, CollectError> {
        let config = self.client.config();
        let mut options = Vec::new();
        let mut set = |name: &str, value: &str| options.push((name.to_owned(), value.to_owned()));
        if let Some(region) = config.region() {
            set("aws_region", region.as_ref());
        }
        if let Some(endpoint) = &self.endpoint {
            set("aws_endpoint", endpoint);
            set("aws_allow_http", if endpoint.starts_with("http://") { "true" } else { "false" });
        }
        set("aws_virtual_hosted_style_request", if self.path_style { "false" } else { "true" });
        match &self.credentials {
            None => set("aws_skip_signature", "true"),
            Some(provider) => {
                let keys = provider.provide_credentials().await.map_err(|error| {
                    self.failed("find credentials", Trouble::Denied(format!(": {}", crate::collect::words(&error))))
                })?;
                set("aws_access_key_id", keys.access_key_id());
                set("aws_secret_access_key", keys.secret_access_key());
                if let Some(token) = keys.session_token() {
                    set("aws_session_token", token);
                }
            }
        }
        Ok(options)
    }
}
