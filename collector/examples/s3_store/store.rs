//! A small object store in memory that speaks the protocol of S3, for tests and measurements.

// Each of the two programs that this is a part of uses another half.
#![allow(dead_code, reason = "tests look into the store, and the program only serves it")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use md5::{Digest as _, Md5};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CommonPrefix, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CreateMultipartUploadInput, CreateMultipartUploadOutput, ETag, ETagCondition,
    EncodingType, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput, StreamingBlob, UploadPartInput, UploadPartOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

/// The keys that the store takes.
pub(crate) const ACCESS_KEY: &str = "tg-test";
pub(crate) const SECRET_KEY: &str = "tg-test-secret";

#[derive(Debug, Clone)]
struct Object {
    content: Bytes,
    etag: String,
    modified: SystemTime,
}

/// Parts of an upload by number.
type Parts = BTreeMap<i32, Bytes>;

/// The store: objects by `bucket/key`.
#[derive(Debug, Default)]
pub(crate) struct Store {
    objects: Mutex<BTreeMap<String, Object>>,
    uploads: Mutex<BTreeMap<String, Parts>>,
    /// Keys in one page of a listing.
    pub(crate) page: usize,
    numbers: AtomicU64,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    pub(crate) fn new(page: usize) -> Arc<Self> {
        Arc::new(Self { page, ..Self::default() })
    }

    /// Sets an object; its tag is the MD5 of its content, as S3 has it.
    pub(crate) fn put(&self, path: &str, content: impl Into<Bytes>) -> String {
        let content = content.into();
        let etag = hex(&Md5::digest(&content));
        self.set(path, content, etag)
    }

    fn set(&self, path: &str, content: Bytes, etag: String) -> String {
        let object = Object { content, etag: etag.clone(), modified: SystemTime::now() };
        locked(&self.objects).insert(path.to_owned(), object);
        etag
    }

    pub(crate) fn remove(&self, path: &str) -> bool {
        locked(&self.objects).remove(path).is_some()
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        locked(&self.objects).keys().cloned().collect()
    }

    pub(crate) fn content(&self, path: &str) -> Option<Bytes> {
        locked(&self.objects).get(path).map(|object| object.content.clone())
    }

    /// Uploads in parts that were neither completed nor given up.
    pub(crate) fn open_uploads(&self) -> usize {
        locked(&self.uploads).len()
    }

    /// What answers requests out of the store; an open one asks for no keys.
    pub(crate) fn service(self: &Arc<Self>, open: bool) -> S3Service {
        let mut builder = S3ServiceBuilder::new(Handle(self.clone()));
        if !open {
            builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        }
        builder.build()
    }
}

async fn whole(body: Option<StreamingBlob>) -> S3Result<Bytes> {
    let Some(body) = body else { return Ok(Bytes::new()) };
    let parts: Vec<Bytes> = body.try_collect().await.map_err(|error| s3_error!(IncompleteBody, "{error}"))?;
    Ok(parts.concat().into())
}

fn blob(content: Bytes) -> StreamingBlob {
    StreamingBlob::wrap(stream::once(async move { Ok::<_, std::io::Error>(content) }))
}

struct Handle(Arc<Store>);

