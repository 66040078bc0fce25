//! Makes a dataset from an archive, and from nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rayon::prelude::*;
use tg_model::layout::{EVENTS_FILE, MACHINE_FILE, NOTES_FILE, RULES_FILE, RUN_FILE};
use tg_model::{InstanceId, RunEvent, RunFile, RunId};
use tokio_util::sync::CancellationToken;

use super::finish::{self, Written};
use super::instances::Instances;
use super::machine::{self, Starved};
use super::scratch::Scratch;
use super::segment::{Part, Segment, Shapes, T};
use crate::archive::read::{Archive, Packed};
use crate::collect::{Phase, Progress, Watch};
use crate::error::CollectError;
use crate::read::facts::Facts;
use crate::read::file::{self, Counts, FileAt, Repeats};
use crate::read::lines::Lines;
use crate::rules::Rules;
use crate::source::SourceNote;

/// Rows that wait in memory; more wait on disk.
const ROOM: usize = 96 << 20;
/// A stretch of instances has about this many bytes, fewer if the run is small.
const STRETCH: u64 = 32 << 20;

/// A file of an instance in the archive.
struct Member {
    packed: Packed,
    file_id: u32,
    name: String,
}

/// What the archive holds, by instance.
struct Content {
    run_files: BTreeMap<String, (Packed, u32)>,
    /// Samples that came with an instance, from the agent of its node.
    samples: Vec<(InstanceId, Packed, u32)>,
    members: Vec<(InstanceId, Vec<Member>)>,
    bytes: u64,
    strange: Vec<String>,
}

impl Content {
    fn run_file(&self, name: &str) -> Option<(&Packed, u32)> {
        self.run_files.get(name).map(|(packed, file_id)| (packed, *file_id))
    }

    fn at_the_beginning(&self) -> Progress {
        Progress {
            of_bytes: self.bytes,
            of_files: self.members.iter().map(|(_, files)| files.len() as u64).sum(),
            of_instances: self.members.len() as u64,
            ..Progress::begin(Phase::Dataset)
        }
    }
}

/// Tells how far the reading is.
struct Tell<'a> {
    at: Mutex<Progress>,
    progress: &'a (dyn Fn(Progress) + Sync),
    cancel: &'a CancellationToken,
}

impl Tell<'_> {
    fn add(&self, bytes: u64, files: u64, instances: u64) {
        if let Ok(mut at) = self.at.lock() {
            at.bytes += bytes;
            at.files += files;
            at.instances += instances;
            (self.progress)(*at);
        }
    }
}

/// The content of a file, with word of how far it was read. It ends when the collect is cancelled.
struct Told<'a, R> {
    inner: R,
    tell: &'a Tell<'a>,
    untold: u64,
}

/// Progress within a file is told in steps of this many bytes.
const STEP_BYTES: u64 = 1 << 20;

impl<R: Read> Read for Told<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.tell.cancel.is_cancelled() {
            return Ok(0);
        }
        let n = self.inner.read(buffer)?;
        self.untold += n as u64;
        if self.untold >= STEP_BYTES {
            self.tell.add(std::mem::take(&mut self.untold), 0, 0);
        }
        Ok(n)
    }
}

impl<R> Drop for Told<'_, R> {
    fn drop(&mut self) {
        self.tell.add(self.untold, 0, 0);
    }
}

