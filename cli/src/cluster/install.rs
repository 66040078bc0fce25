//! `tg cluster install`.

use std::time::Duration;

use tg_collector::S3Place;
use tg_model::Exit;
use tg_runner::cluster::{InstallOptions, Keys, Settings};

use super::{PlaceArgs, duration};
use crate::message::{Failure, progress};
use crate::object_store::StoreArgs;
use crate::output;
use crate::run::on_cluster::cluster_failure;

/// What `tg cluster install` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Makes a namespace with the sync service, an agent on every node, and what both must know. Run again it upgrades what \
is there. The namespace gets the pod-security label `enforce: privileged`, since the agents use folders of their nodes.

The flags of the object store say how pods reach it; `--credentials env` hands AWS_ACCESS_KEY_ID and \
AWS_SECRET_ACCESS_KEY of this shell to the agents, in a Secret. Pods of plans never get them.

Examples:
  tg cluster install --outputs s3://lab/runs --image ghcr.io/lab/tg:0123456789ab
  tg cluster install --outputs s3://lab/runs --image IMAGE --s3-endpoint http://minio:9000 --credentials env
  tg cluster install --outputs s3://lab/runs --image IMAGE \\
     --account-annotation eks.amazonaws.com/role-arn=arn:aws:iam::123456789012:role/tg
  tg cluster install --outputs s3://lab/runs --image IMAGE --dry-run | kubectl apply -f -")]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where runs put what their instances wrote.
    #[arg(long, value_name = "s3://BUCKET/PREFIX", env = "TG_OUTPUTS", hide_env_values = true)]
    outputs: S3Place,
    /// The image that holds tg: see `tg cluster image`.
    #[arg(long, value_name = "IMAGE", env = "TG_IMAGE", hide_env_values = true)]
    image: String,
    /// When nodes pull the image.
    #[arg(long, value_enum, default_value_t)]
    pull: Pull,
    /// Where the agents have the credentials of the object store from.
    #[arg(long, value_enum, default_value_t)]
    credentials: Credentials,
    /// An annotation of the agents' service account, such as `eks.amazonaws.com/role-arn=…`. May be repeated.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    account_annotation: Vec<(String, String)>,
    /// Print the manifests as JSON for `kubectl apply -f -`, the Secret among them; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// How long to wait until everything is ready.
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "3m")]
    wait: Duration,
    #[command(flatten)]
    store: StoreArgs,
}

/// The values of `--pull`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Pull {
    /// When they do not have it.
    #[default]
    IfNotPresent,
    /// Whenever a pod starts.
    Always,
    /// Never: it was loaded into them.
    Never,
}

/// The values of `--credentials`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
enum Credentials {
    /// From this shell: the usual variables for an access key, its secret and a session token.
    Env,
    /// From their nodes or their service account.
    #[default]
    Identity,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let keys = match args.credentials {
        Credentials::Identity => None,
        Credentials::Env => Some(keys()?),
    };
    let pull_policy = match args.pull {
        Pull::IfNotPresent => "IfNotPresent",
        Pull::Always => "Always",
        Pull::Never => "Never",
    };
    let settings = Settings {
        outputs: args.outputs.to_string(),
        endpoint: args.store.endpoint.clone(),
        region: args.store.region.clone(),
        path_style: args.store.path_style.map(|on| on.to_string()),
        image: args.image,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let options =
        InstallOptions { settings, keys, account: args.account_annotation, pull_policy: pull_policy.to_owned() };
    if args.dry_run {
        let manifests = options.manifests(args.place.namespace.as_deref().unwrap_or("tg"));
        output::to_stdout(|out| writeln!(out, "{manifests:#}"))?;
        return Ok(Exit::Ok);
    }
    let cluster = args.place.connect().await?;
    cluster.install(&options).await.map_err(|error| cluster_failure(&error))?;
    let ready = cluster.ready(args.wait, &mut |what| progress(&format!("waiting for {what}"))).await;
    ready.map_err(|error| cluster_failure(&error))?;
    progress(&format!("ready in namespace `{}`; outputs go to {}", cluster.namespace(), options.settings.outputs));
    Ok(Exit::Ok)
}

fn keys() -> Result<Keys, Failure> {
    let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    match (get("AWS_ACCESS_KEY_ID"), get("AWS_SECRET_ACCESS_KEY")) {
        (Some(id), Some(secret)) => Ok(Keys { id, secret, token: get("AWS_SESSION_TOKEN") }),
        _ => Err(Failure::new(
            Exit::Usage,
            "`--credentials env` needs AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment",
        )
        .hint("set both, or use `--credentials identity`")),
    }
}