#[async_trait::async_trait]
impl S3 for Handle {
    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = request.input;
        let object = locked(&self.0.objects).get(&format!("{}/{}", input.bucket, input.key)).cloned();
        let object = object.ok_or_else(|| s3_error!(NoSuchKey))?;
        let etag = ETag::Strong(object.etag.clone());
        if let Some(ETagCondition::ETag(wanted)) = &input.if_match
            && !wanted.strong_cmp(&etag)
        {
            return Err(s3_error!(PreconditionFailed));
        }
        let size = object.content.len() as u64;
        let (content, range) = match input.range {
            None => (object.content, None),
            Some(range) => {
                let range = range.check(size).map_err(|error| s3_error!(error, InvalidRange))?;
                let words = format!("bytes {}-{}/{size}", range.start, range.end - 1);
                let (start, end) = (usize::try_from(range.start), usize::try_from(range.end));
                (object.content.slice(start.unwrap_or(0)..end.unwrap_or(0)), Some(words))
            }
        };
        Ok(S3Response::new(GetObjectOutput {
            content_length: i64::try_from(content.len()).ok(),
            body: Some(blob(content)),
            content_range: range,
            e_tag: Some(etag),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, request: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let object = locked(&self.0.objects).get(&format!("{}/{}", request.input.bucket, request.input.key)).cloned();
        let object = object.ok_or_else(|| s3_error!(NoSuchKey))?;
        Ok(S3Response::new(HeadObjectOutput {
            content_length: i64::try_from(object.content.len()).ok(),
            e_tag: Some(ETag::Strong(object.etag)),
            ..HeadObjectOutput::default()
        }))
    }

    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let input = request.input;
        let content = whole(input.body).await?;
        let etag = self.0.put(&format!("{}/{}", input.bucket, input.key), content);
        Ok(S3Response::new(PutObjectOutput { e_tag: Some(ETag::Strong(etag)), ..PutObjectOutput::default() }))
    }

    async fn create_multipart_upload(
        &self,
        request: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let id = format!("upload-{}", self.0.numbers.fetch_add(1, Ordering::Relaxed));
        locked(&self.0.uploads).insert(id.clone(), Parts::new());
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(request.input.bucket),
            key: Some(request.input.key),
            upload_id: Some(id),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    async fn upload_part(&self, request: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = request.input;
        let content = whole(input.body).await?;
        let etag = hex(&Md5::digest(&content));
        let mut uploads = locked(&self.0.uploads);
        let parts = uploads.get_mut(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        parts.insert(input.part_number, content);
        Ok(S3Response::new(UploadPartOutput { e_tag: Some(ETag::Strong(etag)), ..UploadPartOutput::default() }))
    }

    async fn complete_multipart_upload(
        &self,
        request: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = request.input;
        let parts = locked(&self.0.uploads).remove(&input.upload_id).ok_or_else(|| s3_error!(NoSuchUpload))?;
        let named = input.multipart_upload.and_then(|upload| upload.parts).unwrap_or_default();
        if named.len() != parts.len() {
            return Err(s3_error!(InvalidPart));
        }
        let sums: Vec<u8> = parts.values().flat_map(|part| Md5::digest(part).to_vec()).collect();
        let etag = format!("{}-{}", hex(&Md5::digest(&sums)), parts.len());
        let content: Bytes = parts.into_values().collect::<Vec<_>>().concat().into();
        let etag = self.0.set(&format!("{}/{}", input.bucket, input.key), content, etag);
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            e_tag: Some(ETag::Strong(etag)),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    async fn abort_multipart_upload(
        &self,
        request: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        locked(&self.0.uploads).remove(&request.input.upload_id);
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = request.input;
        let bucket = format!("{}/", input.bucket);
        let prefix = format!("{bucket}{}", input.prefix.clone().unwrap_or_default());
        let encode = |key: &str| escape(key.strip_prefix(&bucket).unwrap_or(key));
        let from = input.continuation_token.as_deref().map_or(prefix.as_str(), |token| token);
        let objects = locked(&self.0.objects);
        if !objects.range(bucket.clone()..).next().is_some_and(|(key, _)| key.starts_with(&bucket)) {
            return Err(s3_error!(NoSuchBucket));
        }
        let (mut contents, mut folders, mut next) = (Vec::new(), Vec::<String>::new(), None);
        for (key, object) in objects.range::<str, _>((Bound::Included(from), Bound::Unbounded)) {
            if !key.starts_with(&prefix) {
                break;
            }
            if contents.len() + folders.len() >= self.0.page {
                next = Some(key.clone());
                break;
            }
            let rest = &key[prefix.len()..];
            if let Some(delimiter) = &input.delimiter
                && let Some(at) = rest.find(delimiter)
            {
                let folder = key[..prefix.len() + at + delimiter.len()].to_owned();
                if folders.last() != Some(&folder) {
                    folders.push(folder);
                }
                continue;
            }
            contents.push(s3s::dto::Object {
                key: Some(encode(key)),
                size: i64::try_from(object.content.len()).ok(),
                e_tag: Some(ETag::Strong(object.etag.clone())),
                last_modified: Some(object.modified.into()),
                ..s3s::dto::Object::default()
            });
        }
        let folders = folders.iter().map(|folder| CommonPrefix { prefix: Some(encode(folder)) }).collect::<Vec<_>>();
        Ok(S3Response::new(ListObjectsV2Output {
            is_truncated: Some(next.is_some()),
            next_continuation_token: next,
            contents: Some(contents),
            common_prefixes: Some(folders),
            encoding_type: Some(EncodingType::from_static(EncodingType::URL)),
            ..ListObjectsV2Output::default()
        }))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|b| [b >> 4, b & 15]).filter_map(|digit| char::from_digit(u32::from(digit), 16)).collect()
}

fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    out
}
