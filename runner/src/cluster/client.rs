//! A connection to the API server.

use k8s_openapi::NamespaceResourceScope;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Resource};

use super::error::ClusterError;

/// Which cluster, and which namespace of it.
#[derive(Debug, Clone, Default)]
pub struct ClusterArgs {
    /// The context of the kubeconfig; the current one if absent.
    pub context: Option<String>,
    /// The namespace; `tg` if absent.
    pub namespace: Option<String>,
}

/// A namespace of a cluster.
#[derive(Clone)]
pub struct Cluster {
    pub(super) client: Client,
    pub(super) namespace: String,
    /// The API server's address, for messages.
    pub(super) address: String,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster")
            .field("address", &self.address)
            .field("namespace", &self.namespace)
            .finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects as the kubeconfig says, or as a pod of the cluster where there is none.
    pub async fn connect(args: &ClusterArgs) -> Result<Self, ClusterError> {
        let config = match &args.context {
            None => Config::infer().await.map_err(|error| ClusterError::Config(Box::new(error)))?,
            Some(context) => {
                let options = KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                let file = Kubeconfig::read().map_err(|error| ClusterError::Config(Box::new(error)))?;
                let config = Config::from_custom_kubeconfig(file, &options).await;
                config.map_err(|error| ClusterError::Config(Box::new(error)))?
            }
        };
        let address = config.cluster_url.to_string();
        let client = Client::try_from(config).map_err(|error| ClusterError::Config(Box::new(error)))?;
        let namespace = args.namespace.clone().unwrap_or_else(|| "tg".to_owned());
        Ok(Self { client, namespace, address })
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Objects of a kind in the namespace.
    pub(super) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }
}
