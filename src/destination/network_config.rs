//! The network settings of servers, from the rules that the person set: reads and checks the certificate file,
//! and fetches the password of the proxy.

use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::credentials::SecretSources;
use super::http::{NetworkConfig, ProxyChoice};
use crate::base::executor::Executor;
use crate::base::files::path_from_bytes;
use crate::base::secret::Secret;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::network::{NetworkRules, Proxy, ProxyAddress};

/// The variable that may hold the proxy's password.
const PASSWORD_VARIABLE: &str = "SAFELIGHT_PROXY_PASSWORD";
/// The variable that names a file of certificate authorities, as PEM.
const AUTHORITIES_VARIABLE: &str = "SAFELIGHT_CA_FILE";
/// The largest file of certificate authorities, in bytes.
const AUTHORITIES_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// How long the keyring and the disk may take: no backup waits longer for them.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// The settings that these rules describe.
///
/// # Errors
/// A sentence on what of it cannot be used.
pub(super) async fn resolve(
    network: &NetworkRules,
    secret_sources: &SecretSources,
    executor: &Executor,
) -> Result<NetworkConfig, String> {
    let mut extra_ca = Vec::new();
    let of_environment = (secret_sources.environment)(AUTHORITIES_VARIABLE).filter(|path| !path.is_empty());
    if let Some(path) = of_environment {
        match authorities(Path::new(&path), executor).await {
            Ok(pem) => extra_ca.extend(pem),
            Err(why) => tracing::warn!("the file that {AUTHORITIES_VARIABLE} names is left out: {why}"),
        }
    }
    if let Some(path) = network.ca_file() {
        extra_ca.push(b'\n');
        extra_ca.extend(authorities(&path_from_bytes(path), executor).await?);
    }
    let proxy = match &network.proxy {
        Proxy::System => ProxyChoice::Environment,
        Proxy::None => ProxyChoice::Direct,
        Proxy::Address(address) => {
            ProxyChoice::Url { url: address.without_user(), login: login(secret_sources, address).await }
        }
    };
    Ok(NetworkConfig { upload_limit: network.upload_limit(), proxy, extra_ca })
}

/// The certificates in a file, as PEM.
async fn authorities(path: &Path, executor: &Executor) -> Result<Vec<u8>, String> {
    let at = path.to_owned();
    let read = executor.with_own_threads();
    let read = async move { read.run(move || read_file(&at)).await };
    let bytes = match tokio::time::timeout(ANSWER_MAX, read).await {
        Ok(Ok(bytes)) => bytes?,
        Ok(Err(_)) | Err(_) => return Err("The certificate file does not respond".to_owned()),
    };
    check(&bytes)?;
    Ok(bytes)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => "There is no certificate file at this path".to_owned(),
        std::io::ErrorKind::PermissionDenied => "You may not read this certificate file".to_owned(),
        _ => "The certificate file cannot be read".to_owned(),
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(cannot)?;
    // A pipe would hang, a folder has no bytes.
    if !file.metadata().map_err(cannot)?.is_file() {
        return Err("This is not a certificate file".to_owned());
    }
    file.take(AUTHORITIES_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > AUTHORITIES_BYTES_MAX {
        return Err("This file is too large to hold certificates".to_owned());
    }
    Ok(bytes)
}

/// Whether there is a certificate in it, and every one in it is sound.
fn check(pem: &[u8]) -> Result<(), String> {
    let none = "This file holds no certificate. One in PEM form begins with: BEGIN CERTIFICATE";
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_garbled| none.to_owned())?;
        roots.add(certificate).map_err(|_unsound| "A certificate in this file is damaged".to_owned())?;
    }
    if roots.is_empty() { Err(none.to_owned()) } else { Ok(()) }
}

/// Whoever signs in at the proxy, and with what; `None` if nobody does, or the password cannot be
/// had now: then the proxy will say that it wants one.
async fn login(secret_sources: &SecretSources, address: &ProxyAddress) -> Option<(String, Secret)> {
    let user = percent_encoding::percent_decode_str(address.user()?).decode_utf8_lossy().into_owned();
    let given = (secret_sources.environment)(PASSWORD_VARIABLE).filter(|password| !password.is_empty());
    if let Some(password) = given {
        return Some((user, Secret::new(password)));
    }
    match tokio::time::timeout(ANSWER_MAX, secret_sources.store.get(&account(address))).await {
        Ok(Ok(password)) => Some((user, password?)),
        Ok(Err(trouble)) => {
            tracing::warn!(%trouble, "the proxy's password could not be had");
            None
        }
        Err(_late) => {
            tracing::warn!("the keyring does not answer; the proxy is used without a password");
            None
        }
    }
}

