//! What a screen may ask for, and the keys that ask for it.
//!
//! Screens only paint and collect commands; the application carries them out after painting.

use eframe::egui::{Key, KeyboardShortcut, Modifiers};

use crate::api::{self, LibraryFilter, Operation, PathText, QueueList, Request, Selection, TestReport};

use super::preferences::Appearance;

/// The four places of the sidebar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(super) enum Screen {
    /// The grid.
    #[default]
    Library,
    /// What is on its way and what is stuck.
    Queue,
    /// Where copies go.
    Destinations,
    /// Bringing files back.
    Restore,
    /// Folders, appearance, quitting.
    Settings,
}

impl Screen {
    /// In the order of the sidebar.
    pub const ALL: [Self; 5] =
        [Self::Library, Self::Queue, Self::Destinations, Self::Restore, Self::Settings];

    /// As the sidebar says it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Library => "Library",
            Self::Queue => "Queue",
            Self::Destinations => "Destinations",
            Self::Restore => "Restore",
            Self::Settings => "Settings",
        }
    }
}

/// What a folder dialog was opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PickFor {
    /// A folder of photos.
    Source,
    /// A place for copies.
    Destination,
    /// A folder for restored files.
    Restore,
    /// A certificate authority's file.
    Authority,
}

/// What is done to files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    /// Try again.
    Retry,
    /// Leave out.
    Exclude,
    /// Take back in.
    Include,
    /// Take out of a server's trash.
    Untrash,
}

impl Verb {
    /// The request that does it.
    pub fn request(self, selection: Selection) -> Request {
        match self {
            Self::Retry => Request::Command(api::Command::Retry(selection)),
            Self::Exclude => Request::Command(api::Command::Exclude(selection)),
            Self::Include => Request::Command(api::Command::Include(selection)),
            Self::Untrash => Request::Operation(Operation::RestoreFromTrash(selection)),
        }
    }
}

/// A question over everything else.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Dialog {
    /// Backup goes on when the window is closed.
    ClosingNotice,
    /// Quitting stops backup with work left.
    QuitWithWorkLeft,
    /// A new folder's photos would be copied to the destinations that are there.
    ConsentToSource {
        /// The folder.
        path: PathText,
    },
    /// Forget a folder.
    RemoveSource {
        /// The source.
        id: i64,
        /// Its folder.
        path: PathText,
    },
    /// Forget a destination.
    RemoveDestination {
        /// The destination.
        id: i64,
        /// Its name.
        name: String,
        /// Files safe there.
        safe: u64,
    },
    /// Leave files out.
    Exclude {
        /// Which.
        selection: Selection,
        /// How many, for the question.
        files: u64,
        /// The same as it is said afterwards: `48 files`, or one file's name.
        what: String,
        /// The only destination they are left out at, with its name; `None` for all.
        at: Option<(i64, String)>,
    },
    /// Leave photos out.
    ExcludeAssets {
        /// Which.
        assets: Vec<i64>,
    },
    /// How a saved destination's test went.
    Tested {
        /// Its name.
        name: String,
        /// What the test found, or why there was none.
        outcome: Result<TestReport, String>,
    },
    /// The keys.
    Shortcuts,
}

/// Files that need attention.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FailedFiles {
    /// Only those that failed for this reason ([`crate::api::FailureText::class`]).
    pub class: Option<String>,
    /// Only their copies at this destination.
    pub destination: Option<i64>,
}

/// What follows when a destination was added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum AfterAdding {
    /// Nothing.
    #[default]
    Nothing,
    /// Backup is switched on.
    SwitchOn,
    /// Files are restored from it.
    Restore,
}

/// A field that opens on a destination's card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CardField {
    /// For another password, key or token.
    Secret,
}

/// Names a page of the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PageKey {
    /// Which assets.
    pub filter: LibraryFilter,
    /// The day.
    pub day: i32,
    /// Which page of it.
    pub page: u32,
}

/// Names a list of the queue, or the next page of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct ListKey {
    /// Which list.
    pub list: QueueList,
    /// Only this destination.
    pub destination: Option<i64>,
    /// Only this failure kind.
    pub failure_kind: Option<String>,
    /// The next page, not the list again.
    pub is_more: bool,
}

impl ListKey {
    /// The same list from its start.
    pub fn first_page(&self) -> Self {
        Self { is_more: false, ..self.clone() }
    }
}

