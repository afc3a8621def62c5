//! The window over a made-up library, to look at it without a backup.
//!
//! `cargo run --example window_preview -- [SCENE] [system|light|dark] [PHOTOS]`, with one of the scenes
//! `new`, `busy`, `safe`, `lost`, `attention`, `waiting` and `off`.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use safelight::api::{BackupSwitch, DriveText, FailureText, PathText, Request, Snapshot, WaitText};
use safelight::client::sign_in::{SignInState, SignInSwitch};
use safelight::client::{Backend, BackendEvent, Connection, Picture, PictureRequest, Ticket};
use safelight::domain::failure::{FailureKind, Reach};
use safelight::domain::time::UnixMillis;
use safelight::domain::wait::WaitReason;
use safelight::ui::fake::{FakeBackend, Handle, World};
use safelight::ui::{Appearance, Options, Preferences, Wake};

/// A made-up backend whose copies get on by themselves.
struct Preview {
    inner: FakeBackend,
    world: Handle,
    moved: Instant,
    moves: bool,
}

const STEP: Duration = Duration::from_millis(500);

impl Backend for Preview {
    fn connection(&self) -> Connection {
        self.inner.connection()
    }
    fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.snapshot()
    }
    fn send(&mut self, request: Request) -> Ticket {
        self.inner.send(request)
    }
    fn poll(&mut self) -> Option<BackendEvent> {
        if self.moved.elapsed() >= STEP {
            self.moved = Instant::now();
            let has_work = self.moves && self.world.borrow().snapshot.progress.is_some();
            if has_work {
                self.world.borrow_mut().advance(3);
            }
        }
        self.inner.poll()
    }
    fn want_pictures(&mut self, wanted: Vec<PictureRequest>) {
        self.inner.want_pictures(wanted);
    }
    fn poll_picture(&mut self) -> Option<Picture> {
        self.inner.poll_picture()
    }
    fn pick_folder(&mut self, title: &str) -> Ticket {
        self.inner.pick_folder(title)
    }
    fn pick_file(&mut self, title: &str) -> Ticket {
        self.inner.pick_file(title)
    }
    fn show_in_folder(&mut self, path: &PathText) {
        self.inner.show_in_folder(path);
    }
    fn now(&self) -> UnixMillis {
        self.inner.now()
    }
}

fn world(scene: &str, photos: usize) -> World {
    let pick = |path: &str| Ok(Some(PathText::from_bytes(path.as_bytes())));
    let mut world = match scene {
        "new" => World::new(),
        "safe" | "off" => World::with_library(photos),
        _ => World::busy(photos),
    };
    // Painting is done where the window is painted, so large pictures would hold it up.
    world.picture_side_max = 640;
    world.picks = VecDeque::from([pick("/home/ada/Pictures"), pick("/media/ada/Backup disk")]);
    world.drives = vec![DriveText {
        name: "My Passport".to_owned(),
        path: PathText::from_bytes(b"/media/ada/My Passport"),
        free_bytes: Some(812_000_000_000),
    }];
    match scene {
        "attention" => needs_attention(&mut world),
        "waiting" => waits(&mut world),
        "off" => world.snapshot.backup = BackupSwitch::Off,
        _ => {}
    }
    if scene == "lost" {
        let why = "The backup in the background has stopped. It is being started again".to_owned();
        world.connection = Connection::Lost(why);
    }
    world
}

/// Everything is done but what fails; some pictures are damaged.
fn needs_attention(world: &mut World) {
    world.safe = world.assets();
    world.attention = (3..120).step_by(9).collect();
    world.damaged = [1, 3, 12, 14].into();
    world.snapshot.uploading.clear();
    world.recount();
}

/// The disk is full and the server is away.
fn waits(world: &mut World) {
    world.attention.clear();
    world.snapshot.uploading.clear();
    let until = UnixMillis(world.now.0 + 240_000);
    let [disk, nas] = &mut world.snapshot.destinations[..] else { return };
    disk.wait_reason = Some(WaitText::with_cause(&WaitReason::NoSpace { until }, FailureKind::Full, None));
    disk.failure = Some(FailureText::new(FailureKind::Full, Reach::Destination, "ENOSPC".to_owned()));
    nas.wait_reason =
        Some(WaitText::with_cause(&WaitReason::Unreachable { until }, FailureKind::Connect, None));
    nas.failure =
        Some(FailureText::new(FailureKind::Connect, Reach::Destination, "connection refused".to_owned()));
    world.recount();
}

fn main() -> Result<(), String> {
    let mut args = std::env::args().skip(1);
    let scene = args.next().unwrap_or_else(|| "busy".to_owned());
    let appearance = match args.next().as_deref() {
        Some("light") => Appearance::Light,
        Some("dark") => Appearance::Dark,
        _ => Appearance::System,
    };
    let photos = args.next().and_then(|n| n.parse().ok()).unwrap_or(18_204);
    let options = Options {
        preferences: Preferences { appearance, ..Preferences::default() },
        sign_in: SignInSwitch::in_memory(SignInState::Undecided),
        ..Options::default()
    };
    let moves = scene == "busy";
    let factory = Box::new(move |wake: Wake| -> Box<dyn Backend> {
        let world: Handle = Rc::new(RefCell::new(world(&scene, photos)));
        let wake = Arc::new(wake);
        let tick = wake.clone();
        if moves {
            let builder = std::thread::Builder::new().name("tick".to_owned());
            let ticking = builder.spawn(move || {
                loop {
                    std::thread::park_timeout(STEP);
                    tick();
                }
            });
            drop(ticking);
        }
        let inner = FakeBackend::new(world.clone(), Box::new(move || wake()));
        Box::new(Preview { inner, world, moved: Instant::now(), moves })
    });
    safelight::ui::run(factory, options)
}
