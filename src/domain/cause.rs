//! Why exactly something failed, where that is known and has a remedy of its own.
//!
//! A failure's kind says what a program must know: try again or not, one file or all. Its cause
//! says what a person must know: the same kind may have remedies that have nothing in common.

use super::message::{Action, Message, message};
use super::stable_name::stable_names;

/// A cause that has words of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// The server has the bytes, but in its trash.
    Trashed,
    /// The network says that it wants a sign-in.
    SignInPage,
    /// A web page came where none belongs: a network's sign-in, or the wrong address.
    WebPage,
    /// A server in front refused a body for its size.
    UploadLimit,
    /// The same, by Cloudflare, whose limit is known.
    CloudflareLimit,
    /// This computer's clock and the server's differ too much.
    Clock,
    /// The account's share of the server is used up; the server's disk may be empty.
    Quota,
    /// The server does not know the key.
    KeyUnknown,
    /// The key or session has ended.
    KeyExpired,
    /// The key may not do all that is needed.
    KeyLacks,
    /// The certificate leads to no authority that is known here.
    UnknownAuthority,
    /// The server shows a certificate that is made to sign others.
    CertificateKind,
    /// The certificate's time is over.
    CertificateExpired,
    /// The certificate's time has not begun.
    CertificateNotYet,
    /// The certificate is another name's.
    CertificateName,
    /// What answers does not speak TLS.
    NotEncrypted,
    /// The computer is there, and nothing listens.
    Refused,
    /// The proxy cannot be used.
    Proxy,
    /// The proxy wants a name and a password.
    ProxySignIn,
    /// The server speaks another version.
    ServerVersion,
    /// The keyring is locked or does not answer.
    KeyringLocked,
    /// There is no keyring.
    KeyringMissing,
    /// Nobody has entered a password.
    PasswordMissing,
    /// The disk or folder can be read, but not written.
    ReadOnly,
    /// The disk's file system takes no file of this size, as FAT32 with 4 GB.
    FileSizeLimit,
    /// The folder's permissions keep this user from writing there.
    FolderPermission,
    /// The file by which a destination is known cannot be read: damaged there, or changed on the way.
    MarkerDamaged,
    /// The destination keeps no files of this kind beside a picture.
    SidecarKind,
    /// The destination takes a sidecar's bytes only with its picture, which it has already.
    SidecarLate,
    /// The server holds a lock on the file.
    Locked,
    /// The server was busy with something else about the file, or not ready for it.
    NotReady,
    /// The server has lost an upload, or a part of it.
    UploadLost,
    /// What comes back is not what was stored: compressed or changed on the way, or damaged.
    Altered,
    /// The bucket is not there.
    NoBucket,
    /// The backup's folder is not at its server.
    NoFolder,
    /// The destination keeps one sidecar beside a file, and has another of several.
    SidecarOther,
    /// The destination's copy is not what it says it is: it keeps it by a checksum that its bytes do not
    /// have, or cannot give it back, and takes the file no second time.
    CopyDamaged,
    /// The same of a copy that Safelight sent and would replace, if the key might remove it.
    RemovalDenied,
    /// The photo that a sidecar belongs to is in the server's trash.
    PhotoTrashed,
    /// The photo that a sidecar belongs to is not at the server yet.
    PhotoAwaited,
}

stable_names!(Cause);

impl Cause {
    /// What a keyring's trouble is for the person.
    pub fn of_keyring(is_missing: bool) -> Self {
        if is_missing { Self::KeyringMissing } else { Self::KeyringLocked }
    }

    /// Whether a file that fails for this reason is left out at the destination: neither trying again nor
    /// a person can help.
    pub fn leaves_out(self) -> bool {
        matches!(self, Self::SidecarKind | Self::SidecarLate | Self::SidecarOther)
    }