/// Where a restore begins that is asked for elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct RestoreStart {
    /// From this destination.
    pub destination: Option<i64>,
    /// These assets; anything where there are none.
    pub assets: Vec<i64>,
}

/// What a request was for, so that its answer finds its way.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Purpose {
    /// The library's days.
    Sections(LibraryFilter),
    /// A page of a day.
    Page(PageKey),
    /// One asset's details for the viewer.
    Details(i64),
    /// One asset's files, to act on them.
    BulkChange,
    /// A list of the queue.
    Queue(ListKey),
    /// The groups of failures.
    Groups,
    /// The first file of a class, to show it in the file manager.
    ShowFile,
    /// The draft of a new destination was tried: the test with this number.
    TestDraft(u64),
    /// The draft was saved.
    AddDestination {
        /// What follows.
        then: AfterAdding,
    },
    /// A saved destination was tried.
    TestSaved {
        /// The destination.
        id: i64,
        /// Its name.
        name: String,
    },
    /// A saved destination's copies were checked.
    Verify {
        /// Its name.
        name: String,
    },
    /// A destination's disk is unmounted and mounted again.
    Reconnect {
        /// The destination's name.
        name: String,
    },
    /// The drives that copies can go to.
    Drives,
    /// What can be restored from a destination.
    RestoreOverview(i64),
    /// How much a restore from a destination would bring.
    MeasureRestore(i64),
    /// How much room there is in a folder.
    FolderSpace(PathText),
    /// A restore was asked for.
    StartRestore,
    /// How servers are reached was changed.
    SetNetwork,
    /// A destination that was removed is forgotten.
    RemoveDestination(i64),
    /// A folder was added.
    AddSource(PathText),
    /// A folder was removed; these destinations had it.
    RemoveSource {
        /// The folder.
        path: PathText,
        /// Where it went.
        destinations: Vec<i64>,
    },
    /// A folder that had been removed was added again, to go to these destinations.
    ReturnSource(Vec<i64>),
    /// Files were changed.
    Changed(Change),
    /// The files of one class, to act on them.
    GatherFailed,
    /// The folder dialog.
    Picked(PickFor),
    /// The agent was asked to stop.
    Shutdown,
    /// Nothing follows but an error.
    OnlyErrors,
}

/// What was asked to be done to files.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    /// What.
    pub verb: Verb,
    /// To what: `48 files`, or one file's name.
    pub what: String,
    /// The files, where they are known one by one: then it can be undone.
    pub ids: Vec<String>,
}

/// What a screen asks for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Shows a screen.
    Go(Screen),
    /// Shows a list of the queue, of one destination or all.
    ShowQueue(QueueList, Option<i64>),
    /// Shows a destination's card, with a field of it open.
    ShowDestination(i64, Option<CardField>),
    /// Sends a request.
    Send(Box<Request>, Purpose),
    /// Opens the dialog that picks a folder, or a file where one is wanted.
    PickFolder(PickFor),
    /// Shows a file in the file manager.
    ShowInFolder(PathText),
    /// Opens the viewer.
    OpenAsset {
        /// The asset.
        asset: i64,
        /// Its place in the grid, where it was opened from there.
        index: Option<usize>,
    },
    /// Closes the viewer.
    CloseViewer,
    /// Removes a destination, which can be undone for a while.
    RemoveDestination(i64),
    /// Undoes that.
    KeepDestination(i64),
    /// Does something to all files of assets.
    OnAssets(Verb, Vec<i64>),
    /// Does something to files that need attention; the last is what is said of them.
    OnFailed(Verb, FailedFiles, String),
    /// Undoes the last change that can be undone.
    Undo,
    /// Larger or smaller text, in steps; 0 is the size it had at first.
    ScaleText(i8),
    /// Shows a question.
    Ask(Dialog),
    /// Puts the question away.
    CloseDialog,
    /// Shows a sentence for a moment.
    Toast(String),
    /// Follows the system's theme, or not.
    SetAppearance(Appearance),
    /// Makes the agent start at sign-in, or not.
    StartAtSignIn(bool),
    /// Larger or smaller cells, in steps.
    Zoom(i8),
    /// Begins to quit: asks where work is left.
    Quit,
    /// Quits: stops the agent and closes.
    QuitNow,
    /// Closes the window; backup goes on.
    CloseWindow,
    /// The person has read that backup goes on; the window closes.
    ClosingNoticeRead,
    /// Leaves the first run.
    EndFirstRun,
    /// Prepares a restore; the screen is shown by a command of its own.
    BeginRestore(RestoreStart),
    /// Adds a destination to restore from.
    AddDestinationToRestore,
}

