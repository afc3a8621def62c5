//! Newtypes for row ids, so that a file's id can never be passed where a record's is meant.

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub i64);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// A folder the person chose.
    SourceId
);
id!(
    /// One file below a source.
    FileId
);
id!(
    /// The bytes of one version of a file: BLAKE3 and size.
    ContentId
);
id!(
    /// One picture or clip as a person thinks of it.
    AssetId
);
id!(
    /// A place copies go.
    DestinationId
);
id!(
    /// A backup record: one content at one destination. Its number is the public id.
    RecordId
);
id!(
    /// One try to send one record.
    JobId
);

/// What a person can name in `retry` and `exclude`: a backup record, or a file that has none yet
/// because its bytes could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ItemId {
    /// A backup record; written as its number.
    Record(RecordId),
    /// A file without a record; written `f` and its number.
    File(FileId),
}

impl std::fmt::Display for ItemId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Record(id) => write!(f, "{id}"),
            Self::File(id) => write!(f, "f{id}"),
        }
    }
}

impl std::str::FromStr for ItemId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let parse = |digits: &str| digits.parse::<i64>().ok().filter(|n| *n > 0).ok_or(());
        match text.strip_prefix('f') {
            Some(digits) => Ok(Self::File(FileId(parse(digits)?))),
            None => Ok(Self::Record(RecordId(parse(text)?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_ids_round_trip_and_refuse_nonsense() {
        for item in [ItemId::Record(RecordId(12)), ItemId::File(FileId(7))] {
            assert_eq!(item.to_string().parse(), Ok(item));
        }
        for bad in ["", "f", "-1", "0", "f0", "12x", "F3"] {
            assert!(bad.parse::<ItemId>().is_err(), "{bad}");
        }
    }
}