/// Makes the dataset below `dir` from the archive.
pub(crate) fn build(
    archive: &Path,
    run: &RunId,
    dir: &Path,
    jobs: usize,
    progress: &(dyn Fn(Progress) + Sync),
    cancel: &CancellationToken,
) -> Result<Written, CollectError> {
    let mut archive = Archive::open(archive)?;
    let content = sort_out(&mut archive, run)?;
    let scratch_dir = dir.join(".waiting");
    std::fs::create_dir_all(&scratch_dir)
        .map_err(|source| CollectError::Write { path: scratch_dir.clone(), source })?;
    let scratch = Scratch::new(scratch_dir.clone(), ROOM);
    let shapes = Arc::new(Shapes::new());

    let mut own = Segment::new(&shapes, &scratch);
    let run_file = read_run_file(&mut archive, &content, &mut own)?;
    let rules = read_rules(&mut archive, &content, &mut own)?;
    let wrote: BTreeSet<InstanceId> = content.members.iter().map(|(id, _)| id.clone()).collect();
    let mut instances = Instances::new(run_file, wrote)?;
    let id_of = |name: &str| content.run_files.get(name).map_or(0, |(_, file_id)| *file_id);
    instances.files(id_of(RUN_FILE), id_of(EVENTS_FILE));
    read_events(&mut archive, &content, &mut own, &mut instances)?;
    let starved = read_machine(&mut archive, &content, &mut own, &instances)?;
    instances.starve(starved);
    read_notes(&mut archive, &content, &mut own, &instances)?;
    let wrote = |id: &InstanceId| content.members.binary_search_by(|(of, _)| of.cmp(id)).is_ok();
    for (instance, path, reason, text) in instances.missing(wrote) {
        file::note(&mut own, instance, 0, 0, &path, reason, &text);
    }
    for path in &content.strange {
        file::note(&mut own, None, 0, 0, path, "unknown-path", "it belongs to no instance of this run");
    }
    let mut parts = own.finish()?;

    let tell = Tell { at: Mutex::new(content.at_the_beginning()), progress, cancel };
    let read: Vec<Stretch> = pool(jobs)?.install(|| {
        stretches(&content)
            .into_par_iter()
            .map(|members| {
                let mut archive = archive.clone();
                let mut segment = Segment::new(&shapes, &scratch);
                let mut facts = Vec::with_capacity(members.len());
                for (id, files) in members {
                    let instance = instances.number(id).unwrap_or(u32::MAX);
                    facts.push(read_instance(&mut archive, &mut segment, instance, id, files, rules.as_ref(), &tell)?);
                    tell.add(0, 0, 1);
                }
                Ok((segment.finish()?, facts))
            })
            .collect()
    });
    let mut facts = Vec::new();
    for result in read {
        let (more, told) = result?;
        parts.extend(more);
        facts.extend(told);
    }
    instances.learn(facts);
    let written =
        finish::write(dir, run, &shapes, &scratch, parts, &instances, rules.as_ref(), Watch { progress, cancel })?;
    std::fs::remove_dir_all(&scratch_dir).map_err(|source| CollectError::Write { path: scratch_dir, source })?;
    Ok(written)
}

fn pool(jobs: usize) -> Result<rayon::ThreadPool, CollectError> {
    rayon::ThreadPoolBuilder::new().num_threads(jobs).build().map_err(|error| CollectError::Fault(error.to_string()))
}

/// Gives each file of the archive its number: the run's own first, then by instance and name.
fn sort_out(archive: &mut Archive, run: &RunId) -> Result<Content, CollectError> {
    let prefix = format!("{run}/");
    let mut run_files: BTreeMap<String, Packed> = BTreeMap::new();
    let mut members: BTreeMap<InstanceId, BTreeMap<String, Packed>> = BTreeMap::new();
    let mut strange = Vec::new();
    let mut bytes = 0;
    for packed in archive.files()? {
        let name = String::from_utf8_lossy(&packed.name).into_owned();
        let Some(below) = name.strip_prefix(&prefix) else {
            strange.push(name);
            continue;
        };
        let parts: Vec<&str> = below.splitn(3, '/').collect();
        bytes += packed.size;
        match parts.as_slice() {
            [own @ (RUN_FILE | EVENTS_FILE | MACHINE_FILE | NOTES_FILE | RULES_FILE)] => {
                run_files.insert((*own).to_owned(), packed);
            }
            [group, index, file] => match format!("{group}/{index}").parse::<InstanceId>() {
                Ok(id) => {
                    members.entry(id).or_default().insert((*file).to_owned(), packed);
                }
                Err(_) => strange.push(below.to_owned()),
            },
            _ => strange.push(below.to_owned()),
        }
    }
    // A run that was sampled here has all in one file; then one of that name is the instance's own.
    let mut samples = Vec::new();
    if !run_files.contains_key(MACHINE_FILE) {
        for (id, files) in &mut members {
            samples.extend(files.remove(MACHINE_FILE).map(|packed| (id.clone(), packed)));
        }
    }
    let count = run_files.len() + samples.len() + members.values().map(BTreeMap::len).sum::<usize>();
    if u32::try_from(count).is_err() {
        return Err(CollectError::TooMany { what: "files", most: u64::from(u32::MAX) });
    }
    let mut ids = 1_u32..;
    let mut next = || ids.next().unwrap_or(u32::MAX);
    let run_files = run_files.into_iter().map(|(name, packed)| (name, (packed, next()))).collect();
    let samples = samples.into_iter().map(|(id, packed)| (id, packed, next())).collect();
    let members = members
        .into_iter()
        .map(|(id, files)| {
            let files = files.into_iter().map(|(name, packed)| Member { packed, file_id: next(), name });
            (id, files.collect())
        })
        .collect();
    Ok(Content { run_files, samples, members, bytes, strange })
}