impl Command {
    /// A request whose answer matters only when it is an error.
    pub fn send_ignoring_reply(request: impl Into<Request>) -> Self {
        Self::send(request, Purpose::OnlyErrors)
    }

    /// A request and what its answer is for.
    pub fn send(request: impl Into<Request>, purpose: Purpose) -> Self {
        Self::Send(Box::new(request.into()), purpose)
    }

    /// Something done to files.
    pub fn change(verb: Verb, selection: Selection, what: &str) -> Self {
        let ids = match &selection {
            Selection::Items(ids) => ids.clone(),
            Selection::All | Selection::Kind(_) => Vec::new(),
        };
        let change = Change { verb, what: what.to_owned(), ids };
        Self::Send(Box::new(verb.request(selection)), Purpose::Changed(change))
    }
}

const fn ctrl(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::COMMAND, key)
}

const fn bare(key: Key) -> KeyboardShortcut {
    KeyboardShortcut::new(Modifiers::NONE, key)
}

/// Keys that work on every screen.
pub(super) const GLOBAL_KEYS: [(KeyboardShortcut, GlobalKey); 13] = [
    (ctrl(Key::Num1), GlobalKey::Go(Screen::Library)),
    (ctrl(Key::Num2), GlobalKey::Go(Screen::Queue)),
    (ctrl(Key::Num3), GlobalKey::Go(Screen::Destinations)),
    (ctrl(Key::Num4), GlobalKey::Go(Screen::Restore)),
    (ctrl(Key::Num5), GlobalKey::Go(Screen::Settings)),
    (ctrl(Key::Q), GlobalKey::Quit),
    (ctrl(Key::W), GlobalKey::Close),
    (ctrl(Key::Plus), GlobalKey::ScaleText(1)),
    (ctrl(Key::Equals), GlobalKey::ScaleText(1)),
    (ctrl(Key::Minus), GlobalKey::ScaleText(-1)),
    (ctrl(Key::Num0), GlobalKey::ScaleText(0)),
    (bare(Key::F5), GlobalKey::Rescan),
    (bare(Key::F1), GlobalKey::Shortcuts),
];

/// What a key of [`GLOBAL_KEYS`] does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GlobalKey {
    /// Shows a screen.
    Go(Screen),
    /// Quits.
    Quit,
    /// Closes the window.
    Close,
    /// Changes the size of all text.
    ScaleText(i8),
    /// Rescans all folders.
    Rescan,
    /// Shows the keys.
    Shortcuts,
}

impl GlobalKey {
    /// The command it stands for.
    pub fn command(self) -> Command {
        match self {
            Self::Go(screen) => Command::Go(screen),
            Self::Quit => Command::Quit,
            Self::Close => Command::CloseWindow,
            Self::ScaleText(step) => Command::ScaleText(step),
            Self::Rescan => Command::send_ignoring_reply(api::Command::Rescan { id: None }),
            Self::Shortcuts => Command::Ask(Dialog::Shortcuts),
        }
    }
}

/// The sheet of keys: what, and which.
pub(super) const SHEET: [(&str, &str); 18] = [
    ("Library, Queue, Destinations, Restore, Settings", "Ctrl+1 to Ctrl+5"),
    ("Move between photos", "Arrow keys"),
    ("First and last photo", "Home, End"),
    ("A screen up or down", "Page Up, Page Down"),
    ("Select or deselect", "Space"),
    ("Select a range", "Shift with a move or a click"),
    ("Select all", "Ctrl+A"),
    ("Open a photo, close it", "Enter, Esc"),
    ("Previous and next photo", "Left, Right"),
    ("Zoom in and out of a photo", "+ and -, 0 to fit"),
    ("Details of a photo", "I"),
    ("Larger and smaller thumbnails", "+ and -"),
    ("Larger, smaller and normal text", "Ctrl+Plus, Ctrl+Minus, Ctrl+0"),
    ("Undo what a message offers to undo", "Ctrl+Z"),
    ("Rescan all folders", "F5"),
    ("Close the window, backup continues", "Ctrl+W"),
    ("Quit, backup stops", "Ctrl+Q"),
    ("Keyboard shortcuts", "F1"),
];
