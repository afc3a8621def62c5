//! What `config.json` says, and what of it can be believed.
//!
//! The file lies beside the database for years, and a person may have opened it in an editor.
//! Reading it must never fail as a whole for one entry that makes no sense, nor let an entry
//! through that the database would refuse: then nothing at all could be restored from it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::api::{NetworkText, PathText, Rules};
use crate::domain::gate::GateRules;
use crate::domain::network::NetworkRules;
use crate::domain::target::{DestinationKind, is_valid_name};

/// The form that this release writes; a later release's is left alone.
pub(crate) const VERSION: u32 = 1;
/// The longest path or address that is taken over, in bytes.
const ADDRESS_BYTES_MAX: usize = 8 * 1024;
/// The longest identity of an installation, in characters.
const INSTALLATION_CHARS_MAX: usize = 64;
/// The most unacknowledged jobs that a destination may be given from here.
const JOB_LIMIT_MAX: u32 = 1_000;

/// The document as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct Mirror {
    pub(crate) version: u32,
    pub(crate) installation: String,
    pub(crate) backup_on: bool,
    /// Whatever is there, so that rules of another release do not cost the folders.
    #[serde(default)]
    pub(crate) rules: serde_json::Value,
    /// How servers are reached; as with the rules.
    #[serde(default)]
    pub(crate) network: serde_json::Value,
    pub(crate) sources: Vec<MirroredSource>,
    pub(crate) destinations: Vec<MirroredDestination>,
}

/// One source as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct MirroredSource {
    #[serde(flatten)]
    pub(crate) path: PathText,
    pub(crate) file_system: String,
}

/// One destination as it is written.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub(crate) struct MirroredDestination {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) address: PathText,
    pub(crate) enabled: bool,
    pub(crate) job_limit: u32,
    /// As in the database: unknown fields are kept out, missing ones read as not able.
    #[serde(rename = "abilities")]
    pub(crate) capabilities: String,
    /// The paths of the sources that are consented to go there.
    pub(crate) consents: Vec<PathText>,
    /// The person lets the server's checksum count as proof.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) trusts_checksum: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What of a document can be believed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ValidMirror {
    /// Names this installation in manifests; `None` if it could be no name of a folder.
    pub(crate) installation: Option<String>,
    pub(crate) is_on: bool,
    /// When work is held up; `None` if they make no sense.
    pub(crate) rules: Option<GateRules>,
    /// How servers are reached; `None` if that makes no sense.
    pub(crate) network: Option<NetworkRules>,
    /// Absolute paths, each once, and the file system each was on.
    pub(crate) sources: Vec<(Vec<u8>, String)>,
    pub(crate) destinations: Vec<ValidDestination>,
    /// Entries that make no sense and were left out.
    pub(crate) left_out: usize,
}

/// A destination that can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ValidDestination {
    pub(crate) name: String,
    pub(crate) kind: DestinationKind,
    pub(crate) address: Vec<u8>,
    pub(crate) is_enabled: bool,
    pub(crate) job_limit: u32,
    pub(crate) capabilities: String,
    pub(crate) trusts_checksum: bool,
    /// Places in [`ValidMirror::sources`], each once, rising.
    pub(crate) consents: Vec<usize>,
}

/// Reads a document; `None` where the bytes are none, or one of a later release.
pub(crate) fn read(text: &[u8]) -> Option<ValidMirror> {
    let mirror: Mirror = serde_json::from_slice(text).ok()?;
    (mirror.version == VERSION).then(|| validate(mirror))
}

fn validate(mirror: Mirror) -> ValidMirror {
    let Mirror { installation, backup_on, rules, network, sources, destinations, version: _ } = mirror;
    let network = serde_json::from_value::<NetworkText>(network).ok();
    let is_name = |text: &str| {
        (1..=INSTALLATION_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b == b'-' || b.is_ascii_alphanumeric())
    };
    let mut valid = ValidMirror {
        installation: Some(installation).filter(|text| is_name(text)),
        is_on: backup_on,
        rules: serde_json::from_value::<Rules>(rules).ok().and_then(|rules| GateRules::try_from(rules).ok()),
        network: network.and_then(|network| NetworkRules::try_from(network).ok()),
        ..ValidMirror::default()
    };
    let mut places = BTreeMap::new();
    for source in sources {
        match absolute(&source.path) {
            Some(path) if !places.contains_key(&path) => {
                places.insert(path.clone(), valid.sources.len());
                valid.sources.push((path, source.file_system));
            }
            _ => valid.left_out += 1,
        }
    }
    let mut names = BTreeSet::new();
    for destination in destinations {
        match validate_destination(destination, &places) {
            Some(destination) if names.insert(destination.name.clone()) => {
                valid.destinations.push(destination);
            }
            _ => valid.left_out += 1,
        }
    }
    valid
}

fn validate_destination(
    destination: MirroredDestination,
    places: &BTreeMap<Vec<u8>, usize>,
) -> Option<ValidDestination> {
    let MirroredDestination {
        name,
        kind,
        address,
        enabled,
        job_limit,
        capabilities,
        consents,
        trusts_checksum,
    } = destination;
    let kind = DestinationKind::parse(&kind)?;
    let address = match kind {
        DestinationKind::Folder => absolute(&address)?,
        _ => plain_path(&address).filter(|bytes| std::str::from_utf8(bytes).is_ok())?,
    };
    let consents: BTreeSet<usize> =
        consents.iter().filter_map(|path| places.get(&absolute(path)?).copied()).collect();
    is_valid_name(&name).then(|| ValidDestination {
        consents: consents.into_iter().collect(),
        name,
        kind,
        address,
        is_enabled: enabled,
        job_limit: job_limit.clamp(1, JOB_LIMIT_MAX),
        capabilities,
        trusts_checksum,
    })
}

fn absolute(path: &PathText) -> Option<Vec<u8>> {
    plain_path(path).filter(|bytes| bytes.starts_with(b"/"))
}

fn plain_path(text: &PathText) -> Option<Vec<u8>> {
    text.to_bytes().filter(|bytes| (1..=ADDRESS_BYTES_MAX).contains(&bytes.len()) && !bytes.contains(&0))
}
