//! What is left at a tus server. The protocol has no listing: an upload whose creation was never answered, or
//! answered to a process that was killed before it had kept the address, is known to nobody and stays until the
//! server expires it. Everything that was asked for once more after its creation is known, and may not stay.

use std::collections::BTreeMap;
use std::path::Path;

use super::{FAULTS, FaultyDestination, assert_only_ours_stays};
use crate::fakes::uploads::{Behavior, Fault, UploadServer};
use crate::support::backup::{digest, files_below};
use crate::support::seed::Seeded;

struct Tus(UploadServer);

fn faults() -> Vec<(&'static str, Fault)> {
    let status = |code| Fault::Status(code, Vec::new(), "no");
    vec![
        ("PATCH", Fault::CutIn(10_000)),
        ("PATCH", Fault::DropBefore),
        ("PATCH", Fault::DropAfter),
        ("PATCH", status(500)),
        ("PATCH", status(423)),
        ("HEAD", Fault::DropBefore),
        ("HEAD", status(500)),
        ("HEAD", Fault::Lose(1_000)),
        ("POST", Fault::DropBefore),
        ("POST", Fault::DropAfter),
        ("POST", status(503)),
        ("GET", Fault::DropBefore),
        ("GET", status(500)),
    ]
}

impl FaultyDestination for Tus {
    fn to(&self) -> String {
        format!("tus+http://{}/files", self.0.host())
    }

    fn plant_faults(&self, seeded: &Seeded) {
        let faults = faults();
        for _fault in 0..FAULTS {
            let at = usize::try_from(seeded.within(0..faults.len() as u64)).expect("small");
            let (method, fault) = faults[at].clone();
            self.0.order(method, fault);
        }
    }

    fn heal(&self) {
        self.0.heal();
    }

    fn assert_holds_only(&self, source: &Path) {
        let mut wanted: BTreeMap<[u8; 32], u64> = BTreeMap::new();
        for path in files_below(source) {
            *wanted.entry(digest(&path)).or_default() += 1;
        }
        let asked = self.0.asked();
        let is_known = |id: &str| {
            let path = format!("/files/{id}");
            asked.iter().any(|asked| asked.method != "POST" && asked.path == path)
        };
        for (id, upload) in self.0.uploads() {
            let copies = wanted.get_mut(blake3::hash(&upload.bytes).as_bytes());
            match copies.filter(|copies| upload.is_complete && **copies > 0 && is_known(&id)) {
                Some(copies) => *copies -= 1,
                None => {
                    assert!(!is_known(&id), "{id} of {} is left, {} bytes", upload.name, upload.bytes.len());
                }
            }
        }
        assert!(wanted.values().all(|left| *left == 0), "photos are missing");
    }
}

#[test]
fn only_ours_stays_at_a_tus_server() {
    let server = Tus(UploadServer::start(Behavior::default()));
    assert_only_ours_stays("leftovers at tus", &server, 2);
}
