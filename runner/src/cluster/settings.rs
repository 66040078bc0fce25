//! What an installation was told, for everyone who uses it: a `ConfigMap`.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;

use super::client::Cluster;
use super::error::ClusterError;
use super::names;

/// The settings of an installation. Secrets are not among them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Where outputs go: `s3://bucket/prefix`.
    pub outputs: String,
    /// The store's address as pods see it, if it is not AWS.
    pub endpoint: Option<String>,
    /// The store's region.
    pub region: Option<String>,
    /// Whether the bucket stands in the path.
    pub path_style: Option<String>,
    /// The image that holds tg.
    pub image: String,
    /// The tg that installed it.
    pub version: String,
}

/// Environment variables of the agent, as tg's flags know them, by the keys of the `ConfigMap`.
const KEYS: [&str; 6] =
    ["TG_OUTPUTS", "TG_S3_ENDPOINT", "TG_S3_REGION", "TG_S3_PATH_STYLE", "TG_IMAGE", "TG_INSTALLED_VERSION"];

impl Settings {
    /// As the data of a `ConfigMap`, which the agent gets as its environment.
    pub(super) fn data(&self) -> BTreeMap<String, String> {
        let values = [
            Some(self.outputs.clone()),
            self.endpoint.clone(),
            self.region.clone(),
            self.path_style.clone(),
            Some(self.image.clone()),
            Some(self.version.clone()),
        ];
        KEYS.into_iter().zip(values).filter_map(|(key, value)| Some((key.to_owned(), value?))).collect()
    }

    fn read(data: &BTreeMap<String, String>) -> Self {
        let [outputs, endpoint, region, path_style, image, version] = KEYS.map(|key| data.get(key).cloned());
        Self {
            outputs: outputs.unwrap_or_default(),
            endpoint,
            region,
            path_style,
            image: image.unwrap_or_default(),
            version: version.unwrap_or_default(),
        }
    }

    /// Those of the namespace.
    pub async fn of(cluster: &Cluster) -> Result<Self, ClusterError> {
        let found = cluster.api::<ConfigMap>().get_opt(names::SETTINGS).await;
        let found = found.map_err(ClusterError::api(format!("reach the cluster at {}", cluster.address)))?;
        let data =
            found.and_then(|map| map.data).ok_or_else(|| ClusterError::NotInstalled(cluster.namespace.clone()))?;
        Ok(Self::read(&data))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_back_as_they_were_written() {
        let settings = Settings {
            outputs: "s3://b/p".to_owned(),
            endpoint: Some("http://10.0.0.1:9000".to_owned()),
            image: "tg:1".to_owned(),
            version: "0.1.0".to_owned(),
            ..Settings::default()
        };
        assert_eq!(Settings::read(&settings.data()), settings);
        assert!(!settings.data().contains_key("TG_S3_REGION"));
    }
}
