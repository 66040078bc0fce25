//! Puts what a run left in its folder into an object store: `<prefix>/<run>/<group>/<index>/<file>`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tg_model::layout::{ARCHIVE_FILE, DATASET_DIR, DATASET_FILE};
use tg_model::{InstanceId, RunId};
use tokio_util::sync::CancellationToken;

use super::there::{TagOfParts, There, tag_of};
use super::{ROOM_UNIT, S3, Trouble};
use crate::collect::words;
use crate::error::CollectError;
use crate::source::folder::Folder;
use crate::source::s3::Objects;
use crate::source::{Entry, Listing, Owner, Source as _, SourceNote};

/// A file up to this size is sent by one request, a larger one in parts of it.
const PART: u64 = 8 << 20;
/// An upload has no more parts than this; parts of larger files are larger.
const MOST_PARTS: u64 = 9_000;
/// Parts of one file that are on their way at a time.
const PARTS_AHEAD: usize = 4;
/// Files that are on their way at a time; how many requests that are, the store decides.
const FILES_AHEAD: usize = 128;

/// What was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// Files that are there now.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Those of the files that were there already, and were not sent again.
    pub kept_files: u64,
    /// What could not be, and why: files with names that are not safe, links, files that went away.
    pub notes: Vec<SourceNote>,
}

impl Published {
    fn add(&mut self, more: Self) {
        self.files += more.files;
        self.bytes += more.bytes;
        self.kept_files += more.kept_files;
        self.notes.extend(more.notes);
    }
}

/// Publishes one run.
#[derive(Debug, Clone)]
pub struct Publisher {
    s3: S3,
    run: RunId,
    folder: Folder,
    dir: PathBuf,
}

impl Publisher {
    /// For the run in this folder.
    pub fn new(s3: S3, run: RunId, dir: &Path) -> Self {
        Self { s3, run, folder: Folder::new(dir), dir: dir.to_owned() }
    }

    /// Where the run's files go, in words.
    pub fn place(&self) -> String {
        format!("{}/{}", self.s3.place, self.run)
    }

    /// Publishes everything that an instance left: to be called when it has ended.
    pub async fn instance(&self, id: &InstanceId) -> Result<Published, CollectError> {
        let listing = self.folder.of_instance(id.clone()).await?;
        self.send(listing, &There::default(), &|_| {}, &CancellationToken::new()).await
    }

    /// Publishes the run's own files. They come last: whoever sees them knows that the rest is there.
    pub async fn own(&self) -> Result<Published, CollectError> {
        let mut listing = self.folder.list(&self.run).await?;
        listing.entries.retain(|entry| entry.owner == Owner::Run);
        listing.notes.clear();
        self.send(listing, &There::default(), &|_| {}, &CancellationToken::new()).await
    }

    /// What the store has of the run. A store that does not tell gets everything.
    async fn there(&self) -> Result<There, CollectError> {
        let prefix = self.s3.place.key(&format!("{}/", self.run));
        match Objects::new(self.s3.clone()).below(&prefix).await {
            Ok(found) => Ok(There::new(found)),
            Err(trouble) if trouble.may_pass() => Err(self.s3.failed("list what is there", trouble)),
            Err(_) => Ok(There::default()),
        }
    }

