//! What a client holds in its hand: the agent at the other end of a socket, and pictures.
//!
//! The window sees only [`Backend`], so its tests run against a made-up one. Nothing here blocks
//! the caller; decoding of pictures happens in this process and never in the agent, so a hostile
//! picture can at worst end the window.

pub mod conversation;
pub mod in_process;
pub mod pictures;
pub mod remote;
pub mod sign_in;
pub mod window_backend;

use std::sync::Arc;

use crate::api::{ApiError, Event, PathText, Reply, Request, Snapshot};
pub use crate::base::identity::{APP_ID, version_with_commit};
pub use crate::media::picture::PictureError;

/// Names one request until its answer has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// How the line to the agent is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connection {
    /// The agent is being joined or started.
    Connecting,
    /// Snapshots are coming.
    Connected,
    /// The agent has gone or refused; the sentence says why. Safelight retries automatically unless the
    /// versions differ.
    Lost(String),
}

/// Something that arrived.
#[derive(Debug, Clone, PartialEq)]
pub enum BackendEvent {
    /// The answer to a request.
    Reply {
        /// The request.
        ticket: Ticket,
        /// Its outcome.
        outcome: Result<Reply, ApiError>,
    },
    /// Something that happened once.
    Event(Event),
    /// The dialog that picks a folder or a file closed. `Ok(None)`: the person cancelled. `Err`: no dialog could be shown,
    /// with a sentence that says to type the path instead.
    FolderPicked {
        /// The dialog's request.
        ticket: Ticket,
        /// What was picked.
        outcome: Result<Option<PathText>, String>,
    },
}

/// A picture to be decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PictureRequest {
    /// The asset.
    pub asset: i64,
    /// Its primary file.
    pub path: PathText,
    /// The version, as the row gave it.
    pub cache_key: String,
    /// The media type's stable name.
    pub media_type: String,
    /// The longest side wanted, in pixels. At most [`THUMBNAIL_SIDE_MAX`] is a thumbnail and is
    /// cached on disk; anything larger is a full view and is not.
    pub side_max: u32,
}

/// Up to this side a picture is a thumbnail.
pub const THUMBNAIL_SIDE_MAX: u32 = 320;
/// The most pictures that may be wanted at once.
pub const PICTURES_WANTED_MAX: usize = 512;

/// Pixels, oriented for display.
#[derive(Clone, PartialEq, Eq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// RGBA, 8 bits each, not premultiplied, rows from the top.
    pub rgba: Arc<[u8]>,
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pixels({}×{})", self.width, self.height)
    }
}

/// A picture that has been decoded, or cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// The asset.
    pub asset: i64,
    /// The version.
    pub cache_key: String,
    /// The side that was asked for.
    pub side_max: u32,
    /// The pixels, or why there are none.
    pub outcome: Result<Pixels, PictureError>,
}

/// Decodes pictures for a [`Backend`]. No method blocks.
pub trait PictureSource: Send {
    /// Says which pictures are wanted now; see [`Backend::want_pictures`].
    fn want(&mut self, wanted: Vec<PictureRequest>);
    /// The next decoded picture.
    fn poll(&mut self) -> Option<Picture>;
}

/// Everything the window needs. No method blocks.
pub trait Backend {
    /// How the line to the agent is.
    fn connection(&self) -> Connection;
    /// The newest snapshot.
    fn snapshot(&self) -> Arc<Snapshot>;
    /// Sends a request. When too many are under way the answer is an error at once.
    fn send(&mut self, request: Request) -> Ticket;
    /// The next thing that arrived.
    fn poll(&mut self) -> Option<BackendEvent>;
    /// Says which pictures are wanted now, the most wanted first. Replaces what was wanted before,
    /// so what has scrolled away is not decoded. At most [`PICTURES_WANTED_MAX`].
    fn want_pictures(&mut self, wanted: Vec<PictureRequest>);
    /// The next decoded picture.
    fn poll_picture(&mut self) -> Option<Picture>;
    /// Opens the folder dialog. The answer comes as [`BackendEvent::FolderPicked`].
    fn pick_folder(&mut self, title: &str) -> Ticket;
    /// Opens the dialog that picks a file. The answer comes as [`BackendEvent::FolderPicked`] too.
    fn pick_file(&mut self, title: &str) -> Ticket;
    /// Shows a file in the file manager.
    fn show_in_folder(&mut self, path: &PathText);
    /// The time now, for "3 days ago" and "in 4 minutes".
    fn now(&self) -> crate::domain::time::UnixMillis;
}
