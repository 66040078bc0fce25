//! `tg cluster`: what tg has in a Kubernetes cluster.

mod agent;
mod image;
mod install;
mod status;

use std::time::Duration;

use tg_model::Exit;
use tg_runner::ImageOptions;
use tg_runner::cluster::{Cluster, ClusterArgs};

use crate::Context;
use crate::message::{Failure, progress};
use crate::run::on_cluster::cluster_failure;

/// What `tg cluster` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Clusters are made by their own tools: eksctl, gcloud, kind. tg uses the current context of the kubeconfig.

Examples:
  tg cluster image --image-registry ghcr.io/lab           the image that holds this tg, pushed
  tg cluster install --outputs s3://lab/runs --image ghcr.io/lab/tg:0123456789ab
  tg cluster install --outputs s3://lab/runs --dry-run | kubectl apply -f -
  tg cluster status                                 what is ready, and how many instances fit in
  tg run mesh --backend cluster:k8s --builder docker:cargo --image-registry ghcr.io/lab
  tg cluster uninstall                              removes everything")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands.
#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make or upgrade the installation, and wait until it is ready.
    Install(Box<install::Args>),
    /// Say what is there, what is ready and what is not, and how many instances fit in.
    Status(status::Args),
    /// Remove everything that tg has in the cluster.
    Uninstall(UninstallArgs),
    /// Make an image that holds this tg, for `install --image`.
    Image(image::Args),
    /// What runs on each node.
    #[command(hide = true)]
    Agent(agent::Args),
}

/// Which cluster.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PlaceArgs {
    /// The context of the kubeconfig [default: the current one].
    #[arg(long, value_name = "NAME", env = "TG_CONTEXT", hide_env_values = true)]
    pub(crate) context: Option<String>,
    /// The namespace that tg is installed in [default: tg].
    #[arg(long, value_name = "NAME", env = "TG_NAMESPACE", hide_env_values = true)]
    pub(crate) namespace: Option<String>,
}

impl PlaceArgs {
    pub(crate) async fn connect(&self) -> Result<Cluster, Failure> {
        let args = ClusterArgs { context: self.context.clone(), namespace: self.namespace.clone() };
        Cluster::connect(&args).await.map_err(|error| cluster_failure(&error))
    }
}

/// Where images go.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ImageArgs {
    /// Push images to this registry, under what stands before their names, such as `ghcr.io/lab`.
    #[arg(long = "image-registry", value_name = "HOST/PREFIX", env = "TG_IMAGE_REGISTRY", hide_env_values = true)]
    registry: Option<String>,
    /// Hand images to this command line as archives on its standard input, such as `ctr -n k8s.io images import -`.
    #[arg(long = "image-load", value_name = "COMMAND", env = "TG_IMAGE_LOAD", hide_env_values = true)]
    load: Option<String>,
}

impl ImageArgs {
    pub(crate) fn options(&self) -> ImageOptions {
        ImageOptions { registry: self.registry.clone(), load: self.load.clone() }
    }
}

/// What `tg cluster uninstall` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Removes the namespace with all that is in it, and the cluster roles. Runs that still go on are ended; what was \
published stays in the object store.

Examples:
  tg cluster uninstall                              of the current context
  tg cluster uninstall --context lab --namespace tg-ci")]
struct UninstallArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// How long to wait until everything is gone.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "2m")]
    wait: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    tg_model::param::parse_duration(text).ok_or_else(|| "use a duration with units, such as `30s` or `5m`".to_owned())
}

/// Runs the subcommand.
pub(crate) async fn run(args: Args, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        Command::Install(args) => install::run(*args).await,
        Command::Status(args) => status::run(args).await,
        Command::Image(args) => image::run(args, context).await,
        Command::Agent(args) => agent::run(args).await,
        Command::Uninstall(UninstallArgs { place, wait }) => {
            let cluster = place.connect().await?;
            cluster.uninstall(wait).await.map_err(|error| cluster_failure(&error))?;
            progress(&format!("namespace `{}` is gone, and all that tg had in it", cluster.namespace()));
            Ok(Exit::Ok)
        }
    }
}
