//! The object stores that the suite runs against: ours in memory, and one that others wrote.

use std::fmt;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ObjectCannedAcl;
use bytes::Bytes;

use crate::serve::{Behind, Faults, serve};
use crate::store::{ACCESS_KEY, SECRET_KEY, Store};

/// The one bucket that there is.
pub(crate) const BUCKET: &str = "lab";

/// An object store, seen from beside tg.
pub(crate) struct Server {
    kind: Kind,
    requests: Arc<AtomicU64>,
}

enum Kind {
    Ours(Arc<Store>),
    Moto(Moto),
}

/// The store of the Python package moto.
struct Moto {
    process: Child,
    address: SocketAddr,
    client: Client,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Ours(_) => "our own store",
            Kind::Moto(_) => "moto",
        })
    }
}

/// A store of each kind that is here, with so many keys in one page of a listing.
#[expect(clippy::print_stderr, reason = "a test that skips says so")]
pub(crate) async fn servers(page: usize) -> Vec<Server> {
    let server = |kind| Server { kind, requests: Arc::default() };
    let mut all = vec![server(Kind::Ours(Store::new(page)))];
    let import = Command::new("python3").args(["-c", "import moto.server"]).stderr(Stdio::null()).status();
    if import.is_ok_and(|status| status.success()) {
        all.push(server(Kind::Moto(Moto::start(page).await)));
    } else {
        let text = "an object store that others wrote: skipped, for want of `moto[s3,server]` in python3";
        assert!(std::env::var_os("TG_CI").is_none_or(|ci| ci != "1"), "{text}, and TG_CI=1 allows no skips");
        eprintln!("{text}");
    }
    all
}

impl Server {
    /// Whether it is the store that asks for the right keys.
    pub(crate) fn asks_for_keys(&self) -> bool {
        matches!(self.kind, Kind::Ours(_))
    }

    /// The address of a door of its own, behind which this goes wrong; an open one asks for no keys.
    pub(crate) async fn endpoint(&self, faults: Faults, open: bool) -> String {
        let behind = match &self.kind {
            Kind::Ours(store) => Behind::Store(store.service(open)),
            Kind::Moto(moto) => Behind::Server(moto.address),
        };
        let address = serve(behind, faults, self.requests.clone(), ([127, 0, 0, 1], 0).into()).await.expect("a port");
        format!("http://{address}")
    }

    /// Requests that came through a door so far.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    pub(crate) async fn put(&self, key: &str, content: impl Into<Bytes>) {
        match &self.kind {
            Kind::Ours(store) => drop(store.put(&format!("{BUCKET}/{key}"), content)),
            Kind::Moto(moto) => {
                // Who comes without keys may read it as well.
                let put = moto.client.put_object().bucket(BUCKET).key(key).acl(ObjectCannedAcl::PublicRead);
                put.body(ByteStream::from(content.into())).send().await.expect("it is stored");
            }
        }
    }

    pub(crate) async fn remove(&self, key: &str) {
        match &self.kind {
            Kind::Ours(store) => assert!(store.remove(&format!("{BUCKET}/{key}"))),
            Kind::Moto(moto) => {
                moto.client.delete_object().bucket(BUCKET).key(key).send().await.expect("it is removed");
            }
        }
    }

    pub(crate) async fn keys(&self) -> Vec<String> {
        match &self.kind {
            Kind::Ours(store) => {
                let keys = store.keys().into_iter();
                keys.filter_map(|key| Some(key.strip_prefix(BUCKET)?.strip_prefix('/')?.to_owned())).collect()
            }
            Kind::Moto(moto) => {
                let mut pages = moto.client.list_objects_v2().bucket(BUCKET).into_paginator().send();
                let mut keys = Vec::new();
                while let Some(page) = pages.next().await {
                    let page = page.expect("it is listed");
                    keys.extend(page.contents().iter().filter_map(|object| object.key().map(str::to_owned)));
                }
                keys
            }
        }
    }

    /// Uploads in parts that were neither completed nor given up.
    pub(crate) async fn open_uploads(&self) -> usize {
        match &self.kind {
            Kind::Ours(store) => store.open_uploads(),
            Kind::Moto(moto) => {
                let open = moto.client.list_multipart_uploads().bucket(BUCKET).send().await.expect("it is listed");
                open.uploads().len()
            }
        }
    }
}

impl Moto {
    async fn start(page: usize) -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/server.py");
        let mut process = Command::new("python3")
            .arg(script)
            .env("MOTO_S3_DEFAULT_MAX_KEYS", page.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let address: SocketAddr = line.trim().parse().expect("an address");
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .endpoint_url(format!("http://{address}"))
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "test"))
            .force_path_style(true)
            .build();
        let client = Client::from_conf(config);
        client.create_bucket().bucket(BUCKET).send().await.expect("a bucket");
        Self { process, address, client }
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