/// The name of a proxy's entry in the keyring.
fn account(address: &ProxyAddress) -> String {
    format!("proxy+{}", address.as_str())
}

/// Keeps a proxy's password.
///
/// # Errors
/// `credentials` when it cannot be kept.
pub(super) async fn keep_secret(
    secret_sources: &SecretSources,
    address: &ProxyAddress,
    secret: Secret,
) -> Result<(), Failure> {
    secret_sources.store.set(&account(address), secret).await.map_err(|trouble| {
        let details = format!(
            "{trouble}; Safelight keeps passwords nowhere else: set {PASSWORD_VARIABLE} in the environment that it starts in"
        );
        Failure::destination(FailureKind::Credentials, details).with_cause(Cause::of_keyring(trouble.is_missing()))
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::memory_secrets::MemorySecrets;
    use crate::base::secret::SecretError;

    fn secret_sources(store: &Arc<MemorySecrets>) -> SecretSources {
        SecretSources { store: Arc::clone(store) as _, environment: Arc::new(|_name| None) }
    }

    fn through(address: &str) -> NetworkRules {
        let proxy = Proxy::Address(ProxyAddress::parse(address).expect("an address"));
        NetworkRules::new(None, proxy, None).expect("sense")
    }

    #[tokio::test]
    async fn a_proxys_password_comes_from_the_keyring_or_the_environment() {
        let store = Arc::<MemorySecrets>::default();
        let (secret_sources, executor) = (secret_sources(&store), Executor::inline());
        let network = through("http://ann@proxy.example:3128");
        let Proxy::Address(address) = &network.proxy else { panic!("an address") };
        let login = async |secret_sources: &SecretSources| match resolve(&network, secret_sources, &executor)
            .await
            .expect("it is applied")
            .proxy
        {
            ProxyChoice::Url { url, login } => {
                assert_eq!(url, "http://proxy.example:3128");
                login.map(|(user, password)| (user, password.expose().to_owned()))
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(login(&secret_sources).await, None);
        keep_secret(&secret_sources, address, Secret::new("kept".to_owned())).await.expect("kept");
        assert_eq!(login(&secret_sources).await, Some(("ann".to_owned(), "kept".to_owned())));
        let read = |name: &str| (name == PASSWORD_VARIABLE).then(|| "given".to_owned());
        let environment = SecretSources { environment: Arc::new(read), ..secret_sources.clone() };
        assert_eq!(login(&environment).await, Some(("ann".to_owned(), "given".to_owned())));
        store.refuse(SecretError::Locked);
        assert_eq!(login(&secret_sources).await, None, "it is asked for by the proxy then");
        let refused =
            keep_secret(&secret_sources, address, Secret::new("x".to_owned())).await.expect_err("locked");
        assert!(refused.details.contains(PASSWORD_VARIABLE), "{refused}");
        assert_eq!(refused.cause, Some(Cause::KeyringLocked));
    }

    #[tokio::test]
    async fn what_holds_no_certificate_is_told_in_a_sentence() {
        let dir = tempfile::tempdir().expect("dir");
        let (secret_sources, executor) = (secret_sources(&Arc::default()), Executor::inline());
        let read = async |name: &str, bytes: Option<&[u8]>| {
            let path = dir.path().join(name);
            if let Some(bytes) = bytes {
                std::fs::write(&path, bytes).expect("written");
            }
            let path = crate::base::files::path_bytes(&path);
            let network = NetworkRules::new(None, Proxy::None, Some(path)).expect("sense");
            resolve(&network, &secret_sources, &executor).await.map(|config| config.extra_ca.len())
        };
        let garbage = b"-----BEGIN CERTIFICATE-----\nTm90IG9uZQ==\n-----END CERTIFICATE-----\n";
        for (name, bytes, said) in [
            ("missing.pem", None, "no certificate file at this path"),
            ("photo.jpg", Some(b"\xff\xd8\xff".as_slice()), "holds no certificate"),
            ("empty.pem", Some(b"".as_slice()), "holds no certificate"),
            (
                "key.pem",
                Some(b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n".as_slice()),
                "holds no certificate",
            ),
            ("garbage.pem", Some(garbage.as_slice()), "damaged"),
            ("", None, "not a certificate file"),
        ] {
            let why = read(name, bytes).await.expect_err(name);
            assert!(why.contains(said), "{name}: {why}");
        }
    }
}
