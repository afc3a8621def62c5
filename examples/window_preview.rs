//! The window over a made-up library, to look at it without a backup.
//!
//! `cargo run --example window_preview -- [new|busy|safe|lost] [system|light|dark] [PHOTOS]`

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use safelight::api::{PathText, Request, Snapshot};
use safelight::client::{Backend, Connection, Incoming, Picture, PictureRequest, Ticket};
use safelight::domain::time::UnixMillis;
use safelight::ui::fake::{FakeBackend, Handle, World};
use safelight::ui::{Appearance, Options, Preferences, Wake};

/// A made-up backend whose copies get on by themselves.
struct Preview {
    inner: FakeBackend,
    world: Handle,
    moved: Instant,
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
    fn poll(&mut self) -> Option<Incoming> {
        if self.moved.elapsed() >= STEP {
            self.moved = Instant::now();
            let has_work = self.world.borrow().snapshot.progress.is_some();
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
        "safe" => World::with_library(photos),
        _ => World::busy(photos),
    };
    // Painting is done where the window is painted, so large pictures would hold it up.
    world.picture_side_max = 640;
    world.picks = VecDeque::from([pick("/home/ada/Pictures"), pick("/media/ada/Backup disk")]);
    if scene == "lost" {
        let why = "The backup in the background has stopped. It is being started again".to_owned();
        world.connection = Connection::Lost(why);
    }
    world
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
    let options =
        Options { preferences: Preferences { appearance, ..Preferences::default() }, ..Options::default() };
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
        Box::new(Preview { inner, world, moved: Instant::now() })
    });
    safelight::ui::run(factory, options)
}