/// What was read of one stretch.
type Stretch = Result<(Vec<Part>, Vec<Facts>), CollectError>;

/// Cuts the instances into stretches that depend on nothing but the archive.
fn stretches(content: &Content) -> Vec<&[(InstanceId, Vec<Member>)]> {
    let target = STRETCH.min(content.bytes / 64).max(1 << 20);
    let mut out = Vec::new();
    let (mut begin, mut bytes) = (0, 0);
    for (at, (_, files)) in content.members.iter().enumerate() {
        bytes += files.iter().map(|member| member.packed.size).sum::<u64>();
        if bytes >= target {
            out.push(&content.members[begin..=at]);
            (begin, bytes) = (at + 1, 0);
        }
    }
    out.push(&content.members[begin..]);
    out
}

fn read_instance(
    archive: &mut Archive,
    segment: &mut Segment,
    instance: u32,
    id: &InstanceId,
    files: &[Member],
    rules: Option<&Rules>,
    tell: &Tell<'_>,
) -> Result<Facts, CollectError> {
    let mut facts = Facts { instance, ..Facts::default() };
    let mut repeats = Repeats::new(segment.scratch());
    for member in files {
        let path = format!("{id}/{}", member.name);
        let at = FileAt { instance, file_id: member.file_id, name: &member.name, path: &path, rules };
        let content = Told { inner: archive.content(&member.packed)?, tell, untold: 0 };
        let read = file::read(segment, &mut facts, &mut repeats, at, content);
        if tell.cancel.is_cancelled() {
            return Err(CollectError::Cancelled);
        }
        read?;
        repeats.check()?;
        tell.add(0, 1, 0);
    }
    Ok(facts)
}

/// The whole of a small file of the run. The archive may be anybody's: a large one is an error.
fn document(archive: &mut Archive, packed: &Packed) -> Result<Result<Vec<u8>, std::io::Error>, CollectError> {
    let mut bytes = Vec::new();
    let read = archive.content(packed)?.take(file::LONGEST_DOCUMENT + 1).read_to_end(&mut bytes);
    if bytes.len() as u64 > file::LONGEST_DOCUMENT {
        let text = format!("it is longer than {} bytes", file::LONGEST_DOCUMENT);
        return Ok(Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, text)));
    }
    Ok(read.map(|_| bytes))
}

fn run_row(segment: &mut Segment, file_id: u32, path: &str, kind: &str, size: u64, sha: &str, counts: Counts) {
    segment
        .row(T::Files, file_id, 0)
        .put(None::<u32>)
        .put(path)
        .put(size)
        .put(sha)
        .put(kind)
        .put(counts.lines)
        .put(counts.mapped)
        .put(counts.logged)
        .put(counts.noted)
        .end();
}

fn read_run_file(
    archive: &mut Archive,
    content: &Content,
    segment: &mut Segment,
) -> Result<Option<RunFile>, CollectError> {
    let Some((packed, file_id)) = content.run_files.get(RUN_FILE) else { return Ok(None) };
    let bytes = match document(archive, packed)? {
        Ok(bytes) => bytes,
        Err(error) => {
            file::note(segment, None, *file_id, 0, RUN_FILE, "cut-file", &error.to_string());
            return Ok(None);
        }
    };
    let (size, sha) =
        Lines::new(bytes.as_slice()).finish().map_err(|source| CollectError::Read { path: RUN_FILE.into(), source })?;
    run_row(segment, *file_id, RUN_FILE, "document", size, &sha, Counts::default());
    #[derive(serde::Deserialize)]
    struct Version {
        format: tg_model::run::Format,
    }
    if let Ok(Version { format }) = serde_json::from_slice::<Version>(&bytes)
        && !tg_model::run::FORMAT.reads(format)
    {
        let known = tg_model::run::FORMAT.major;
        return Err(CollectError::Format { what: RUN_FILE.to_owned(), major: format.major, known });
    }
    match serde_json::from_slice(&bytes) {
        Ok(run) => Ok(Some(run)),
        Err(error) => {
            file::note(segment, None, *file_id, 0, RUN_FILE, "bad-run-file", &error.to_string());
            Ok(None)
        }
    }
}

