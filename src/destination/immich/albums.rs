//! What the server makes of assets that are there: albums, stacks, a moving half with its still.
//!
//! None of this decides whether a copy is safe. What the key may not do is left out; what failed on
//! the way is tried again with the file's next job.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::json;
use tokio::sync::Mutex;

use super::api::{self, Album, AlbumAddition};
use super::errors;
use super::receipt::is_id;
use super::wire::Client;
use crate::destination::http::{ANSWER_BYTES_MAX, HttpError, Method};
use crate::domain::failure::Failure;

/// The largest list of albums that is read, in bytes.
const ALBUMS_ANSWER_MAX: usize = 16 << 20;
/// The most albums that are remembered.
const ALBUMS_MAX: usize = 20_000;
/// The longest name of an album, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// What came of arranging an asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrangeOutcome {
    /// It is as it should be.
    Done,
    /// The server does not let it; its answer's status.
    Refused(u16),
}

/// Albums by name, as far as they are known.
pub struct Albums {
    wire: Arc<Client>,
    known: Mutex<Option<HashMap<String, String>>>,
}

impl Albums {
    /// Nothing known yet.
    pub fn new(wire: Arc<Client>) -> Self {
        Self { wire, known: Mutex::default() }
    }

    /// Puts an asset into the album of this name, which is made if it is not there.
    ///
    /// # Errors
    /// What may pass: the connection, the server's own trouble.
    pub async fn put(
        &self,
        name: &str,
        asset: &str,
        user: Option<&str>,
    ) -> Result<ArrangeOutcome, HttpError> {
        let name = &name[..name.floor_char_boundary(NAME_BYTES_MAX)];
        for is_last in [false, true] {
            let album = match self.find_or_make(name, asset, user).await? {
                Ok(album) => album,
                Err(refused) => return Ok(refused),
            };
            let body = json!({ "ids": [asset] }).to_string();
            let request = self.wire.with_json(Method::PUT, &format!("albums/{album}/assets"), body);
            let answer = self.wire.ask(request, crate::destination::http::ANSWER_BYTES_MAX).await?;
            if answer.is_success() {
                let added: Vec<AlbumAddition> = api::read(&answer, "filling an album")?;
                let is_in = added.iter().any(AlbumAddition::is_in);
                return Ok(if is_in { ArrangeOutcome::Done } else { ArrangeOutcome::Refused(answer.status) });
            }
            // The person may have removed the album since it was listed.
            self.known.lock().await.take();
            if is_last || !matches!(answer.status, 400 | 404) {
                return refused(&self.wire, &answer, "filling an album");
            }
        }
        Ok(ArrangeOutcome::Done)
    }

    async fn find_or_make(
        &self,
        name: &str,
        asset: &str,
        user: Option<&str>,
    ) -> Result<Result<String, ArrangeOutcome>, HttpError> {
        // Held over the requests: two transfers must not make one album twice.
        let mut known = self.known.lock().await;
        if known.is_none() {
            let answer = self.wire.ask(self.wire.request(Method::GET, "albums"), ALBUMS_ANSWER_MAX).await?;
            if !answer.is_success() {
                return refused(&self.wire, &answer, "listing albums").map(Err);
            }
            let albums: Vec<Album> = api::read(&answer, "listing albums")?;
            // Albums of others may be shared with this account.
            let is_own = |album: &Album| match (album.owner(), user) {
                (Some(owner), Some(user)) => owner == user,
                _ => true,
            };
            let own = albums.into_iter().filter(|album| is_own(album) && is_id(&album.id));
            *known = Some(own.take(ALBUMS_MAX).map(|album| (album.album_name, album.id)).collect());
        }
        if let Some(id) = known.as_ref().and_then(|known| known.get(name)) {
            return Ok(Ok(id.clone()));
        }
        let body = json!({ "albumName": name, "assetIds": [asset] }).to_string();
        let answer =
            self.wire.ask(self.wire.with_json(Method::POST, "albums", body), ALBUMS_ANSWER_MAX).await?;
        if !answer.is_success() {
            return refused(&self.wire, &answer, "making an album").map(Err);
        }
        let album: Album = api::read(&answer, "making an album")?;
        if let Some(known) = known.as_mut().filter(|known| known.len() < ALBUMS_MAX) {
            known.insert(name.to_owned(), album.id.clone());
        }
        Ok(Ok(album.id))
    }
}

/// Makes a stack of a picture and its RAW file; the picture is on top.
///
/// # Errors
/// As [`Albums::put`].
pub async fn stack(wire: &Client, top: &str, below: &str) -> Result<ArrangeOutcome, HttpError> {
    let body = json!({ "assetIds": [top, below] }).to_string();
    arrange(wire, wire.with_json(Method::POST, "stacks", body), "making a stack").await
}

/// Joins a still with its moving half, both of which are there.
///
/// # Errors
/// As [`Albums::put`].
pub async fn join(wire: &Client, still: &str, video: &str) -> Result<ArrangeOutcome, HttpError> {
    let body = json!({ "livePhotoVideoId": video }).to_string();
    arrange(wire, wire.with_json(Method::PUT, &format!("assets/{still}"), body), "joining a Live Photo").await
}

/// Parts a still from its video, if it has one.
///
/// # Errors
/// What the server said instead; for good when the key may not.
pub async fn part(wire: &Client, still: &str) -> Result<(), Failure> {
    let body = json!({ "livePhotoVideoId": null }).to_string();
    let request = wire.with_json(Method::PUT, &format!("assets/{still}"), body);
    let answer = wire.ask(request, ANSWER_BYTES_MAX).await.map_err(HttpError::into_failure)?;
    match errors::missing_permission(&answer) {
        _ if answer.is_success() => Ok(()),
        Some(permission) => Err(errors::may_not_remove(&[&permission])),
        None => Err(wire.failure(&answer, "parting a Live Photo")),
    }
}

async fn arrange(
    wire: &Client,
    request: crate::destination::http::Request,
    what: &str,
) -> Result<ArrangeOutcome, HttpError> {
    let answer = wire.ask(request, crate::destination::http::ANSWER_BYTES_MAX).await?;
    if answer.is_success() { Ok(ArrangeOutcome::Done) } else { refused(wire, &answer, what) }
}

/// What the server does not let be is left; what may pass is a failure.
fn refused(
    wire: &Client,
    answer: &crate::destination::http::Answer,
    what: &str,
) -> Result<ArrangeOutcome, HttpError> {
    match answer.status {
        400 | 403 | 404 | 409 | 422 => Ok(ArrangeOutcome::Refused(answer.status)),
        _ => Err(wire.failure(answer, what).into()),
    }
}
