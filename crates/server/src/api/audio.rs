//! The audio of recordings, to whoever has its link. The link is the key: nothing else is asked.

use std::io::SeekFrom;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path as Part, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use tokio::fs::File;
use tokio::io::{AsyncReadExt, AsyncSeekExt};

use super::Api;
use super::envelope::ApiError;
use crate::recordings::{audio_path, link};

/// Its route.
pub(super) const PATH: &str = "/recordings/{file}";

/// Read and handed on at once, and how many such pieces may wait for a slow listener.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_WAITING: usize = 2;
/// A listener that takes nothing for so long is gone.
const PATIENCE: Duration = Duration::from_mins(1);

/// Sends the audio, or the part that was asked for (RFC 9110 §14).
pub(super) async fn send(
    State(api): State<Arc<Api>>,
    Part(file): Part<String>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let Some(path) = find(&api, &file).await else {
        return ApiError::not_found().into_response();
    };
    match open(&path).await {
        Ok((file, length)) => answer(file, length, &method, &headers).await,
        Err(error) => {
            tracing::error!(%error, path = %path.display(), "audio that is kept cannot be read");
            ApiError::not_found().into_response()
        }
    }
}

async fn find(api: &Api, file: &str) -> Option<PathBuf> {
    let token = link::token_in(file)?.to_owned();
    let reader = api.reader.clone();
    let found = tokio::task::spawn_blocking(move || reader.recording_of_token(&token)).await;
    match found.ok()? {
        Ok(found) => found.map(|recording| audio_path(&api.recordings, recording)),
        Err(error) => {
            tracing::error!(%error, "a link could not be looked up");
            None
        }
    }
}

async fn open(path: &Path) -> std::io::Result<(File, u64)> {
    let file = File::open(path).await?;
    let length = file.metadata().await?.len();
    Ok((file, length))
}

async fn answer(mut file: File, length: u64, method: &Method, headers: &HeaderMap) -> Response {
    let asked = headers
        .get(header::RANGE)
        .and_then(|range| range.to_str().ok());
    let (status, part) = match asked.map_or(Range::Whole, |asked| Range::of(asked, length)) {
        Range::Whole => (StatusCode::OK, None),
        Range::Part(part) => (StatusCode::PARTIAL_CONTENT, Some(part)),
        Range::Beyond => {
            let whole = format!("bytes */{length}");
            let headers = [(header::CONTENT_RANGE, whole)];
            return (StatusCode::RANGE_NOT_SATISFIABLE, headers).into_response();
        }
    };
    let (first, count) = match &part {
        Some(part) => (*part.start(), part.end() - part.start() + 1),
        None => (0, length),
    };
    let body = if method == Method::HEAD || file.seek(SeekFrom::Start(first)).await.is_err() {
        Body::empty()
    } else {
        let (sender, body) = Channel::<Bytes, std::io::Error>::new(PIECES_WAITING);
        // It ends with the file, with the listener, or with the listener's patience.
        tokio::spawn(pump(file, count, sender));
        Body::new(body)
    };
    let mut response = (status, body).into_response();
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_TYPE, "audio/mpeg"),
        (header::ACCEPT_RANGES, "bytes"),
        // Whoever has the link may hear it; nobody in between may keep it.
        (header::CACHE_CONTROL, "private, no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    headers.extend(fixed.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers.insert(header::CONTENT_LENGTH, count.into());
    let range = part.map(|part| format!("bytes {}-{}/{length}", part.start(), part.end()));
    let range = range.and_then(|range| HeaderValue::from_str(&range).ok());
    headers.extend(range.map(|range| (header::CONTENT_RANGE, range)));
    response
}

async fn pump(file: File, count: u64, mut sender: Sender<Bytes, std::io::Error>) {
    let mut file = file.take(count);
    loop {
        let mut piece = vec![0; PIECE_BYTES];
        match file.read(&mut piece).await {
            Ok(0) => return,
            Ok(read) => piece.truncate(read),
            Err(error) => return sender.abort(error),
        }
        let sent = tokio::time::timeout(PATIENCE, sender.send_data(piece.into())).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}

/// What of a file is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Range {
    /// All of it; also when what is asked makes no sense, or is more than one part.
    Whole,
    Part(RangeInclusive<u64>),
    /// Nothing that is there.
    Beyond,
}

impl Range {
    fn of(asked: &str, length: u64) -> Self {
        Self::parse(asked, length).unwrap_or(Self::Whole)
    }

    fn parse(asked: &str, length: u64) -> Option<Self> {
        let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
        let part = match (first.trim(), last.trim()) {
            ("", count) => {
                let count = count.parse::<u64>().ok()?;
                if count == 0 || length == 0 {
                    return Some(Self::Beyond);
                }
                length.saturating_sub(count)..=length - 1
            }
            (first, last) => {
                let first = first.parse::<u64>().ok()?;
                let last = match last {
                    "" => u64::MAX,
                    last => last.parse().ok()?,
                };
                if last < first {
                    return None;
                }
                if first >= length {
                    return Some(Self::Beyond);
                }
                first..=last.min(length - 1)
            }
        };
        Some(Self::Part(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges() {
        for (asked, expect) in [
            ("bytes=0-9", Range::Part(0..=9)),
            ("bytes=90-", Range::Part(90..=99)),
            ("bytes=90-500", Range::Part(90..=99)),
            ("bytes=-10", Range::Part(90..=99)),
            ("bytes=-500", Range::Part(0..=99)),
            ("bytes=100-", Range::Beyond),
            ("bytes=-0", Range::Beyond),
            ("bytes=9-0", Range::Whole),
            ("bytes=0-1,5-6", Range::Whole),
            ("bytes=", Range::Whole),
            ("bytes=a-b", Range::Whole),
            ("seconds=0-1", Range::Whole),
        ] {
            assert_eq!(Range::of(asked, 100), expect, "{asked}");
        }
        assert_eq!(Range::of("bytes=0-", 0), Range::Beyond);
        assert_eq!(Range::of("bytes=-1", 0), Range::Beyond);
    }
}