    /// Publishes the whole run, its own files last. What is there already is not sent again. `progress` hears of the
    /// bytes that are done, and of how many there are.
    pub async fn all(
        &self,
        progress: &(dyn Fn(u64, u64) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Published, CollectError> {
        let listing = self.folder.list(&self.run).await?;
        let there = self.there().await?;
        let total = listing.entries.iter().map(|entry| entry.size).sum();
        let (own, rest): (Vec<Entry>, Vec<Entry>) =
            listing.entries.into_iter().partition(|entry| entry.owner == Owner::Run);
        let rest = Listing { entries: rest, notes: listing.notes };
        let mut published = self.send(rest, &there, &|sent| progress(sent, total), cancel).await?;
        let sent = published.bytes;
        let own = Listing { entries: own, notes: Vec::new() };
        published.add(self.send(own, &there, &|more| progress(sent + more, total), cancel).await?);
        Ok(published)
    }

    /// Publishes the archive and the dataset that were made in the folder, as far as there are any: beside the outputs,
    /// and the dataset's description last, since whoever sees it reads the tables that it names.
    pub async fn collected(
        &self,
        progress: &(dyn Fn(u64, u64) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Published, CollectError> {
        let dir = self.dir.clone();
        let listed = tokio::task::spawn_blocking(move || collected(&dir)).await;
        let mut entries = listed.map_err(|error| CollectError::Fault(error.to_string()))??;
        let total = entries.iter().map(|entry| entry.size).sum();
        let description = format!("{DATASET_DIR}/{DATASET_FILE}");
        let last = entries.iter().position(|entry| entry.name == description).map(|at| entries.remove(at));
        let listing = |entries| Listing { entries, notes: Vec::new() };
        let there = self.there().await?;
        let mut published = self.send(listing(entries), &there, &|sent| progress(sent, total), cancel).await?;
        // A dataset of which a part is missing would be believed.
        if published.notes.is_empty() {
            published.add(self.send(listing(last.into_iter().collect()), &there, &|_| {}, cancel).await?);
        }
        Ok(published)
    }

    async fn send(
        &self,
        listing: Listing,
        there: &There,
        progress: &(dyn Fn(u64) + Sync),
        cancel: &CancellationToken,
    ) -> Result<Published, CollectError> {
        let mut published = Published { notes: listing.notes, ..Published::default() };
        let mut sending = stream::iter(listing.entries)
            .map(|entry| async move {
                let sent = self.file(&entry, there).await;
                (entry, sent)
            })
            .buffer_unordered(FILES_AHEAD);
        loop {
            let next = tokio::select! {
                next = sending.next() => next,
                () = cancel.cancelled() => return Err(CollectError::Cancelled),
            };
            let Some((entry, sent)) = next else { break };
            match sent {
                Ok(Sent { bytes, kept }) => {
                    published.files += 1;
                    published.bytes += bytes;
                    published.kept_files += u64::from(kept);
                    progress(published.bytes);
                }
                Err(Failed::Here(error)) => {
                    published.notes.push(SourceNote::new(&entry.path(), "unreadable", words(&error)));
                }
                Err(Failed::There(trouble)) => {
                    return Err(self.s3.failed(&format!("publish `{}`", entry.path()), trouble));
                }
            }
        }
        published.notes.sort();
        Ok(published)
    }

    /// Sends a file as it is now, unless it is there.
    async fn file(&self, entry: &Entry, there: &There) -> Result<Sent, Failed> {
        let key = self.s3.place.key(&format!("{}/{}", self.run, entry.path()));
        // Whoever has room has a file open, and so there are never too many.
        let room = self.room(entry.size.min(PART)).await;
        let path = self.dir.join(&entry.locator);
        let file = Arc::new(File::open(&path).map_err(Failed::Here)?);
        let size = file.metadata().map_err(Failed::Here)?.len();
        if size > PART {
            // Its parts take room of their own.
            drop(room);
            if let Some(tag) = there.tag(&key, size, Some(size.div_ceil(part_of(size))))
                && self.tag_of(&file, size).await? == tag
            {
                return Ok(Sent { bytes: size, kept: true });
            }
            return Ok(Sent { bytes: self.in_parts(&key, &file, size).await?, kept: false });
        }
        let content = read(&file, 0, size).await?;
        let bytes = content.len() as u64;
        if there.tag(&key, bytes, None).is_some_and(|tag| tag == tag_of(&content)) {
            return Ok(Sent { bytes, kept: true });
        }
        let client = &self.s3.client;
        self.s3
            .ask(|| async {
                let put = client.put_object().bucket(&self.s3.place.bucket).key(&key);
                put.body(ByteStream::from(content.clone())).send().await.map_err(Trouble::from)
            })
            .await
            .map_err(Failed::There)?;
        Ok(Sent { bytes, kept: false })
    }

    /// The tag that a file has where it was sent in parts.
    async fn tag_of(&self, file: &Arc<File>, size: u64) -> Result<String, Failed> {
        let (part, mut tag) = (part_of(size), TagOfParts::default());
        for at in 0..size.div_ceil(part) {
            let _room = self.room(part).await;
            tag.part(&read(file, at * part, part.min(size - at * part)).await?);
        }
        Ok(tag.end())
    }

    async fn room(&self, bytes: u64) -> Option<tokio::sync::OwnedSemaphorePermit> {
        let units = u32::try_from(bytes.div_ceil(ROOM_UNIT)).unwrap_or(1).max(1);
        // More than there is would never be given.
        self.s3.room.clone().acquire_many_owned(units.min(super::ROOM_UNITS)).await.ok()
    }

    async fn in_parts(&self, key: &str, file: &Arc<File>, size: u64) -> Result<u64, Failed> {
        let (client, bucket) = (&self.s3.client, &self.s3.place.bucket);
        let begun = self
            .s3
            .ask(|| async {
                client.create_multipart_upload().bucket(bucket).key(key).send().await.map_err(Trouble::from)
            })
            .await
            .map_err(Failed::There)?;
        let id = begun.upload_id().unwrap_or_default().to_owned();
        let sent = self.parts(key, &id, file, size).await;
        if sent.is_err() {
            // Half an upload costs its owner money. The first error is the one that matters.
            drop(client.abort_multipart_upload().bucket(bucket).key(key).upload_id(&id).send().await);
        }
        sent
    }

    async fn parts(&self, key: &str, id: &str, file: &Arc<File>, size: u64) -> Result<u64, Failed> {
        let (client, bucket) = (&self.s3.client, &self.s3.place.bucket);
        let part = part_of(size);
        let mut done: Vec<(CompletedPart, u64)> = stream::iter(0..size.div_ceil(part))
            .map(|at| async move {
                let number = i32::try_from(at + 1).unwrap_or(i32::MAX);
                let _room = self.room(part).await;
                let content = read(file, at * part, part.min(size - at * part)).await?;
                let bytes = content.len() as u64;
                let answer = self
                    .s3
                    .ask(|| async {
                        let upload = client.upload_part().bucket(bucket).key(key).upload_id(id).part_number(number);
                        upload.body(ByteStream::from(content.clone())).send().await.map_err(Trouble::from)
                    })
                    .await
                    .map_err(Failed::There)?;
                let part = CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag().map(str::to_owned));
                Ok((part.build(), bytes))
            })
            .buffer_unordered(PARTS_AHEAD)
            .try_collect()
            .await?;
        done.sort_by_key(|(part, _)| part.part_number());
        let sent = done.iter().map(|(_, bytes)| bytes).sum();
        let parts = done.into_iter().map(|(part, _)| part).collect();
        let whole = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let complete = self.s3.ask(|| async {
            let complete = client.complete_multipart_upload().bucket(bucket).key(key).upload_id(id);
            complete.multipart_upload(whole.clone()).send().await.map_err(Trouble::from)
        });
        match complete.await {
            Ok(_) => Ok(sent),
            // After an answer that was lost the upload is no more, since it is complete; and some stores word their
            // answer in their own way.
            Err(trouble @ (Trouble::NotThere(_) | Trouble::Unclear(_))) => {
                let head = self
                    .s3
                    .ask(|| async { client.head_object().bucket(bucket).key(key).send().await.map_err(Trouble::from) });
                let there = head.await.ok().and_then(|head| u64::try_from(head.content_length()?).ok());
                if there == Some(sent) { Ok(sent) } else { Err(Failed::There(trouble)) }
            }
            Err(trouble) => Err(Failed::There(trouble)),
        }
    }
}

/// A file that is in the store now.
struct Sent {
    bytes: u64,
    /// It was there before.
    kept: bool,
}

/// How large the parts of a file are.
fn part_of(size: u64) -> u64 {
    PART.max(size.div_ceil(MOST_PARTS))
}

/// The archive in a folder, and every file of the dataset there.
fn collected(dir: &Path) -> Result<Vec<Entry>, CollectError> {
    fn look(dir: &Path, name: &str, found: &mut Vec<Entry>) -> io::Result<()> {
        let path = dir.join(name);
        let meta = match path.metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            meta => meta?,
        };
        if meta.is_file() {
            let (name, locator) = (name.to_owned(), name.to_owned());
            found.push(Entry { owner: Owner::Run, name, size: meta.len(), locator, version: None });
            return Ok(());
        }
        let mut below = Vec::new();
        for child in path.read_dir()? {
            below.push(child?.file_name().to_string_lossy().into_owned());
        }
        below.sort();
        below.iter().try_for_each(|child| look(dir, &format!("{name}/{child}"), found))
    }
    let mut found = Vec::new();
    for name in [ARCHIVE_FILE, DATASET_DIR] {
        look(dir, name, &mut found).map_err(|source| CollectError::Read { path: dir.join(name), source })?;
    }
    Ok(found)
}

/// Why a file was not published.
enum Failed {
    /// It cannot be read: the others can.
    Here(io::Error),
    /// The store does not take it.
    There(Trouble),
}

/// What a file has at a place; less than asked for, if it has become shorter.
async fn read(file: &Arc<File>, at: u64, size: u64) -> Result<Bytes, Failed> {
    let file = Arc::clone(file);
    let read = tokio::task::spawn_blocking(move || {
        let mut content = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        let mut filled = 0;
        while filled < content.len() {
            match file.read_at(&mut content[filled..], at + filled as u64)? {
                0 => break,
                more => filled += more,
            }
        }
        content.truncate(filled);
        Ok(Bytes::from(content))
    });
    read.await.map_err(|error| Failed::Here(io::Error::other(error)))?.map_err(Failed::Here)
}
