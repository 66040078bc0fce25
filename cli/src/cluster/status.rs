//! `tg cluster status`.

use serde_json::json;
use tg_model::Exit;
use tg_runner::cluster::Status;

use super::PlaceArgs;
use crate::message::Failure;
use crate::output;
use crate::run::on_cluster::cluster_failure;
use crate::text::count;

/// What `tg cluster status` takes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tg cluster status                                 what is ready, and how many instances fit in
  tg cluster status --context lab                   of another cluster of the kubeconfig
  tg cluster status --json | jq .nodes              for scripts

The exit code is 14 while something is missing or not ready.")]
pub(super) struct Args {
    #[command(flatten)]
    place: PlaceArgs,
    /// Print it as JSON.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) async fn run(args: Args) -> Result<Exit, Failure> {
    let cluster = args.place.connect().await?;
    let status = cluster.status().await.map_err(|error| cluster_failure(&error))?;
    let missing = status.missing();
    if args.json {
        let nodes: Vec<_> = status
            .nodes
            .iter()
            .map(|node| {
                json!({
                    "name": node.name, "ready": node.ready, "pods": node.pods, "pods_used": node.used,
                    "cpu_milli": node.cpu_milli.0, "cpu_milli_used": node.cpu_milli.1,
                    "memory_bytes": node.memory.0, "memory_bytes_used": node.memory.1,
                })
            })
            .collect();
        let value = json!({
            "namespace": cluster.namespace(), "kubernetes": status.kubernetes, "version": status.settings.version,
            "outputs": status.settings.outputs, "endpoint": status.settings.endpoint, "image": status.settings.image,
            "ready": missing.is_empty(), "missing": missing, "nodes": nodes, "room": room(&status),
            "store": status.store.is_some().then(|| status.outputs()),
        });
        output::to_stdout(|out| writeln!(out, "{value:#}"))?;
    } else {
        output::to_stdout(|out| {
            let installed = &status.settings.version;
            let here = env!("CARGO_PKG_VERSION");
            let other = if installed == here { String::new() } else { format!(" (this is {here})") };
            writeln!(
                out,
                "tg {installed}{other} in namespace `{}`, Kubernetes {}",
                cluster.namespace(),
                status.kubernetes
            )?;
            writeln!(out, "sync service: {}", status.sync.as_ref().map_or_else(String::as_str, |()| "ready"))?;
            writeln!(out, "agents: {} of {} ready", status.agents.1, status.agents.0)?;
            status.trouble.iter().try_for_each(|why| writeln!(out, "  {why}"))?;
            let endpoint = status.settings.endpoint.as_deref().map(|at| format!(" on {at}")).unwrap_or_default();
            writeln!(out, "outputs: {}{endpoint}", status.settings.outputs)?;
            writeln!(out, "  {}", status.outputs())?;
            writeln!(out, "room for {}:", count(room(&status), "instance"))?;
            for node in &status.nodes {
                let ready = if node.ready { "" } else { ", not ready" };
                writeln!(
                    out,
                    "  {}: {} of {} pods, {} of {} thousandths of a processor, {} of {} MiB promised{ready}",
                    node.name,
                    node.used,
                    node.pods,
                    node.cpu_milli.1,
                    node.cpu_milli.0,
                    node.memory.1 >> 20,
                    node.memory.0 >> 20
                )?;
            }
            Ok(())
        })?;
    }
    Ok(if missing.is_empty() { Exit::Ok } else { Exit::Environment })
}

/// How many pods fit in.
fn room(status: &Status) -> u64 {
    status.nodes.iter().filter(|node| node.ready).map(|node| u64::from(node.pods.saturating_sub(node.used))).sum()
}