/// The rules that the archive was collected with, if it was collected with any.
fn read_rules(archive: &mut Archive, content: &Content, segment: &mut Segment) -> Result<Option<Rules>, CollectError> {
    let Some((packed, file_id)) = content.run_files.get(RULES_FILE) else { return Ok(None) };
    let wrong = |error: &dyn std::fmt::Display| CollectError::Rules(format!("{RULES_FILE} of the archive: {error}"));
    let bytes = document(archive, packed)?.map_err(|error| wrong(&error))?;
    let (size, sha) = Lines::new(bytes.as_slice())
        .finish()
        .map_err(|source| CollectError::Read { path: RULES_FILE.into(), source })?;
    run_row(segment, *file_id, RULES_FILE, "document", size, &sha, Counts::default());
    let text = String::from_utf8(bytes).map_err(|error| wrong(&error))?;
    Rules::parse(RULES_FILE, &text).map(Some)
}

fn read_events(
    archive: &mut Archive,
    content: &Content,
    segment: &mut Segment,
    instances: &mut Instances,
) -> Result<(), CollectError> {
    each_line(archive, content.run_file(EVENTS_FILE), EVENTS_FILE, segment, &mut |segment, file_id, line, text| {
        let Ok(event) = serde_json::from_str::<RunEvent>(text) else { return Some("bad-record") };
        let instance = instances.event(&event, line);
        #[derive(serde::Deserialize)]
        struct Type<'a> {
            #[serde(rename = "type")]
            kind: &'a str,
        }
        let kind = serde_json::from_str::<Type<'_>>(text).map_or("", |t| t.kind);
        segment
            .row(T::RunEvents, file_id, line)
            .put(instance)
            .put(event.seq)
            .put(i64::try_from(event.ts).ok())
            .put(None::<i64>)
            .put(kind)
            .put(text)
            .end();
        None
    })
}

fn read_machine(
    archive: &mut Archive,
    content: &Content,
    segment: &mut Segment,
    instances: &Instances,
) -> Result<Starved, CollectError> {
    let mut starved = Starved::default();
    let file = content.run_file(MACHINE_FILE);
    each_line(archive, file, MACHINE_FILE, segment, &mut |segment, file_id, line, text| {
        machine::line(segment, instances, None, &mut starved, (file_id, line), text)
    })?;
    for (id, packed, file_id) in &content.samples {
        let path = format!("{id}/{MACHINE_FILE}");
        each_line(archive, Some((packed, *file_id)), &path, segment, &mut |segment, file_id, line, text| {
            machine::line(segment, instances, Some(id), &mut starved, (file_id, line), text)
        })?;
    }
    starved.settle();
    Ok(starved)
}

fn read_notes(
    archive: &mut Archive,
    content: &Content,
    segment: &mut Segment,
    instances: &Instances,
) -> Result<(), CollectError> {
    each_line(archive, content.run_file(NOTES_FILE), NOTES_FILE, segment, &mut |segment, file_id, line, text| {
        let Ok(note) = serde_json::from_str::<SourceNote>(text) else { return Some("bad-record") };
        let id = note.path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/").parse().ok();
        let instance = id.and_then(|id| instances.number(&id));
        file::note(segment, instance, file_id, line, &note.path, &note.reason, &note.text);
        // The row is the note itself.
        Some("")
    })
}

/// Reads a file of the run line by line. `each` gives a reason to note the line, an empty one if it made the note.
fn each_line(
    archive: &mut Archive,
    file: Option<(&Packed, u32)>,
    name: &str,
    segment: &mut Segment,
    each: &mut dyn FnMut(&mut Segment, u32, u32, &str) -> Option<&'static str>,
) -> Result<(), CollectError> {
    let Some((packed, file_id)) = file else { return Ok(()) };
    let mut counts = Counts::default();
    let mut lines = Lines::new(archive.content(packed)?);
    let cut = loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => break None,
            Err(error) => break Some(error),
        };
        let number = u32::try_from(line.number).unwrap_or(u32::MAX);
        let text = str::from_utf8(line.bytes).ok().filter(|_| !line.too_long);
        let reason = text.map_or(Some("not-utf8"), |text| each(segment, file_id, number, text));
        counts.lines += 1;
        match reason {
            None => counts.mapped += 1,
            Some(reason) => {
                counts.noted += 1;
                if !reason.is_empty() {
                    let reason = if line.ended { reason } else { "half-line" };
                    let head = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(1000)]);
                    file::note(segment, None, file_id, number, name, reason, &head);
                }
            }
        }
        segment.settle(line.bytes.len())?;
    };
    let ended = match cut {
        None => lines.finish(),
        Some(error) => Err(error),
    };
    let (size, sha) = ended.unwrap_or_else(|error| {
        file::note(segment, None, file_id, 0, name, "cut-file", &error.to_string());
        (0, String::new())
    });
    run_row(segment, file_id, name, "run", size, &sha, counts);
    Ok(())
}