    /// What a person is told of it.
    #[expect(clippy::too_many_lines, reason = "a table: one row a cause")]
    pub(super) fn message(self) -> Message {
        use Action::{
            ConnectDisk, FreeSpace, OpenDestination, OpenNetwork, RestoreFromTrash, Retry, SignInAgain, Wait,
        };
        match self {
            Self::Trashed => message(
                "The server has this file in its trash",
                "It is not safe there: restore it from the trash, or leave it out",
                RestoreFromTrash,
            ),
            Self::SignInPage => message(
                "This network asks you to sign in first",
                "Sign in with a web browser; backup resumes automatically",
                Wait,
            ),
            Self::WebPage => message(
                "A web page answered instead of the server",
                "If this network asks for a sign-in, do that in a web browser; otherwise check the address",
                OpenDestination,
            ),
            Self::UploadLimit => message(
                "A proxy in front of the server limits the size of uploads",
                "Raise the limit there, or use an address that bypasses it",
                OpenDestination,
            ),
            Self::CloudflareLimit => message(
                "The server in front limits uploads to about 100 MB",
                "Use an address that bypasses Cloudflare, such as the one in your own network",
                OpenDestination,
            ),
            Self::Clock => message(
                "This computer's clock is wrong",
                "Set its date and time; backup resumes automatically",
                Wait,
            ),
            Self::Quota => message(
                "Your account on the server is full",
                "Free up space there, or get more; backup resumes automatically",
                FreeSpace,
            ),
            Self::KeyUnknown => message(
                "The server does not know this key",
                "Create a new key on the server, and enter it under Password",
                SignInAgain,
            ),
            Self::KeyExpired => message(
                "The key has expired",
                "Create a new key on the server, and enter it under Password",
                SignInAgain,
            ),
            Self::KeyLacks => message(
                "The key lacks permissions that a backup needs",
                "Give it the permissions named in the details, or create a new key",
                SignInAgain,
            ),
            Self::UnknownAuthority => message(
                "The server's certificate is self-signed, or signed by an authority that this computer does not know",
                "If the server is yours, choose its certificate authority in Settings, Network",
                OpenNetwork,
            ),
            Self::CertificateKind => message(
                "The server's certificate is a certificate authority's own, and you have not chosen to trust it",
                "If the server is yours, choose this very certificate in Settings, Network",
                OpenNetwork,
            ),
            Self::CertificateExpired => message(
                "The server's certificate has expired",
                "Renew it on the server; if it is new, check this computer's clock",
                OpenDestination,
            ),
            Self::CertificateNotYet => message(
                "The server's certificate is not valid yet",
                "Check this computer's clock, then the server's",
                OpenDestination,
            ),
            Self::CertificateName => message(
                "The server's certificate is for another name",
                "Use the address that the certificate is for",
                OpenDestination,
            ),
            Self::NotEncrypted => message(
                "The server offers no encryption at this address",
                "Check the address and its port",
                OpenDestination,
            ),
            Self::Refused => message(
                "The computer responds, but nothing is running at this address",
                "Start the server, or check the port in the address",
                OpenDestination,
            ),
            Self::Proxy => {
                message("The proxy cannot be used", "Check the proxy in Settings, Network", OpenNetwork)
            }
            Self::ProxySignIn => message(
                "The proxy asks for a user name and password",
                "Enter them for the proxy in Settings, Network",
                OpenNetwork,
            ),
            Self::ServerVersion => message(
                "Safelight does not support this version of the server",
                "Update the server; the details say which version is needed",
                OpenDestination,
            ),
            Self::KeyringLocked => message("The keyring is locked", "Unlock it, then retry", SignInAgain),
            Self::PasswordMissing => message(
                "No password or key is saved for this destination",
                "Enter it under Password, or as described in the details",
                SignInAgain,
            ),
            Self::ReadOnly => message(
                "The disk that holds the backup is read-only",
                "Check its lock switch, or check the disk for errors and reconnect it",
                ConnectDisk,
            ),
            Self::FileSizeLimit => message(
                "The file is too large for the way the backup disk is formatted",
                "FAT32 allows files up to 4 GB; back it up to another disk, format this one as exFAT, or leave the file out",
                OpenDestination,
            ),
            Self::FolderPermission => message(
                "You do not have permission to write to this folder",
                "Change the folder's permissions, or choose another folder",
                OpenDestination,
            ),
            Self::MarkerDamaged => message(
                "The file that identifies this destination cannot be read",
                "If this keeps happening, the file .safelight/destination.json there is damaged, or something in between \
                 changes what the server sends",
                OpenDestination,
            ),
            Self::SidecarKind => message(
                "This server does not store files of this kind with a photo",
                "To keep a copy of it, also back up to a folder, a disk or other storage",
                OpenDestination,
            ),
            Self::SidecarLate => message(
                "This server accepts such a file only together with its photo",
                "To keep a copy of it, also back up to a folder, a disk or other storage",
                OpenDestination,
            ),
            Self::Locked => message(
                "The server has this file locked",
                "Safelight retries automatically; if this keeps happening, restart the server",
                Wait,
            ),
            Self::NotReady => message(
                "The server was not ready for this file",
                "Safelight retries automatically; there is nothing to do",
                Wait,
            ),
            Self::UploadLost => message(
                "The server has lost this upload",
                "Safelight sends it again automatically; there is nothing to do",
                Wait,
            ),
            Self::Altered => message(
                "The destination sends back something other than what was stored there",
                "If something in front of it compresses or changes files, turn that off; otherwise have its disk checked",
                OpenDestination,
            ),
            Self::NoBucket => message(
                "There is no bucket with this name on the server",
                "Create the bucket, or check its name in the address",
                OpenDestination,
            ),
            Self::NoFolder => message(
                "The backup is not in this folder on the server",
                "Check that the server's disk is connected and the address is right",
                OpenDestination,
            ),
            Self::SidecarOther => message(
                "This server keeps only one such file with a photo, and has a different one from another folder",
                "Back up to a folder, a disk or other storage as well if you want a copy of both",
                OpenDestination,
            ),
            Self::CopyDamaged => message(
                "The server's copy of this file is damaged",
                "Delete it on the server, empty the trash there, then retry",
                Retry,
            ),
            Self::RemovalDenied => message(
                "The server's copy of this file is damaged, and the API key may not remove it",
                "In Immich, under Account settings, API keys, edit the key and tick asset.delete and asset.update, then try again",
                Retry,
            ),
            Self::PhotoTrashed => message(
                "The photo that this file belongs to is in the server's trash",
                "Restore the photo from the trash, or leave both out",
                RestoreFromTrash,
            ),
            Self::PhotoAwaited => message(
                "The photo that this file belongs to is not on the server yet",
                "It is backed up once the photo is there",
                Wait,
            ),
            Self::KeyringMissing => message(
                "This computer has no keyring to store the password in",
                "Start one, or provide the password as described in the details",
                SignInAgain,
            ),
        }
    }
}
