//! The accounting identity: every present file of a consented pair is in exactly one bin.

use super::stable_name::stable_names;

/// The bin a file is in at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Bin {
    /// The destination proved that it holds these bytes.
    Safe,
    /// The destination took it but cannot prove it.
    Unproven,
    /// Not sent yet, or to be sent again later.
    Waiting,
    /// Bytes are moving or being proved now.
    Uploading,
    /// A person should look.
    NeedsAttention,
    /// Left out, with a reason.
    Excluded,
}

stable_names!(Bin);

/// How many files are in each bin at one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bins {
    /// Proved.
    pub safe: u64,
    /// Taken, not provable.
    pub unproven: u64,
    /// To be sent.
    pub waiting: u64,
    /// Being sent or proved.
    pub uploading: u64,
    /// Needs a person.
    pub needs_attention: u64,
    /// Left out.
    pub excluded: u64,
}

impl Bins {
    /// The right-hand side of the identity.
    pub fn found(self) -> u64 {
        let Self { safe, unproven, waiting, uploading, needs_attention, excluded } = self;
        safe + unproven + waiting + uploading + needs_attention + excluded
    }

    /// The count of one bin.
    pub fn get(self, bin: Bin) -> u64 {
        match bin {
            Bin::Safe => self.safe,
            Bin::Unproven => self.unproven,
            Bin::Waiting => self.waiting,
            Bin::Uploading => self.uploading,
            Bin::NeedsAttention => self.needs_attention,
            Bin::Excluded => self.excluded,
        }
    }

    /// The count of one bin, to be changed.
    pub fn get_mut(&mut self, bin: Bin) -> &mut u64 {
        match bin {
            Bin::Safe => &mut self.safe,
            Bin::Unproven => &mut self.unproven,
            Bin::Waiting => &mut self.waiting,
            Bin::Uploading => &mut self.uploading,
            Bin::NeedsAttention => &mut self.needs_attention,
            Bin::Excluded => &mut self.excluded,
        }
    }
}
