//! What can go wrong with a cluster.

use std::time::Duration;

use tg_model::Exit;

/// An operation on a cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig, or not the context that was asked for.
    #[error("no cluster to talk to")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The API server refused something, or did not answer.
    #[error("cannot {what}")]
    Api {
        /// What was to be done.
        what: String,
        /// Why not.
        source: Box<kube::Error>,
    },
    /// Nothing is installed in the namespace.
    #[error("tg is not installed in namespace `{0}`")]
    NotInstalled(String),
    /// Something was not ready in time.
    #[error("not ready after {} s: {what}", waited.as_secs())]
    NotReady {
        /// What, and why, in the words of the cluster.
        what: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The cluster has no room for the run.
    #[error("the cluster has no room for the run: {0}")]
    NoRoom(String),
    /// Agents do not reach the object store.
    #[error("what the instances write would not be kept: {0}")]
    Outputs(String),
    /// A collect in the cluster came to no end of its own.
    #[error("the collect of `{run}` in the cluster failed: {why}")]
    Collect {
        /// The run.
        run: String,
        /// Why.
        why: String,
    },
    /// There is no such run in the cluster.
    #[error("the cluster knows no run `{0}`")]
    NoRun(String),
    /// Something of the composition or the settings cannot be done on a cluster.
    #[error("{0}")]
    Setting(String),
    /// The agent could not read or write on its node.
    #[error("cannot {what}")]
    Node {
        /// What was to be done.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
}

impl ClusterError {
    pub(super) fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> Self {
        let what = what.into();
        move |source| Self::Api { what, source: Box::new(source) }
    }

    /// The exit code that tells of this.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Setting(_) => Exit::Usage,
            Self::NoRun(_) => Exit::RunNotFound,
            _ => Exit::Environment,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(_) => {
                Some("set KUBECONFIG or `--context`; `kubectl config get-contexts` lists what there is".to_owned())
            }
            Self::NotInstalled(namespace) => {
                Some(format!("`tg cluster install --namespace {namespace} --outputs s3://BUCKET/PREFIX` installs it"))
            }
            Self::NoRoom(_) => Some("run fewer instances, ask for less with `resources`, or add nodes".to_owned()),
            Self::Outputs(_) | Self::NotReady { .. } => Some("`tg cluster status` says what is there".to_owned()),
            Self::Api { source, .. } => match &**source {
                kube::Error::Api(status) if status.code == 403 => {
                    Some("the user of this kubeconfig may not do that: ask for the right, or use another".to_owned())
                }
                _ => None,
            },
            Self::NoRun(_) | Self::Setting(_) | Self::Node { .. } | Self::Collect { .. } => None,
        }
    }
}
