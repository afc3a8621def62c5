//! Whom a TLS connection is trusted to lead to, once a person has chosen certificates.
//!
//! A certificate that was chosen is an authority, as everywhere. Beyond that, it is trusted as a
//! server's own even where it may sign others: `openssl req -x509` makes such certificates, so they
//! are common on servers at home, and webpki refuses them there. Name, time and the server's
//! possession of the key are checked all the same.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use rustls_platform_verifier::Verifier;

use super::errors;

/// The system's verifier, and the certificates that a person has chosen.
#[derive(Debug)]
struct ChosenAuthorities {
    system: Verifier,
    certificates: Vec<CertificateDer<'static>>,
}

/// The settings of TLS connections for which the certificates in `pem` are trusted besides the
/// system's.
///
/// # Errors
/// What is wrong with them.
pub fn config(pem: &[u8], provider: Arc<CryptoProvider>) -> Result<ClientConfig, String> {
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the file of certificate authorities cannot be read: {error}"))?;
    let system = Verifier::new_with_extra_roots(certificates.clone(), Arc::clone(&provider))
        .map_err(|error| format!("the certificate authorities cannot be used: {error}"))?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be set up: {error}"))?;
    let mut config = builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(ChosenAuthorities { system, certificates }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

impl ServerCertVerifier for ChosenAuthorities {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified =
            self.system.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // WebPKI looks at the time before it looks at what the certificate is for.
            Err(Error::InvalidCertificate(error))
                if errors::is_authority(&error) && self.certificates.iter().any(|one| one == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.system.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.system.supported_verify_schemes()
    }
}
