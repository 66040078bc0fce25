//! A run on a cluster: its outputs are in the object store, and the run's own files go there last.

use std::sync::Arc;

use tg_collector::{Objects, Publisher, S3Place};
use tg_model::{Exit, RunFile, RunSpec, Verdict, layout};
use tg_runner::cluster::{self, AttachedRun, Cluster, Settings};
use tg_runner::{Artifacts, RunError, RunOptions};
use tokio::sync::mpsc;

use super::gather::gather_from;
use super::make::{Made, Maker, WAITING_EVENTS, Watching};
use crate::message::{Failure, progress};
use crate::reporter::Style;

impl Maker {
    pub(super) async fn one_on_cluster(
        &mut self,
        artifacts: &Arc<Artifacts>,
        spec: &RunSpec,
        mut options: RunOptions,
    ) -> Result<Made, Failure> {
        let cluster = self.on_cluster.place.connect().await?;
        options.wait_for_capacity = self.on_cluster.wait_for_capacity;
        let (events, inbox) = mpsc::channel(WAITING_EVENTS);
        let (owned, artifacts, cancel) = (spec.clone(), Arc::clone(artifacts), self.cancel.clone());
        let there = cluster.clone();
        let work = async move { cluster::execute(&there, &owned, &artifacts, options, events, cancel).await };
        let mut watching = Watching::new(self.style);
        let ended = self.drive(work, inbox, &mut watching).await?;
        self.after(&cluster, ended, watching).await
    }

    /// Goes on with a run that another tg began.
    pub(crate) async fn attach(
        &mut self,
        cluster: &Cluster,
        attached: AttachedRun,
        options: RunOptions,
    ) -> Result<Made, Failure> {
        let (events, inbox) = mpsc::channel(WAITING_EVENTS);
        let (there, cancel) = (cluster.clone(), self.cancel.clone());
        let work = async move { cluster::attach(&there, attached, options, events, cancel).await };
        let mut watching = Watching::new(self.style);
        let ended = self.drive(work, inbox, &mut watching).await?;
        self.after(cluster, ended, watching).await
    }

    /// Publishes the run's own files and, if asked, collects.
    async fn after(
        &mut self,
        cluster: &Cluster,
        ended: Result<RunFile, RunError>,
        watching: Watching,
    ) -> Result<Made, Failure> {
        let file = ended.map_err(|error| refused(&error))?;
        let run = file.run.clone();
        let dir = layout::run_dir(&self.home, &run);
        let Watching { summary, at_deadline, .. } = watching;
        let mut made = Made { summary, file, dir, at_deadline, gathered: None, unpublished: None };
        let settings = Settings::of(cluster).await.map_err(|error| cluster_failure(&error))?;
        let store = self.store.or(&settings);
        let place = place(&settings)?;
        let publisher = Publisher::new(store.open(place.clone()).await, run.clone(), &made.dir);
        match publisher.own().await {
            Ok(_) if self.style != Style::Quiet => progress(&format!("outputs are at {}", publisher.place())),
            Ok(_) => {}
            // What the instances wrote is there all the same.
            Err(error) => made.unpublished = Some(crate::publish::failed(&run, &error)),
        }
        if self.collect && made.file.verdict != Verdict::Cancelled {
            let source = Objects::new(store.open(place).await);
            made.gathered = Some(gather_from(&source, &run, &made.dir, self.style).await?);
        }
        Ok(made)
    }
}

/// Where an installation puts outputs.
pub(crate) fn place(settings: &Settings) -> Result<S3Place, Failure> {
    settings.outputs.parse().map_err(|error: String| {
        Failure::new(
            Exit::Environment,
            "the installation in the cluster says where outputs go, but not so that it can be read",
        )
        .note(error)
    })
}

/// A failure of the runner.
pub(crate) fn refused(error: &RunError) -> Failure {
    Failure::from_error(error.exit(), error).maybe_hint(error.hint())
}

/// A failure of the cluster.
pub(crate) fn cluster_failure(error: &tg_runner::cluster::ClusterError) -> Failure {
    Failure::from_error(error.exit(), error).maybe_hint(error.hint())
}
