//! Instances as pods of a Kubernetes cluster.
//!
//! Each group is one Indexed Job: the index of a pod is the number of its instance. On each node an agent follows what
//! the containers print, publishes outputs and logs to the object store when an instance has ended, and then tells
//! what it found in an annotation of the pod and lets the pod's object go. The runner watches the pods: all that it must
//! know stands in their objects, so that another process can take its place. What the sync service tells it besides
//! (barriers, claims as they are made) it can do without.

mod agent;
mod client;
mod collect;
mod error;
mod follow;
mod install;
mod job;
mod listen;
mod manifests;
mod names;
mod pod;
mod record;
mod report;
mod room;
mod run;
mod settings;

pub use agent::{AgentOptions, Publish, PublishError, Say, Sent, agent};
pub use client::{Cluster, ClusterArgs};
pub use collect::{CollectDone, CollectJob};
pub use error::ClusterError;
pub use install::{InstallOptions, Status};
pub use manifests::Keys;
pub use run::{AttachedRun, attach, execute};
pub use settings::Settings;
