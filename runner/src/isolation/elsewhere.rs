//! Where there are no namespaces, there are no hosts: nothing here can ever be made.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::{Arc, Mutex};

use tg_model::machine::Traffic;
use tg_model::spec::RunSpec;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::breaks::Breaks;
use crate::spawn::Folders;
use crate::sync::{Door, Hub};

/// A host.
#[derive(Debug)]
pub(crate) struct Host(Infallible);

impl Host {
    pub(crate) fn halt(&mut self) -> Result<(), String> {
        match self.0 {}
    }

    pub(crate) fn begin_again(&mut self) -> Result<(), String> {
        match self.0 {}
    }

    pub(crate) fn hold(&mut self, _: bool) -> Result<(), String> {
        match self.0 {}
    }

    pub(crate) fn last_words(&mut self) -> (u32, bool) {
        match self.0 {}
    }
}

pub(crate) type SharedHost = Arc<Mutex<Host>>;

/// What a sidecar could not apply.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) label: Option<u32>,
    pub(crate) text: String,
}

/// What is counted of a link.
#[derive(Debug)]
pub(crate) struct LinkCounts {
    pub(crate) span_ns: u64,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    pub(crate) lost: u64,
    pub(crate) queue_drops: u64,
    pub(crate) filtered: u64,
    pub(crate) not_taken: u64,
    pub(crate) late_max_ns: u64,
}

/// The hosts of a run.
#[derive(Debug)]
pub(crate) struct Hosts(Infallible);

impl Hosts {
    pub(crate) fn new(
        _: Vec<OsString>,
        _: &RunSpec,
        _: &Path,
        _: Hub,
        _: Door,
        _: &str,
        _: BTreeMap<u32, PathBuf>,
    ) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn name(&self, _: u32) -> &str {
        match self.0 {}
    }

    pub(crate) fn launcher(&self) -> io::Result<(Command, Infallible)> {
        match self.0 {}
    }

    pub(crate) fn launch(
        &self,
        _: u32,
        control: Infallible,
        _: &[OsString],
        _: &[(String, OsString)],
        _: &Folders,
    ) -> Result<SharedHost, String> {
        match control {}
    }

    pub(crate) fn set_breaks(&self, _: Breaks) {
        match self.0 {}
    }

    pub(crate) fn ended(&self, _: u32) {
        match self.0 {}
    }

    pub(crate) fn traffic(&self) -> std::iter::Empty<(u32, [Traffic; 2])> {
        match self.0 {}
    }

    pub(crate) fn take_links(&self, _: usize) -> Vec<(u32, u32, LinkCounts)> {
        match self.0 {}
    }
}

pub(crate) fn start_sidecar(hosts: &Hosts, _: mpsc::Sender<Refused>) -> JoinHandle<()> {
    match hosts.0 {}
}

/// Says that hosts cannot be made.
pub fn probe(_: &[OsString], _: &Path) -> Result<(), String> {
    Err("this system has no namespaces".to_owned())
}

/// There is nothing to be a launcher of.
pub fn enter() -> ExitCode {
    ExitCode::FAILURE
}
